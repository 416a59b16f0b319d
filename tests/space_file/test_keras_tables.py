"""The tables of names against the installed Keras, and against the parts of this package that they speak of."""

import inspect
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pytest

from keras_sweep.models.build import dense
from keras_sweep.space_file.keras_tables import ARGUMENTS, METRICS, OPTIMIZERS, TABLES
from keras_sweep.space_file.parameters import FIT_ARGUMENTS
from keras_sweep.space_file.sections import DENSE_ARGUMENTS
from keras_sweep.trial.plan import FIT_PARAMETERS
from tests.helpers.keras_tables import FILE, as_text, keras_tables

RULES = TABLES["optimizer_arguments"]
REFUSED = {("adamw", "weight_decay", None), ("lion", "beta_1", 0)}  # a rule is of an argument, whatever the optimizer


def test_the_file_of_tables_is_what_would_be_written_now() -> None:
    written = {**keras_tables(TABLES), "keras": TABLES["keras"]}
    assert written == TABLES
    assert as_text(written) + "\n" == FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_can_be_made_from_the_default_and_the_ends_of_each_argument(name: str) -> None:
    make = type(keras.optimizers.get(name))
    signature = inspect.signature(make.__init__).parameters
    for key in OPTIMIZERS[name]:
        rule, default = RULES[key], signature[key].default
        ARGUMENTS[key].validate_python(default)
        assert rule["kind"] == "bool" or not isinstance(default, bool), key
        also = {"use_ema": True} if key.startswith("ema") else {}
        for value in _ends(rule):
            ARGUMENTS[key].validate_python(value)
            if (name, key, value) not in REFUSED:
                make(**{key: float(value) if rule["kind"] == "float" and value is not None else value}, **also)


def _ends(rule: Mapping[str, Any]) -> list[float | None]:
    if rule["kind"] == "bool":
        return [True, False]
    low = rule["gt"] + 1e-3 if "gt" in rule else rule.get("ge", -1.0)
    high = rule["lt"] - 1e-3 if "lt" in rule else rule.get("le", 5.0)
    ends = [round(end) for end in (low, high)] if rule["kind"] == "int" else [low, high]
    return [*ends, None] if rule.get("null") else ends


@pytest.mark.soak
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


def test_the_tables_agree_with_the_parts_they_speak_of() -> None:
    assert set(FIT_PARAMETERS) == {*FIT_ARGUMENTS, "optimizer"}
    names = tuple(inspect.signature(dense).parameters)
    assert names == ("data", "loss", "loss_arguments", *DENSE_ARGUMENTS)
    assert not set(ARGUMENTS) & (set(FIT_PARAMETERS) - {"learning_rate"})
