"""The tables of names against the installed Keras, and against the parts of this package that they speak of."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest

from keras_sweep.models.dense import dense
from keras_sweep.space_file.file_model import DENSE_ARGUMENTS
from keras_sweep.space_file.keras_names import (
    ACTIVATIONS,
    LOSSES,
    METRICS,
    METRICS_TO_MAXIMIZE,
    METRICS_TO_MINIMIZE,
    SAME_METRIC,
    TABLES,
)
from keras_sweep.space_file.optimizer_arguments import ARGUMENTS, DEFAULT_OPTIMIZER, OPTIMIZERS, argument
from keras_sweep.space_file.parameter_values import FIT_ARGUMENTS
from keras_sweep.space_file.rules import NumberRule
from keras_sweep.trial.plan import DEFAULT_OPTIMIZER as PLAN_DEFAULT
from keras_sweep.trial.plan import FIT_PARAMETERS
from tests.helpers.keras_tables import FILE, as_text, keras_tables

WRAPPERS = {"lossscaleoptimizer", "multioptimizer", "optimizer", "optimizermap"}
ONLY_BY_CLASS = {"lamb"}  # `keras.optimizers.get` does not know it by name (3.15.1)


def test_the_file_of_tables_is_what_would_be_written_now() -> None:
    written = {**keras_tables(TABLES), "keras": TABLES["keras"]}
    assert written == TABLES
    assert as_text(written) + "\n" == FILE.read_text(encoding="utf-8")


def test_an_argument_that_is_new_in_keras_gets_the_kind_of_its_default() -> None:
    written = keras_tables({})["optimizers"]["sgd"]
    assert written["nesterov"] == {"kind": "bool"}
    assert written["momentum"] == {"kind": "float"}
    assert written["clipnorm"] == {"kind": "float", "null": True}


def test_every_optimizer_of_keras_is_in_the_table() -> None:
    public = {name.lower() for name, item in vars(keras.optimizers).items() if inspect.isclass(item)}
    assert set(OPTIMIZERS) == public - WRAPPERS - ONLY_BY_CLASS


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_takes_exactly_the_arguments_of_the_table(name: str) -> None:
    signature = inspect.signature(type(keras.optimizers.get(name)).__init__).parameters
    assert set(OPTIMIZERS[name]) == set(signature) - {"self", "name", "kwargs", "exclude_layers"}
    for key, rule in OPTIMIZERS[name].items():
        default = signature[key].default
        assert rule.allows(default), (key, default)
        assert rule.kind is bool or not isinstance(default, bool), key
        general = argument(key)
        assert general is not None
        assert general.kind is rule.kind


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_can_be_made_from_the_ends_of_each_argument(name: str) -> None:
    make = type(keras.optimizers.get(name))
    for key, rule in OPTIMIZERS[name].items():
        also = {"use_ema": True} if key.startswith("ema") else {}
        for value in _ends(rule):
            assert rule.allows(value)
            make(**{key: float(value) if rule.kind is float and value is not None else value}, **also)


def _ends(rule: NumberRule) -> list[float | None]:
    if rule.kind is bool:
        return [True, False]
    low = rule.ge if rule.gt is None else rule.gt + 1e-3
    high = rule.le if rule.lt is None else rule.lt - 1e-3
    ends: list[float | None] = [-1.0 if low is None else low, 5.0 if high is None else high]
    if rule.kind is int:
        ends = [round(end) for end in ends if end is not None]
    return [*ends, None] if rule.null else ends


@pytest.mark.parametrize("name", LOSSES)
def test_keras_knows_every_loss(name: str) -> None:
    y = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    labels = np.array([0, 1, 2, 0]) if name == "sparse_categorical_crossentropy" else y
    loss = keras.losses.get(name)
    assert np.isfinite(np.mean(keras.ops.convert_to_numpy(loss(labels, y * 0.8 + 0.1))))


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")  # by Keras's metrics of overlap
def test_keras_logs_every_metric_under_the_name_it_was_given_by() -> None:
    sparse = tuple(name for name in METRICS if name.startswith("sparse"))
    others = tuple(name for name in METRICS if name not in sparse)
    x = np.random.default_rng(0).random((8, 4), dtype=np.float32)
    labels = np.arange(8, dtype=np.int32) % 3
    for names, y, loss in (
        (sparse, labels, "sparse_categorical_crossentropy"),
        (others, np.eye(3, dtype=np.float32)[labels], "categorical_crossentropy"),
    ):
        model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, activation="softmax")])
        model.compile("sgd", loss, metrics=list(names))
        history = model.fit(x, y, validation_data=(x, y), verbose=0).history
        assert set(history) == {key for name in ("loss", *names) for key in (name, f"val_{name}")}


def test_metrics_have_one_direction_and_aliases_have_the_same() -> None:
    assert not set(METRICS_TO_MAXIMIZE) & set(METRICS_TO_MINIMIZE)
    for names in SAME_METRIC:
        assert set(names) <= set(METRICS_TO_MAXIMIZE) or set(names) <= set(METRICS_TO_MINIMIZE)


def test_the_table_of_activations_is_that_of_keras() -> None:
    from keras.src.activations import ALL_OBJECTS_DICT

    assert set(ACTIVATIONS) == set(ALL_OBJECTS_DICT)
    for name in ACTIVATIONS:
        keras.activations.get(name)


def test_the_tables_agree_with_the_parts_they_speak_of() -> None:
    assert DEFAULT_OPTIMIZER == PLAN_DEFAULT
    assert set(FIT_PARAMETERS) == {*FIT_ARGUMENTS, "optimizer"}
    names = tuple(inspect.signature(dense).parameters)
    assert names == ("data", "loss", *DENSE_ARGUMENTS)
    assert not set(ARGUMENTS) & (set(FIT_PARAMETERS) - {"learning_rate"})
