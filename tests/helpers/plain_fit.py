"""What a user's own script would do: seed, build, compile, fit, evaluate. Nothing of keras_sweep is in it."""

from dataclasses import dataclass

import keras
import numpy as np
import pytest

NOT_OF_THE_OPTIMIZER = ("optimizer", "epochs", "batch_size")


@dataclass(frozen=True)
class PlainFit:
    history: dict[str, list[float]]
    weights: list[np.ndarray]
    scores: dict[str, float]  # of `evaluate` on the validation rows, after `fit`


def plain_fit(
    build, data, params, *, loss="sparse_categorical_crossentropy", metrics=("accuracy",), reverse=False, **of_fit
):
    """Train what `build()` returns with seed 42; `reverse` turns each batch around, which reorders its sums.

    Rows that weigh unlike do so in loss and metrics. `of_fit` are further arguments of `fit`.
    """
    keras.utils.set_random_seed(42)
    model = build()
    arguments = {name: value for name, value in params.items() if name not in NOT_OF_THE_OPTIMIZER}
    optimizer = type(keras.optimizers.get(params["optimizer"]))(**arguments)
    weighted = data.train.weights is not None
    model.compile(optimizer=optimizer, loss=loss, **{"weighted_metrics" if weighted else "metrics": list(metrics)})
    if reverse:
        step = model.train_step
        model.train_step = lambda state, batch: step(state, tuple(part[::-1] for part in batch[:2]))
    validation = data.validation.arrays
    size = params.get("batch_size", 32)
    history = model.fit(
        data.train.x,
        data.train.y,
        epochs=params["epochs"],
        batch_size=size,
        sample_weight=data.train.weights,
        validation_data=validation,
        verbose=0,
        **of_fit,
    )
    weights = model.get_weights()
    x, y, *held = validation
    given = {"sample_weight": held[0] if held else None, "batch_size": size, "verbose": 0, "return_dict": True}
    return PlainFit(history.history, weights, model.evaluate(x, y, **given))


def dense():
    return keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(10, activation="softmax")])


def hidden(classes):
    tanh = keras.layers.Dense(4, activation="tanh")
    return keras.Sequential([keras.layers.Input((8,)), tanh, keras.layers.Dense(classes, activation="softmax")])


def outputs(units, activation):
    return keras.Sequential([keras.layers.Input((8,)), keras.layers.Dense(units, activation=activation)])


def identity(features):
    inputs = keras.Input((features,))
    return keras.Model(inputs, keras.layers.Activation("linear")(inputs))


def assert_scored_by_its_weights(data, result):
    """`evaluate` gives a trial's value, and its loss, to a dense model with its weights."""
    model = dense()
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.set_weights(list(result.weights))
    scores = model.evaluate(data.validation.x, data.validation.y, batch_size=32, verbose=0, return_dict=True)
    assert result.value == pytest.approx(scores["accuracy"], abs=1e-6)
    assert result.metrics["val_loss"] == pytest.approx(scores["loss"], rel=1e-5)
