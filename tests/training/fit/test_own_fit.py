"""Trials that the `fit` of a HyperModel trains."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_sweep.errors import ModelError
from keras_sweep.models.hyper_model import make_hyper_parameters
from keras_sweep.process.user_objects import register_function
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.sweep_spec import EarlyStopping, ModelSpec, Training, UserCallback
from keras_sweep.training.build_trial import build_trained_model
from keras_sweep.training.choose import choose_runner
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.trial.result import TrialState
from tests.helpers import own_callbacks, own_fits
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import FOLDER, Watching, fitted, suggestions
from tests.helpers.own_fits import another, last

LOSS = Objective("val_loss", Goal.MINIMIZE)
GUIDE = {"model.normalize": False, "model.shuffle": True}
SMALL = {"model.units": 8, "model.batch_size": 32, "model.rate": 1e-3, "epochs": 2}
DATA = digits(96, 96)


def own_spec(model, **changes):
    """Of a HyperModel, or of that name in `own_fits`."""
    source = f"own_fits:{model}" if isinstance(model, str) else register_function(model)
    return make_spec((), folder=FOLDER, model=ModelSpec("python", source), **changes)


def trained(name, params=None, watch=None, **changes):
    """One trial, and its spec."""
    spec = own_spec(name, **changes)
    results = fitted(spec, DATA, suggestions({**SMALL, **(params or {})}), watch or Watching())
    return results.get(0), spec


@pytest.mark.full_effort  # with low effort, Keras's own draws have other bits
def test_a_trial_has_the_numbers_that_its_fit_gives_by_hand():
    params = {"model.normalize": True, "model.shuffle": False}
    result, _ = trained("guide", params)
    keras.utils.set_random_seed(42)
    hp = make_hyper_parameters({"units": 8, "batch_size": 32, "normalize": True, "shuffle": False})
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
    model = build_trained_model(spec, result.params, result.weights, DATA)
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


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [("default_objective", another, 0.125), ("my_metric", lambda _: [1.0, 3.0], 2.0)],
    ids=["a number", "a list"],
)
def test_a_number_that_it_returns_joins_the_curve_by_a_name_of_its_own_and_has_no_error(name, value, number):
    result, spec = trained(own_fits.Loop(value), objective=Objective(name, Goal.MINIMIZE))
    np.testing.assert_equal(result.curve[name], (np.nan, number))
    assert (result.value, result.epoch) == (number, 2)
    assert (result.stderr, result.scores, result.rows_value) == (None, None, None)
    assert len(result.weights) == len(build_trained_model(spec, result.params, result.weights, DATA).weights)


@pytest.mark.parametrize("metric", ["val_loss", "val_accuracy", "loss"])
def test_a_number_that_is_not_the_metric_that_ranks_is_told_at_the_first_trial(metric):
    says = (
        "returned the number 0.125, which is not the .* of the model.*Rank by the number: use `metric: {name: default_"
    )
    with pytest.raises(ModelError, match=says):
        trained(own_fits.Loop(another), objective=Objective(metric, Goal.MINIMIZE))


@pytest.mark.parametrize(
    ("value", "says"), [(str, "returned a str that is no metric"), (print, "returned no 'my_metric', and its epochs")]
)
def test_what_can_not_rank_is_told_at_the_first_trial_and_fails_a_later_one(value, says):
    spec = own_spec(own_fits.Loop(value), objective=Objective("my_metric", Goal.MINIMIZE))
    first, later = suggestions(SMALL, SMALL)
    with pytest.raises(ModelError, match=says):
        fitted(spec, DATA, [first])
    result = fitted(spec, DATA, [later])[1]
    assert result.state is TrialState.FAIL and says in result.reason


@pytest.mark.parametrize(
    ("value", "goal"),
    [(min, Goal.MINIMIZE), (last, Goal.MAXIMIZE), (lambda losses: losses[-1] * 1.00001, Goal.MAXIMIZE)],
    ids=["of the best epoch", "of the last", "of its model to rounding"],
)
def test_a_number_that_is_the_metric_that_ranks_has_its_error(value, goal):
    result, _ = trained(own_fits.Loop(value), {"epochs": 3}, objective=replace(LOSS, goal=goal))
    assert result.value == pytest.approx(value(result.curve["val_loss"]), rel=1e-4)
    assert result.stderr > 0 and result.scores.values().mean() == pytest.approx(result.value, rel=1e-4)


def test_a_metric_in_a_dict_has_no_error_where_its_model_scores_something_else():
    """Not even what a penalty on the weights may make of it."""
    result, _ = trained(own_fits.Loop(lambda _: {"val_loss": 123.0}), objective=LOSS)
    assert (result.value, result.curve["val_loss"][-1]) == (123.0, 123.0)
    assert (result.stderr, result.scores, result.rows_value) == (None, None, None)


def test_a_training_metric_that_ranks_has_no_error_of_validation_rows():
    result, _ = trained("guide", GUIDE, objective=Objective("accuracy", Goal.MAXIMIZE))
    assert result.value == max(result.curve["accuracy"]) and result.stderr is None


def test_weights_that_a_callback_of_its_own_sets_back_are_not_those_of_the_best_epoch():
    class Back(own_fits.Guide):
        def fit(self, hp, model, *args, callbacks, **more):
            return super().fit(hp, model, *args, callbacks=[own_callbacks.FirstAtEpoch(), *callbacks], **more)

    result, spec = trained(Back(), {**GUIDE, "epochs": 4})
    assert result.epoch == 3
    scores = build_trained_model(spec, result.params, result.weights, DATA).evaluate(*DATA.validation.arrays, verbose=0)
    assert scores[1] == pytest.approx(result.value)


def test_a_callback_of_the_sweep_is_told_of_the_trial():
    callbacks = (UserCallback(own_callbacks.telling(told := [])),)
    trained("guide", GUIDE, training=Training(callbacks=callbacks))
    assert [(trial.name, trial.params["model.units"]) for trial in told] == [("trial-0", SMALL["model.units"])]


def test_what_it_asks_for_and_no_trial_searches_is_told():
    result, _ = trained("late", {"epochs": 1}, objective=LOSS)
    assert result.state is TrialState.FAIL
    assert "`fit` asks for 'late' after training began, too late for the search" in result.reason


def test_it_trains_by_fit_and_says_why():
    runner, why = choose_runner(own_spec("guide"), DATA, None)
    assert type(runner) is FitRunner
    assert why == "trials train one by one with `fit`: the HyperModel has its own `fit`"
