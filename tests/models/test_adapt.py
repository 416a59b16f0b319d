"""Layers that learn from training rows by `adapt` before a trial trains."""

from typing import Any

import keras
import numpy as np
import pytest

from keras_sweep.errors import ModelError
from keras_sweep.models.build import build_model
from keras_sweep.process.user_objects import register_function
from keras_sweep.space.sweep_spec import ModelSpec, Training
from tests.helpers.factory import digits, make_spec


def scaled() -> Any:
    return keras.Sequential([keras.Input((64,)), keras.layers.Normalization(), keras.layers.Dense(10, "softmax")])


def plain() -> Any:
    return keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, "softmax")])


def built(build: Any, data: Any) -> Any:
    spec = make_spec(model=ModelSpec("python", register_function(build)), training=Training(adapt=True))
    return build_model(spec, {}, data)


def test_a_layer_knows_training_rows_alone() -> None:
    data = digits()
    model = built(scaled, data)
    assert np.ravel(model.layers[0].mean) == pytest.approx(data.train.x.mean(axis=0), abs=1e-5)


def test_a_layer_that_was_given_what_it_would_learn_keeps_it() -> None:
    def partly() -> Any:
        given = keras.layers.Normalization(mean=1.0, variance=4.0)
        return keras.Sequential([keras.Input((64,)), given, keras.layers.Normalization(), keras.layers.Dense(10)])

    data = digits()
    first, second, _ = built(partly, data).layers
    assert np.ravel(first.mean) == pytest.approx(1.0)
    assert np.ravel(second.mean) == pytest.approx(data.train.x.mean(axis=0), abs=1e-5)  # of rows as they are


def test_a_model_that_has_no_such_layer_is_told() -> None:
    with pytest.raises(ModelError, match="`adapt` needs a layer that learns from training rows"):
        built(plain, digits())
