import threading
from dataclasses import replace

import numpy as np
import pytest

from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.training import segments
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.lanes.flat import FlatLayout
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.training.lanes.signature import make_signature
from keras_sweep.training.lanes.template import Template
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Suggestion, TrialState
from tests.helpers.factory import make_spec
from tests.helpers.lane_trials import (
    Watching,
    assert_as_fit,
    assert_same_bits,
    assert_weights_close,
    fitted,
    lanes,
    suggestions,
    train,
    user_spec,
)
from tests.helpers.long_sweep import wait_for
from tests.helpers.plain_fit import assert_scored_by_its_weights

ADAM = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 4}
REGRESSION = {"loss": "mean_squared_error", "metrics": (), "objective": Objective("val_loss", Goal.MINIMIZE)}


either = pytest.mark.parametrize("run", [lanes, fitted])


@pytest.fixture(scope="module")
def numbers(data):
    return replace(data, classes=None)


def rates(*values, epochs=20):
    return suggestions(*({"optimizer": "sgd", "learning_rate": value, "epochs": epochs} for value in values))


def test_a_lane_that_turns_nan_fails_as_diverged_where_fit_does(numbers):
    spec = user_spec("one_output", **REGRESSION)
    trials = rates(1e4, 0.001)
    ours, theirs = lanes(spec, numbers, trials), fitted(spec, numbers, trials)
    for one in (ours[0], theirs[0]):
        assert (one.state, one.reason, one.value, one.weights) == (TrialState.FAIL, "diverged", None, None)
    assert ours[0].epochs == theirs[0].epochs < 20
    assert ours[1].state is TrialState.COMPLETE


def test_a_lane_that_diverges_moves_no_bit_of_its_neighbours(numbers):
    spec = user_spec("one_output", **REGRESSION)
    wild, tame = lanes(spec, numbers, rates(1e4, 0.001, 0.003)), lanes(spec, numbers, rates(0.002, 0.001, 0.003))
    assert wild[0].state is TrialState.FAIL
    assert tame[0].state is TrialState.COMPLETE
    assert_same_bits(wild, tame, (1, 2))


@either
def test_a_rung_prunes_and_the_curve_up_to_it_is_kept(data, run):
    slow = {**ADAM, "learning_rate": 1e-4}
    trials = suggestions(ADAM, slow, {**ADAM, "epochs": 2}, {**slow, "use_ema": True})
    watch = Watching(rung_epochs=(2, 3), stop_below=0.5)
    results = run(make_spec(), data, trials, watch)
    assert [results[n].state.value for n in range(4)] == ["COMPLETE", "PRUNED", "COMPLETE", "PRUNED"]
    for number in (1, 3):
        assert results[number].epochs == results[number].epoch == 2
        assert results[number].reason == "pruned at epoch 2"
        assert results[number].value == results[number].curve["val_accuracy"][1]
        assert_scored_by_its_weights(data, results[number])
    free = run(make_spec(), data, trials[:1])
    np.testing.assert_allclose(results[0].curve["loss"], free[0].curve["loss"], rtol=1e-5)


def test_all_trials_that_reach_a_rung_are_compared_at_once_in_ascending_order_wanted_or_not(data):
    trials = suggestions(ADAM, {**ADAM, "batch_size": 96}, {**ADAM, "epochs": 2}, {**ADAM, "epochs": 1})
    watch = Watching(rung_epochs=(1, 3))
    lanes(make_spec(), data, trials, watch, wanted={1})
    assert [(epoch, set(values)) for epoch, values in watch.rungs_called] == [(1, {0, 1, 2, 3}), (3, {0, 1})]


def test_a_rung_is_not_called_while_a_lane_is_still_being_kept(data, monkeypatch):
    class Counting(Watching):
        looks = 0

        def stopping(self):
            self.looks += 1
            return super().stopping()

    keep, watch, reads = (
        FlatLayout.copy_lane,
        Counting(rung_epochs=(1, 2, 3), stop_below=0.3),
        threading.current_thread(),
    )

    def slowly(self, state, index):  # the thread that reads reports looks through all that are there meanwhile
        if threading.current_thread() is not reads:
            enough = watch.looks + 2
            wait_for(lambda: watch.looks >= enough)
        return keep(self, state, index)

    monkeypatch.setattr(FlatLayout, "copy_lane", slowly)
    monkeypatch.setattr(segments, "LOOK_SECONDS", 0.02)  # so that it looks often
    spec = make_spec(take_best=True)
    trials = suggestions(
        *({**ADAM, "learning_rate": rate, "batch_size": size} for size in (32, 96) for rate in (0.1, 1e-5))
    )
    results = lanes(spec, data, trials, watch)
    assert {result.state for result in results.values()} == {TrialState.COMPLETE, TrialState.PRUNED}
    for result in results.values():
        assert_scored_by_its_weights(data, result)


def test_only_models_that_are_wanted_or_compared_are_built(data):
    """Those that may share a program with a wanted trial are built too, since packing moves the last digits."""
    each = [{**ADAM, "model.units": units, "epochs": epochs} for units, epochs in ((2, 3), (4, 3), (4, 2), (6, 1))]
    trials = suggestions(*each)
    every = lanes(user_spec("regularized"), data, trials, wanted={1, 2})
    watch = Watching()
    assert_same_bits(lanes(user_spec("regularized"), data, trials, watch, wanted={1}), every, (1,))
    assert watch.phases[0] == ("build", 0, 2)
    watch = Watching(rung_epochs=(2,), stop_after=0)
    lanes(user_spec("regularized"), data, trials, watch, wanted={1})
    assert watch.phases[0] == ("build", 0, 3)


@either
def test_taking_the_best_epoch_keeps_its_weights(data, run):
    spec = make_spec(take_best=True)
    trials = suggestions(
        {"optimizer": "rmsprop", "learning_rate": 0.5, "epochs": 8},
        {"optimizer": "adam", "learning_rate": 3.0, "epochs": 8, "use_ema": True, "ema_momentum": 0.5},
    )
    results = run(spec, data, trials)
    assert any(result.epoch < 8 for result in results.values())
    for result in results.values():
        values = result.curve["val_accuracy"]
        assert (result.value, result.epoch) == (max(values), values.index(max(values)) + 1)
        assert_scored_by_its_weights(data, result)


def test_a_promoted_trial_goes_on_across_a_restart_with_the_curve_of_an_unbroken_one(data, tmp_path):
    runner = CompiledRunner(make_spec(), data, keep_states=True, checkpoints=tmp_path)
    first = train(
        runner, [Suggestion(0, {**ADAM, "epochs": 2}), Suggestion(1, {**ADAM, "optimizer": "sgd", "epochs": 2})]
    )
    runner = CompiledRunner(make_spec(), data, keep_states=True, checkpoints=tmp_path)
    watch = Watching()
    promoted = train(runner, [Suggestion(2, {**ADAM, "epochs": 5}, 1, continues=0)], watch)[2]
    (unbroken,) = fitted(make_spec(), data, suggestions({**ADAM, "epochs": 5})).values()
    assert promoted.epochs == 5
    assert [epoch for _, epoch in watch.epochs] == [3, 4, 5]
    assert promoted.curve["loss"][:2] == first[0].curve["loss"]
    np.testing.assert_allclose(promoted.curve["loss"], unbroken.curve["loss"], rtol=1e-5)
    assert_weights_close(promoted, unbroken)


def test_a_promotion_whose_state_is_lost_trains_from_its_start(data, tmp_path):
    runner = CompiledRunner(make_spec(), data, keep_states=True, checkpoints=tmp_path)
    result = train(runner, [Suggestion(2, ADAM, 1, continues=0)])[2]
    np.testing.assert_allclose(
        result.curve["loss"], fitted(make_spec(), data, suggestions(ADAM))[0].curve["loss"], rtol=1e-5
    )


@either
def test_a_model_that_cannot_be_built_fails_its_trial_alone(data, run):
    trials = suggestions(
        {**ADAM, "model.units": 3}, {**ADAM, "model.units": 4}, {**ADAM, "model.units": 4, "nesterov": True}
    )
    results = run(user_spec("failing"), data, trials)
    assert [results[n].state.value for n in range(3)] == ["FAIL", "COMPLETE", "FAIL"]
    assert "units must be even" in results[0].reason
    assert "Traceback" in results[0].traceback
    assert "nesterov" in results[2].reason


def test_a_program_that_raises_fails_its_lanes_alone(data):
    results = lanes(make_spec(metrics=("accuracy", "mae_of_nothing")), data, suggestions(ADAM))
    assert results[0].state is TrialState.FAIL
    assert "mae_of_nothing" in results[0].reason


def test_predictions_of_a_state_are_those_of_its_weights(data):
    template = Template(make_spec(), make_signature(training_plan(make_spec(), ADAM)), data)
    state = TrainingState(template.trainable, template.other, ())
    expected = template.model.predict(data.validation.x, verbose=0)
    np.testing.assert_allclose(template.predict(state, data.validation.x), expected, rtol=1e-5, atol=1e-6)


def test_a_model_with_nothing_to_train_is_scored_as_fit_does(data):
    assert_as_fit(user_spec("frozen"), data, suggestions({**ADAM, "epochs": 2}, {**ADAM, "epochs": 1}))


def test_only_the_ends_that_a_later_trial_may_continue_stay(data, tmp_path):
    runner = CompiledRunner(make_spec(), data, keep_states=True, checkpoints=tmp_path)
    train(runner, [Suggestion(number, {**ADAM, "epochs": 1}) for number in range(3)])
    (tmp_path / "trial-mine.npz").write_bytes(b"not of a sweep")
    runner.keep_only({1})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trial-1.npz", "trial-mine.npz"]
    assert runner.missing([Suggestion(3, ADAM, 1, continues=0), Suggestion(4, ADAM, 1, continues=1)]) == {0}
