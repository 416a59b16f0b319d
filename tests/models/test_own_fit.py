"""A `fit` of a HyperModel's own: what it is called with, what it may return, and what it asks for before the search."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
from keras_tuner.src.engine.tuner_utils import convert_to_metrics_dict

from keras_sweep.errors import ModelError
from keras_sweep.models.build import make_builder
from keras_sweep.models.hyper_model import call_fit, explore_space, parse_fit_result
from keras_sweep.space.distributions import Categorical, Float
from keras_sweep.space.search_space import Condition, Goal, Objective, Parameter
from tests.helpers import own_fits
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import with_weights

DATA = digits(64, 32)
LOSS = Objective("val_loss", Goal.MINIMIZE)
GIVEN = {"epochs": 3, "verbose": 0, "callbacks": ["ours"]}


class Fitting(keras_tuner.HyperModel):  # type: ignore[misc]
    """Its `fit` is given, and its model is none that takes long."""

    def __init__(self, fit: Any) -> None:
        super().__init__()
        self._own = fit

    def build(self, hp: Any) -> Any:
        units = hp.Choice("units", [4, 8])
        model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(units), keras.layers.Dense(10)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    def fit(self, hp: Any, model: Any, *args: Any, **more: Any) -> Any:
        return self._own(hp, model, *args, **more)


def called_with(fit: Any, *, begun: bool = False, **given: Any) -> Any:
    return call_fit(fit, DATA.train, DATA.validation, begun=lambda: begun, **{**GIVEN, **given})


def keras_fit(x: Any, y: Any, epochs: int = 1, **more: Any) -> Any:
    """What it was called with, as the `fit` of a model is."""
    return {"epochs": epochs, **more}


def test_it_is_called_as_keras_tuner_calls_it() -> None:
    found = called_with(lambda *args, **more: (args, more))
    (x, y), more = found
    assert x is DATA.train.x and y is DATA.train.y
    assert more.pop("validation_data") == (DATA.validation.x, DATA.validation.y)
    assert more == GIVEN


def test_rows_that_weigh_unlike_are_given_with_their_weights_or_refused() -> None:
    data = with_weights(DATA)

    def call(fit: Any) -> Any:
        return call_fit(fit, data.train, data.validation, begun=lambda: False)

    more = call(lambda *args, **more: more)
    assert more["sample_weight"] is data.train.weights and more["validation_data"] == data.validation.arrays
    with pytest.raises(ModelError, match="the model's `fit` takes no `sample_weight`"):
        call(lambda x, y, validation_data: None)


def test_what_it_does_not_take_is_left_out() -> None:
    found = called_with(lambda x, y, validation_data, callbacks=None: callbacks)
    assert found == ["ours"]


def test_an_argument_that_it_gives_itself_is_its_own() -> None:
    found = called_with(lambda *args, **more: keras_fit(*args, epochs=2, verbose=1, **more))
    assert (found["epochs"], found["verbose"], found["callbacks"]) == (2, 1, ["ours"])


@pytest.mark.parametrize("begun", [False, True])
def test_callbacks_of_its_own_alone_or_a_second_phase_that_fails_raise(begun: bool) -> None:
    own = {"epochs": 2} if begun else {"callbacks": []}
    with pytest.raises(TypeError, match="multiple values"):
        called_with(lambda *args, **more: keras_fit(*args, **own, **more), begun=begun)


def history(losses: list[float]) -> Any:
    """What `model.fit` returns of such epochs, which are counted from 1."""
    found = keras.callbacks.History()
    found.history = {"val_loss": losses, "epoch": [float(epoch) for epoch in range(1, len(losses) + 1)]}
    return found


@pytest.mark.parametrize(
    ("found", "metrics"),
    [
        (0.25, {"default_objective": 0.25}),
        (np.float32(0.25), {"default_objective": 0.25}),
        ({"val_loss": 1, "auc": 0.5}, {"val_loss": 1.0, "auc": 0.5}),
        (keras.callbacks.History(), {}),
        (None, {}),
        ([0.25, 0.75, 2.0], {"default_objective": 1.0}),
        ([{"val_loss": 1, "auc": 0.5}, {"val_loss": 2}], {"val_loss": 1.5, "auc": 0.5}),
        ([history([3.0, 1.0, 2.0]), history([2.0, 4.0])], {"val_loss": 1.5, "epoch": 1.5}),
    ],
    ids=["a number", "of NumPy", "metrics", "what model.fit returns", "nothing", "numbers", "dicts", "histories"],
)
def test_what_it_may_return(found: Any, metrics: dict[str, float]) -> None:
    """As KerasTuner has it, whose own function gives the same."""
    assert parse_fit_result(found, LOSS) == metrics
    if metrics:
        objective = keras_tuner.Objective("default_objective" if "default_objective" in metrics else "val_loss", "min")
        assert convert_to_metrics_dict(found, objective) == metrics


def test_of_a_metric_that_is_maximized_the_best_epoch_is_the_largest() -> None:
    assert parse_fit_result([history([3.0, 1.0])], replace(LOSS, goal=Goal.MAXIMIZE)) == {"val_loss": 3.0, "epoch": 1.0}


def test_what_is_no_metric_is_refused_in_one_sentence() -> None:
    with pytest.raises(ModelError, match=r"`fit` returned a tuple that is no metric: .*Return a number, a dict of"):
        parse_fit_result((1, 2), LOSS)
    with pytest.raises(ModelError, match="`fit` returned a list that is no metric"):
        parse_fit_result([], LOSS)


def explored(model: Any) -> dict[str, Parameter]:
    """What a HyperModel asks for, or one that has this `fit`."""
    found = model if isinstance(model, keras_tuner.HyperModel) else Fitting(model)
    spec = explore_space(make_spec((), constants={}), *make_builder(found, Path(), DATA.input_shape, 10), DATA)
    return {one.name.removeprefix("model."): one for one in spec.space.parameters}


def phases(hp: Any, model: Any, *args: Any, **more: Any) -> Any:
    model.fit(*args, batch_size=hp.Choice("batch_size", [16, 32]), **more)
    if hp.Boolean("tune"):
        model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-3, 1e-1, sampling="log")), model.loss)
        model.fit(*args, **more)
    return model.evaluate(*more["validation_data"], verbose=0)


def in_an_epoch(hp: Any, model: Any, *args: Any, epochs: int, **more: Any) -> None:
    for _ in range(epochs):
        hp.Choice("batch_size", [16, 32])


def test_what_phases_ask_for_is_a_parameter_with_its_condition() -> None:
    found = explored(phases)
    assert list(found) == ["units", "batch_size", "tune", "rate"]
    assert found["batch_size"].distribution == Categorical((16, 32))
    assert found["rate"].distribution == Float(1e-3, 1e-1, log=True)
    assert found["rate"].when == (Condition("model.tune", (True,)),)


def test_a_model_that_only_the_space_compiles_reaches_its_second_phase_too() -> None:
    assert list(explored(own_fits.phases)) == ["units", "rate"]


def test_what_is_asked_for_in_an_epoch_is_a_parameter() -> None:
    assert list(explored(in_an_epoch)) == ["units", "batch_size"]


def test_a_loop_without_end_is_left_and_what_raises_is_for_the_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keras_sweep.models.hyper_model.MOST_SECONDS", 0.0)

    def endless(hp: Any, model: Any, *args: Any, **more: Any) -> None:
        rate = hp.Float("rate", 0.1, 0.2)
        while True:
            for callback in more["callbacks"]:
                callback.on_epoch_end(0, {"val_loss": rate})

    def raising(hp: Any, model: Any, *args: Any, **more: Any) -> None:
        hp.Boolean("shuffle")
        raise SystemExit

    assert list(explored(endless)) == ["units", "rate"]
    assert list(explored(raising)) == ["units", "shuffle"]


def test_it_is_called_with_the_hyperparameters_that_built_the_model() -> None:
    """So that a scope of one that `build` asked for can be opened in it."""

    def scoped(hp: Any, model: Any, *args: Any, **more: Any) -> None:
        with hp.conditional_scope("units", [8]):
            hp.Boolean("shuffle")

    assert explored(scoped)["shuffle"].when == (Condition("model.units", (8,)),)
