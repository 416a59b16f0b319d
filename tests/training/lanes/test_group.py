"""Lanes of one program on their way: what is left to do, how far nobody looks, and where a group stands elsewhere."""

import math
import pickle

import numpy as np

from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.lane import Lane, LaneEnd
from keras_sweep.training.lanes.group import LaneGroup
from keras_sweep.training.lanes.packing import round_lane_count
from keras_sweep.training.lanes.signature import PLACEHOLDER, OptimizerVariant, Signature
from keras_sweep.trial.plan import TrainingPlan
from keras_sweep.trial.result import Suggestion

SIGNATURE = Signature((), (OptimizerVariant("sgd", (), ("momentum",)),), 32, 42)
OBJECTIVE = Objective("val_accuracy", Goal.MAXIMIZE)


class Steps:
    """A program whose lanes' state is a number each, which grows by 1 an epoch; its accuracy is a tenth of that."""

    def __init__(self, lanes, wild=(), right=None) -> None:
        self.lanes, self.layout, self.wild, self.right = lanes, self, wild, right
        self.epochs = []

    def initial_state(self, own=None):
        return TrainingState((np.zeros(()),), (), ())

    def stack(self, states):
        assert len(states) == self.lanes
        return np.array([float(state.trainable[0]) for state in states])

    def copy_lane(self, state, place):
        return TrainingState((state[place],), (), ())

    def order(self, epoch):
        return np.arange(64)

    def epoch(self, state, numbers, order, rates):
        self.epochs.append((numbers, rates(len(order))))
        return state + 1, {"loss": 1 / (state + 1)}

    def validate(self, state, numbers):
        finite = np.array([value not in self.wild for value in state])
        return state, {"accuracy": state / 10}, finite, self.right


class Made:
    """Programs of as many places as there are few counts, one of each."""

    def __init__(self, **about) -> None:
        self.made, self.about = {}, about

    def get_program(self, signature, count):
        return self.made.setdefault(count, Steps(count, **self.about))

    def find_lane_limit(self, signature):
        return 64

    def count_places(self, signature, whole, placed, limit):
        assert limit == 64
        return round_lane_count(placed)


def lane_of(number, epochs=3, *, rungs=(), wanted=True, rate=0.1, per_lane=None):
    plan = TrainingPlan({}, "sgd", epochs=epochs, batch_size=16)
    return Lane(Suggestion(number, {}), SIGNATURE, plan, rate, 0, per_lane or {}, rungs, None, None, wanted)


def group_of(*lanes, objective=OBJECTIVE, programs=None, epoch=0, begins=None, **more):
    begins = begins or dict.fromkeys(lane.number for lane in lanes)
    return LaneGroup(programs or Made(), lanes, objective, epoch, begins, **more)


def test_a_group_trains_to_an_epoch_and_reports_each():
    group = group_of(lane_of(0, 3), lane_of(1, 1))
    assert (group.remaining, group.training, group.places()) == (4, True, ([], 0))
    segment = group.train(2)
    assert segment.group is group and [report.epoch for report in segment.reports] == [1, 2]
    first, second = segment.reports
    assert first.rows == {number: {"loss": 1.0, "val_accuracy": 0.1} for number in (0, 1)}
    assert first.ended == (1,) and list(second.rows) == [0] and second.ended == ()
    assert (group.epoch, group.remaining, group.places()) == (2, 1, ([0], 1))
    assert group.state(group.lanes[0]).trainable[0] == 2
    assert [lane.end for lane in group.lanes] == [None, LaneEnd.DONE]
    ended = group.train(99).reports
    assert [report.epoch for report in ended] == [3] and not group.training and group.remaining == 0
    lane = group.lanes[0]
    assert lane.seconds.train > 0 and lane.seconds.validate > 0 and lane.seconds.compile > 0
    assert first.seconds.train > 0 and first.failure is None


def test_a_group_stops_where_it_is_asked_to_or_nobody_needs_its_numbers():
    assert group_of(lane_of(0)).train(3, lambda: True).reports == []
    group = group_of(lane_of(0, 3, rungs=(2,), wanted=False))
    assert [report.epoch for report in group.train(3).reports] == [1, 2]
    assert group.lanes[0].training and not group.training


def test_a_program_that_raises_ends_its_group_and_the_failure_is_told():
    group = group_of(lane_of(0), objective=Objective("val_auc", Goal.MAXIMIZE))
    (report,) = group.train(3).reports
    assert report.failure.reason == "the metric 'val_auc' was not logged, only loss, val_accuracy"
    assert (group.finished, group.training) == (True, False)


def test_a_lane_whose_weights_are_no_numbers_diverges_and_keeps_its_place():
    group = group_of(lane_of(0, 3), lane_of(1, 3), programs=Made(wild=(2.0,)))
    group.train(1)
    group._begins, group._state = {}, np.array([1.0, 5.0])
    group.train(2)
    assert [lane.end for lane in group.lanes] == [LaneEnd.DIVERGED, None]
    assert group.lanes[0].last is None and group.places() == ([0, 1], 2)
    program = group._programs.made[2]  # and so does one whose row has a number that is not finite
    program.validate = lambda state, numbers: (state, {"accuracy": np.full(2, math.nan)}, np.full(2, True), None)
    group.train(3)
    assert group.lanes[1].end is LaneEnd.DIVERGED


def test_nobody_looks_before_the_next_rung_or_end():
    group = group_of(lane_of(0, 9, rungs=(2, 4)), lane_of(1, 3))
    ends = []
    for most in (1, 99, 99, 99):
        group._programs.segment_epochs = lambda signature, most=most: most
        ends.append(group.segment_end())
        group.train(ends[-1])
    assert ends == [1, 2, 3, 4]


def test_what_stands_where_an_epoch_ended_is_kept_at_rungs_and_ends_and_of_the_best():
    last_alone, best = OBJECTIVE, Objective("val_accuracy", Goal.MINIMIZE, take_best=True)
    right = np.array([[True, False, True]])
    group = group_of(lane_of(0, 3, rungs=(2,)), objective=last_alone, programs=Made(right=right))
    lane, kept = group.lanes[0], []
    for until in (1, 2, 3):
        group.train(until)
        kept.append(None if lane.last is None else float(lane.last.trainable[0]))
    assert kept == [None, 2.0, 3.0] and lane.best is None
    assert np.unpackbits(lane.last.right[0], count=3).tolist() == [1, 0, 1]
    lowest = group_of(lane_of(0, 3), objective=best)  # its first epoch is its best
    lowest.train(3)
    assert lowest.lanes[0].best.trainable[0] == 1 and lowest.lanes[0].last.trainable[0] == 3
    assert lowest.lanes[0].last.right == ()


def test_lanes_that_have_left_make_room_for_a_smaller_program_which_goes_on_from_their_states():
    group = group_of(lane_of(0, 1), lane_of(1, 3), lane_of(2, 3))
    assert list(group.list_program_sizes()) == [4, 2]
    group.train(3)
    assert sorted(group._programs.made) == [2, 4]
    assert group.state(group.lanes[2]).trainable[0] == 3
    assert [lane.rows[-1]["val_accuracy"] for lane in group.lanes] == [0.1, 0.3, 0.3]


def test_only_programs_that_someone_needs_are_planned():
    group = group_of(lane_of(0, 1), lane_of(1, 3, wanted=False, rungs=(1,)), lane_of(2, 2, wanted=False))
    assert list(group.list_program_sizes()) == [4]
    later = group_of(lane_of(0, 1), lane_of(1, 3, wanted=False, rungs=(2,)), lane_of(2, 2, wanted=False))
    assert list(later.list_program_sizes()) == [4, 2]


def test_empty_places_are_filled_with_copies_and_each_lane_has_numbers_of_its_own():
    group = group_of(lane_of(0, rate=0.5, per_lane={"momentum": 0.75}), lane_of(1, rate=0.25), lane_of(2))
    group.train(1)
    ((numbers, rates),) = group._programs.made[4].epochs
    np.testing.assert_allclose(numbers.learning_rates, [0.5, 0.25, 0.1, 0.5])
    np.testing.assert_array_equal(numbers.variants, [0, 0, 0, 0])
    momentum = np.array([0.75, PLACEHOLDER, PLACEHOLDER, 0.75])
    np.testing.assert_allclose(numbers.per_lane, np.stack([momentum, 1 - momentum])[None])
    assert rates is None and numbers.batch_size is None and numbers.model is None


def test_a_group_that_trained_elsewhere_stands_there_and_goes_on_to_the_same_numbers():
    here, whole = (group_of(lane_of(0, 4), lane_of(1, 2), lane_of(2, 4)) for _ in range(2))
    lanes = list(here.lanes)
    lanes[0].seen = 7  # which the loop's thread sets
    sent = pickle.loads(pickle.dumps(here.attach(None)))
    here.take(sent.attach(Made()).train(3).group.at_rest())
    assert here.lanes == lanes and lanes[0].seen == 7 and [len(lane.rows) for lane in lanes] == [3, 2, 3]
    assert (here.epoch, here.places()) == (3, ([0, 2], 2))
    assert here.state(lanes[2]).trainable[0] == 3
    here.attach(Made()).train(4)
    whole.train(4)
    assert [lane.rows for lane in here.lanes] == [lane.rows for lane in whole.lanes]
    assert here.take(here) is None and len(here.lanes[0].rows) == 4
