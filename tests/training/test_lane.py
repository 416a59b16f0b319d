"""A trial in training: when it ends and why, where it has a place, and where it goes on that another ended."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from keras_sweep.space.sweep_spec import EarlyStopping, ReduceLROnPlateau, Training
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.lane import Controls, EndStates, Lane, LaneEnd
from keras_sweep.trial.plan import TrainingPlan
from keras_sweep.trial.result import Seconds, Suggestion

STATE = TrainingState((np.arange(3.0),), (), (np.ones(2),))
BEST = TrainingState((np.zeros(3),), (), (np.ones(2),))


ROWS = [{"val_loss": loss} for loss in (1.0, 0.9, 0.95, 0.97, 0.99)]


def test_a_curve_is_watched_epoch_by_epoch_and_the_rate_is_that_of_an_optimizers_variable():
    assert Controls.from_training(Training(class_weight="balanced"), 0.1, ROWS) is None
    falls = ReduceLROnPlateau(patience=1, factor=0.5, min_delta=0.0, monitor="val_loss", mode="min")
    falling = Controls.from_training(Training(reduce_lr_on_plateau=falls), 0.1)
    rates, logged = [falling.learning_rate], []
    for row in ROWS:
        logged.append(falling.end_epoch(row))
        rates.append(falling.learning_rate)
    tenth = float(np.float32(0.1))
    assert rates == [tenth, tenth, tenth, tenth / 2, tenth / 4, tenth / 8]
    assert [one["learning_rate"] for one in logged] == rates[:-1] and logged[2]["val_loss"] == 0.95
    assert not falling.has_stopped and falling.epoch_to_restore is None and ROWS[0] == {"val_loss": 1.0}
    assert Controls.from_training(Training(reduce_lr_on_plateau=falls), 0.1, ROWS).learning_rate == tenth / 8


def test_seconds_before_an_interruption_count():
    lane = lane_of()
    lane.plan = replace(lane.plan, training=Training(seconds=5.0))
    lane.resume_from(ROWS[:2], STATE, None)
    assert lane.training
    lane.seconds = Seconds(sampler=1.0, compile=9.0, train=4.5, validate=0.5)  # as a checkpoint has it
    lane.log(ROWS[2], finite=True)
    assert lane.end is LaneEnd.TIMED
    assert not lane.has_place(3) and lane.can_reach(3) and not lane.can_reach(4)


def test_a_trial_stops_where_its_patience_ends_and_has_the_weights_of_its_best_epoch():
    patient = EarlyStopping(patience=2, monitor="val_loss", mode="auto", restore_best_weights=True)
    after_rows = [Controls.from_training(Training(early_stopping=patient), 0.1, ROWS[:count]) for count in (0, 2, 3, 4)]
    assert [controls.has_stopped for controls in after_rows] == [False, False, False, True]
    assert [controls.epoch_to_restore for controls in after_rows] == [None, 2, 2, 2]
    last = replace(patient, restore_best_weights=False)
    assert Controls.from_training(Training(early_stopping=last), 0.1, ROWS).epoch_to_restore is None
    both = Training(early_stopping=patient, reduce_lr_on_plateau=ReduceLROnPlateau(patience=1, monitor="val_loss"))
    assert (
        Controls.from_training(both, 0.1, ROWS[:4]).epoch_to_restore,
        Controls.from_training(both, 0.1, ROWS[:4]).has_stopped,
    ) == (2, True)


def lane_of(epochs=4, number=0, *, rungs=(), controls=None, wanted=True, **suggestion):
    asked = Suggestion(number, {}, sampler_seconds=0.5, **suggestion)
    plan = TrainingPlan({}, "adam", epochs=epochs)
    return Lane(asked, None, plan, 0.1, 0, {}, rungs, None, controls, wanted)


def after(lane, *losses, finite=True):
    for loss in losses:
        lane.log({"val_loss": loss}, finite=finite)
    return lane


def test_a_lane_ends_with_its_last_epoch_or_where_a_number_is_not_finite():
    lane = lane_of(3)
    assert (lane.number, lane.training, lane.seconds.sampler, lane.epoch_to_restore) == (0, True, 0.5, None)
    assert after(lane, 1.0, 0.5).training and lane.curve == {"val_loss": (1.0, 0.5)}
    assert after(lane, 0.25).end is LaneEnd.DONE and not lane.training
    wild = after(lane_of(3), 1.0, finite=False)
    assert wild.end is LaneEnd.DIVERGED and len(wild.rows) == 1
    assert after(lane_of(1), 1.0, finite=False).end is LaneEnd.DIVERGED


def test_what_watches_its_curve_stops_it_sets_its_rate_and_names_the_epoch_whose_weights_it_has():
    stop = EarlyStopping(patience=1, monitor="val_loss", mode="min", restore_best_weights=True)
    lane = lane_of(9, controls=Controls.from_training(Training(early_stopping=stop), 0.1))
    assert after(lane, 1.0, 0.5).training and lane.epoch_to_restore == 2
    assert after(lane, 0.75).end is LaneEnd.STOPPED and lane.epoch_to_restore == 2
    falls = SimpleNamespace(end_epoch=lambda row: {**row, "learning_rate": 0.1}, learning_rate=0.05, has_stopped=False)
    slower = after(lane_of(9, controls=falls), 1.0)
    assert slower.learning_rate == 0.05 and slower.rows == [{"val_loss": 1.0, "learning_rate": 0.1}]
    wild = after(lane_of(9, controls=falls), 1.0, finite=False)
    assert wild.learning_rate == 0.1 and wild.rows == [{"val_loss": 1.0}]


def test_a_lane_is_needed_for_its_result_or_until_its_last_rung_has_compared_it():
    assert lane_of().is_needed and not lane_of(wanted=False).is_needed
    beside = lane_of(4, rungs=(1, 2), wanted=False)
    assert beside.is_needed and after(beside, 1.0).is_needed and not after(beside, 0.5).is_needed


@pytest.mark.parametrize(
    ("end", "places", "reaches"),
    [
        (None, [True, True, False], [True, True, True]),
        (LaneEnd.DONE, [True, True, False], [True, True, False]),
        (LaneEnd.DIVERGED, [True, True, False], [False, False, False]),  # it keeps its place: no neighbour moves
        (LaneEnd.FAILED, [True, True, False], [False, False, False]),
        (LaneEnd.PRUNED, [False, False, False], [False, False, False]),
        (LaneEnd.STOPPED, [False, False, False], [True, True, False]),
    ],
)
def test_where_it_has_a_place_and_which_rungs_it_may_come_to_go_by_how_it_ended(end, places, reaches):
    lane = after(lane_of(4), 1.0, 0.5)
    lane.end = end
    assert [lane.has_place(epoch) for epoch in (0, 3, 4)] == places
    assert [lane.can_reach(rung) for rung in (1, 2, 3)] == reaches


def ended(number=0, end=LaneEnd.DONE, **suggestion):
    lane = after(lane_of(2, number, **suggestion), 1.0, 0.5)
    lane.end, lane.last, lane.best = end, STATE, BEST
    return lane


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_trial_goes_on_where_the_one_that_it_continues_ended(on_disk, tmp_path):
    ends = EndStates(tmp_path if on_disk else None)
    ends.keep(ended(0))
    ends.keep(ended(1, LaneEnd.STOPPED))
    for number, end, recipe in ((2, LaneEnd.PRUNED, None), (3, LaneEnd.DIVERGED, None), (4, LaneEnd.DONE, 0)):
        ends.keep(ended(number, end, recipe=recipe))
    assert [number for number in range(6) if ends.end(number) is not None] == [0, 1]
    lane = lane_of(3, 7, continues=1)
    ends.restore(lane)
    assert lane.rows == [{"val_loss": 1.0}, {"val_loss": 0.5}] and (lane.seen, lane.end) == (2, None)
    np.testing.assert_array_equal(lane.last.trainable[0], STATE.trainable[0])
    np.testing.assert_array_equal(lane.best.trainable[0], BEST.trainable[0])
    for epochs, continues, rows in ((2, 0, 2), (1, 0, 0), (3, 5, 0), (3, None, 0)):  # no shorter one goes on
        other = lane_of(epochs, 8, continues=continues)
        ends.restore(other)
        assert len(other.rows) == rows and (other.end is LaneEnd.DONE) == (rows == epochs)
    ends.keep_only([1, 9])
    assert ends.end(0) is None and ends.end(1) is not None
    assert not on_disk or [path.name for path in tmp_path.iterdir()] == ["trial-1.npz"]


def test_an_end_that_is_damaged_is_none_and_files_of_others_stay(tmp_path):
    ends = EndStates(tmp_path)
    ends.keep(ended(0))
    (tmp_path / "trial-0.npz").write_bytes(b"cut off")
    (tmp_path / "trial-mine.npz").touch()
    assert ends.end(0) is None
    ends.keep_only([])
    assert [path.name for path in tmp_path.iterdir()] == ["trial-mine.npz"]
    without = after(lane_of(2, 3), 1.0, 0.5)  # it has no state
    ends.keep(without)
    assert ends.end(3) is None
