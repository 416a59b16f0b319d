from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.trial.result import TrialState
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import Watching, suggestions, train


@pytest.fixture(scope="module")
def data():
    return digits()


def run(spec, data, *params, watch=None):
    return list(train(FitRunner(spec, data), suggestions(*params), watch).values())


ADAM = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 3}


def test_a_trial_has_the_numbers_of_fit_and_evaluate(data):
    (result,) = run(make_spec(), data, ADAM)
    keras.utils.set_random_seed(42)
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(10, activation="softmax")])
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=0.01),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    history = model.fit(data.train.x, data.train.y, epochs=3, verbose=0)
    loss, accuracy = model.evaluate(data.validation.x, data.validation.y, verbose=0)
    assert result.state is TrialState.COMPLETE
    assert result.curve["accuracy"] == tuple(history.history["accuracy"])
    assert result.value == accuracy
    assert result.metrics["val_loss"] == pytest.approx(loss, rel=1e-6)
    for kept, trained in zip(result.weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, trained)


def test_the_same_trial_has_the_same_numbers_whatever_ran_before(data):
    first, _, third = run(make_spec(), data, ADAM, {**ADAM, "optimizer": "sgd"}, ADAM)
    assert first.curve == third.curve


def test_only_wanted_trials_are_trained(data):
    watch = Watching()
    trials = suggestions(*3 * [{**ADAM, "epochs": 1}])
    assert list(train(FitRunner(make_spec(), data), trials, watch, wanted={1})) == [1]
    assert watch.epochs == [(1, 1)]


def test_taking_the_best_epoch_keeps_its_weights(data):
    spec = make_spec(take_best=True)
    (result,) = run(spec, data, {"optimizer": "sgd", "learning_rate": 1.9, "epochs": 6})
    values = result.curve["val_accuracy"]
    assert result.value == max(values)
    assert result.epoch == values.index(max(values)) + 1
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(10, activation="softmax")])
    model.compile(loss=spec.loss, metrics=["accuracy"])
    model.set_weights(list(result.weights))
    assert model.evaluate(data.validation.x, data.validation.y, verbose=0)[1] == pytest.approx(result.value)


def test_a_pruned_trial_keeps_its_curve_and_says_where_it_stopped(data):
    (result,) = run(make_spec(), data, {**ADAM, "epochs": 4}, watch=Watching(rung_epochs=(2,), stop_below=2.0))
    assert result.state is TrialState.PRUNED
    assert result.epochs == 2
    assert result.reason == "pruned at epoch 2"
    assert result.value == result.curve["val_accuracy"][-1]


def test_a_trial_that_turns_nan_fails_as_diverged(data):
    objective = Objective("val_loss", Goal.MINIMIZE)
    spec = make_spec(loss="mean_squared_error", metrics=(), objective=objective, model=ModelSpec("dense", "dense"))
    numbers = replace(data, classes=None)
    (result,) = run(spec, numbers, {"optimizer": "sgd", "learning_rate": 1e4, "epochs": 20})
    assert (result.state, result.reason, result.value) == (TrialState.FAIL, "diverged", None)
    assert result.epochs < 20


def test_an_argument_the_optimizer_does_not_take_fails_that_trial_alone(data):
    bad, good = run(make_spec(), data, {**ADAM, "nesterov": True}, ADAM)
    assert bad.state is TrialState.FAIL
    assert "nesterov" in bad.reason
    assert "Traceback" in bad.traceback
    assert good.state is TrialState.COMPLETE


def test_a_request_to_stop_ends_after_the_epoch(data):
    watch = Watching(stop_after=1)
    assert run(make_spec(), data, ADAM, ADAM, watch=watch) == []
    assert watch.epochs == [(0, 1)]


def test_the_accuracy_brings_its_standard_error(data):
    (result,) = run(make_spec(), data, ADAM)
    assert result.stderr == pytest.approx((result.value * (1 - result.value) / 100) ** 0.5)
