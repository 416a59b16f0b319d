"""Trials that the `fit` of a HyperModel trains."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_sweep.models.hyper_model import asking
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.sweep_spec import EarlyStopping, ModelSpec, Training
from keras_sweep.sweep.winner import trained_model
from keras_sweep.training.choose import choose_runner
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.trial.result import TrialState
from tests.helpers import own_fits
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import FOLDER, Watching, fitted, suggestions

LOSS = Objective("val_loss", Goal.MINIMIZE)
SMALL = {"model.units": 8, "model.batch_size": 32, "model.rate": 1e-3, "epochs": 2}
DATA = digits(96, 96)


def own_spec(name, **changes):
    return make_spec((), folder=FOLDER, model=ModelSpec("python", f"own_fits:{name}"), **changes)


def trained(name, params=None, watch=None, **changes):
    """One trial, and its spec."""
    spec = own_spec(name, **changes)
    results = fitted(spec, DATA, suggestions({**SMALL, **(params or {})}), watch or Watching())
    return results.get(0), spec


def test_a_trial_has_the_numbers_that_its_fit_gives_by_hand():
    params = {"model.normalize": True, "model.shuffle": False}
    result, _ = trained("guide", params)
    keras.utils.set_random_seed(42)
    hp = asking({"units": 8, "batch_size": 32, "normalize": True, "shuffle": False})
    model = own_fits.guide.build(hp)
    optimizer = keras.optimizers.Adam(0.01)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    rows = (DATA.validation.x, DATA.validation.y)
    log = own_fits.guide.fit(hp, model, DATA.train.x, DATA.train.y, epochs=2, validation_data=rows, verbose=0)
    assert dict(result.curve) == {name: tuple(values) for name, values in log.history.items()}
    assert result.value == max(log.history["val_accuracy"])
    assert result.stderr is not None


def test_phases_are_one_curve_whose_best_epoch_counts():
    result, spec = trained("phases")
    assert len(result.curve["val_accuracy"]) == 4
    assert result.value == max(result.curve["val_accuracy"])
    model = trained_model(spec, result, result.weights, DATA)
    assert model.evaluate(DATA.validation.x, DATA.validation.y, verbose=0)[1] == pytest.approx(result.value)


def test_a_phase_stops_early_for_itself():
    stopping = Training(early_stopping=EarlyStopping(patience=1, min_delta=10.0, mode="min"))
    result, _ = trained("phases", {"epochs": 5}, training=stopping)
    assert len(result.curve["val_accuracy"]) == 4  # two of each


def test_what_trains_on_after_a_rung_stopped_it_does_not_count():
    watch = Watching(rung_epochs=(1,), stop_below=2.0)
    result, _ = trained("phases", {"epochs": 3}, watch)
    assert (result.state, result.epochs, result.reason) == (TrialState.PRUNED, 1, "pruned at epoch 1")
    assert len(watch.epochs) == 1


def test_a_loop_that_tells_of_its_epochs_is_stopped_or_counts_by_its_best_one():
    result, _ = trained("best_of_loop", objective=LOSS)
    assert result.curve.keys() == {"val_loss"} and result.epochs == 2
    assert result.value == min(result.curve["val_loss"])
    assert trained("best_of_loop", watch=Watching(stop_after=1), objective=LOSS)[0] is None


def test_a_number_that_it_returns_stands_in_its_last_epoch():
    result, spec = trained("other_of_loop", objective=LOSS)
    first, last = result.curve["val_loss"]
    assert (result.value, last, result.epoch) == (0.125, 0.125, 2) and first > 1
    assert len(result.weights) == len(trained_model(spec, result, result.weights, DATA).weights)
    worse, _ = trained("last_of_loop", {"epochs": 3}, objective=replace(LOSS, goal=Goal.MAXIMIZE))
    assert worse.value == worse.curve["val_loss"][-1] < worse.curve["val_loss"][0]


def test_another_metric_that_is_returned_joins_the_curve():
    watched = Objective("my_metric", Goal.MINIMIZE)
    result, _ = trained("other_of_loop", objective=watched)
    np.testing.assert_equal(result.curve["my_metric"], (np.nan, 0.125))
    assert result.value == 0.125 and result.stderr is None
    result, _ = trained("guide", {"model.normalize": False, "model.shuffle": True}, objective=watched)
    assert result.state is TrialState.FAIL and "'my_metric' was not logged" in result.reason


def test_what_it_asks_for_and_no_trial_searches_is_told():
    result, _ = trained("late", {"epochs": 1}, objective=LOSS)
    assert result.state is TrialState.FAIL
    assert "`fit` asked for 'late' only once it trained, which no trial was to search" in result.reason


def test_it_trains_by_fit_and_says_why():
    runner, why = choose_runner(own_spec("guide"), DATA, None)
    assert type(runner) is FitRunner
    assert why == "trials train one by one with plain fit, since the HyperModel has a `fit` of its own"
