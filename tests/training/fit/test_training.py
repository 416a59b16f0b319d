"""A trial is scored by the weights that `fit` leaves, which a callback of the user's may have set."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_sweep.data.catalog import load_search_data
from keras_sweep.space.sweep_spec import ModelSpec, Training, UserCallback
from keras_sweep.training.build_trial import build_trained_model
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.fit.training import SET_LATER
from keras_sweep.training.workers.pool import ExecutorPool
from keras_sweep.trial.result import TrialState
from tests.helpers import own_callbacks
from tests.helpers.factory import make_spec
from tests.helpers.lane_trials import Watching, assert_same_bits, fitted, suggestions, train
from tests.helpers.plain_fit import dense, plain_fit

ADAM = {"optimizer": "adam", "learning_rate": 0.05, "epochs": 3}
HELPERS = Path(own_callbacks.__file__).parent


def spec_of(name, **changes):
    return make_spec(folder=HELPERS, training=Training(callbacks=(UserCallback(f"own_callbacks:{name}"),)), **changes)


def evaluated(spec, result, data):
    """The score of a trial's weights on the validation rows."""
    model = build_trained_model(spec, result.params, result.weights, data)
    return model.evaluate(data.validation.x, data.validation.y, verbose=0, return_dict=True)["accuracy"]


@pytest.mark.parametrize("name", ["first_at_end", "first_at_epoch", "averaged"])
@pytest.mark.full_effort  # with low effort, Keras's own draws have other bits
def test_weights_that_a_callback_sets_at_the_end_are_scored_and_kept(data, name):
    params = {**ADAM, "epochs": 5 if name == "first_at_epoch" else 3}
    expected = plain_fit(dense, data, params, callbacks=[getattr(own_callbacks, name)()])
    result = fitted(spec_of(name), data, suggestions(params))[0]
    assert (result.value, result.epoch, result.reason) == (expected.scores["accuracy"], 3, SET_LATER)
    assert result.metrics["val_loss"] == expected.scores["loss"]
    assert result.scores is not None and result.scores.values().mean() == pytest.approx(result.value)
    assert result.curve["val_accuracy"] == (*expected.history["val_accuracy"][:2], result.value)
    for kept, left in zip(result.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(kept, left)


@pytest.mark.parametrize("more", [{}, {"use_ema": True, "ema_momentum": 0.5}], ids=["plain", "averaged weights"])
def test_a_callback_that_sets_none_changes_nothing(data, more):
    trials = suggestions({**ADAM, **more})
    result, alone = fitted(spec_of("nothing"), data, trials), fitted(make_spec(), data, trials)
    assert_same_bits(result, alone)
    assert result[0].reason is None


def test_averages_that_keras_own_callback_swaps_out_for_validation_are_scored_where_fit_leaves_them(data):
    spec = spec_of("swapped")
    result = fitted(spec, data, suggestions({**ADAM, "use_ema": True, "ema_momentum": 0.9}))[0]
    assert result.value == pytest.approx(evaluated(spec, result, data))
    assert result.reason == SET_LATER


def test_of_the_best_epoch_the_weights_are_kept_that_it_was_validated_with(data):
    """Also where a callback sets others before its end."""
    spec = spec_of("first_at_epoch", take_best=True)
    result = fitted(spec, data, suggestions({**ADAM, "epochs": 4}))[0]
    assert (result.epoch, result.reason) == (3, None)
    assert result.value == max(result.curve["val_accuracy"]) == evaluated(spec, result, data)


@pytest.mark.parametrize("name", ["first_at_end", "averaged"])
def test_a_trial_of_a_worker_has_the_same_bits_stopped_at_a_rung_or_not(threads, name):
    spec, trials = spec_of(name), suggestions(ADAM)
    rows = load_search_data(spec)
    for below, state in ((-1.0, TrialState.COMPLETE), (2.0, TrialState.PRUNED)):
        there, here = (Watching(rung_epochs=(2,), stop_below=below) for _ in range(2))
        results = train(FitRunner(spec, rows, workers=ExecutorPool(threads)), trials, there)
        assert_same_bits(results, train(FitRunner(spec, rows), trials, here))
        assert there.rungs_called == here.rungs_called
        assert results[0].state is state and results[0].value == evaluated(spec, results[0], rows)
        assert results[0].reason == (SET_LATER if state is TrialState.COMPLETE else "pruned at epoch 2")


@pytest.mark.parametrize(("name", "epochs"), [("averaged", 3), ("in_folds", 2)])
def test_in_folds_each_is_scored_by_the_weights_that_it_left(in_folds, name, epochs):
    """Callbacks may stop folds at unlike epochs."""
    result = fitted(spec_of(name), in_folds(), suggestions(ADAM))[0]
    assert (result.epochs, result.reason) == (epochs, SET_LATER)
    assert result.rows_value is None and result.scores.values().mean() == pytest.approx(result.value)


def test_a_trial_whose_code_raises_in_a_fold_fails_and_says_in_which(in_folds):
    result = fitted(spec_of("absent"), in_folds(), suggestions(ADAM))[0]
    assert result.state is TrialState.FAIL and result.reason.startswith("fold 1 of 2: ")


def telling(told):
    return make_spec(training=Training(callbacks=(UserCallback(own_callbacks.telling(told)),)))


def test_a_callback_that_takes_trial_is_told_which_training_it_is_for(data, in_folds):
    spec, (trial, other) = telling(told := []), suggestions(ADAM, {**ADAM, "learning_rate": 0.1})
    finalist = replace(trial, number=0, params={**ADAM, "seed": 43}, recipe=7)
    fitted(spec, data, [trial, other])
    fitted(spec, data, [finalist])
    fitted(spec, in_folds(), [other])
    fitted(spec, replace(data, train=data.validation), [other])
    assert [(told_of.number, told_of.name) for told_of in told] == [
        (0, "trial-0"),
        (1, "trial-1"),
        (7, "trial-7-seed-43"),
        (1, "trial-1-fold-1"),
        (1, "trial-1-fold-2"),
        (1, "trial-1-all-rows"),
    ]
    assert [told_of.params for told_of in told[:3]] == [trial.params, other.params, finalist.params]
    with pytest.raises(TypeError):
        told[0].params["learning_rate"] = 1.0


def test_a_worker_tells_it_too(threads, tmp_path):
    shutil.copy(own_callbacks.__file__, tmp_path)
    spec, trials = replace(spec_of("csv"), folder=tmp_path), suggestions(ADAM, ADAM)
    results = train(FitRunner(spec, load_search_data(spec), workers=ExecutorPool(threads)), trials)
    for number, result in results.items():
        with (tmp_path / f"logs/trial-{number}.csv").open() as file:
            values = [float(row["val_accuracy"]) for row in csv.DictReader(file)]
        assert values == pytest.approx(result.curve["val_accuracy"])


class Restoring(keras.Sequential):
    """Its own `fit` sets back the weights that it began with."""

    def fit(self, *args, **more):
        before = self.get_weights()
        history = super().fit(*args, **more)
        self.set_weights(before)
        return history


def restoring(input_shape, classes):
    return Restoring([keras.layers.Input(input_shape), keras.layers.Dense(classes, activation="softmax")])


def test_a_model_whose_own_fit_sets_weights_is_scored_by_them(data):
    spec = make_spec(folder=Path(__file__).parent, model=ModelSpec("python", f"{Path(__file__).stem}:restoring"))
    result = fitted(spec, data, suggestions(ADAM))[0]
    assert result.value == evaluated(spec, result, data) < result.curve["val_accuracy"][0]
    assert (result.epoch, result.reason) == (3, SET_LATER)
