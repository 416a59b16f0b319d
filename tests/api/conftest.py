"""One finished sweep of a Spec with arrays and a function, shared by the tests that read it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.trial.events import Event


def build(units: int = 16, input_shape: tuple[int, ...] = (), classes: int = 0) -> Any:
    """A small classifier, as a notebook would define it."""
    import keras

    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )


def digits_arrays() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """(x, y), (x_test, y_test) of scikit-learn's digits."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    return (x[:600], y[:600]), (x[600:800], y[600:800])


def digits_spec(**changes: Any) -> ks.Spec:
    """A search over the small classifier."""
    fields: dict[str, Any] = {
        "data": digits_arrays(),
        "model": build,
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        "maximize": "val_accuracy",
        "parameters": {
            "optimizer": ["sgd", "adam"],
            "learning_rate": ks.Float(1e-3, 1.0, log=True),
            "momentum": ks.Float(0.0, 0.9, when={"optimizer": "sgd"}),
            "epochs": ks.Int(1, 3),
            "model.units": 8,
        },
        "search": ks.Optuna("tpe", trials=5, seed=42),
    }
    return ks.Spec(**{**fields, **changes})


def run_digits(
    folder: Path, *, listener: Any = lambda event: None, trials: int | None = None, **changes: Any
) -> ks.Sweep:
    """Run a sweep `mine` of `digits_spec` in a folder."""
    return ks.run(digits_spec(**changes), name="mine", sweeps_dir=folder, trials=trials, listener=listener)


@pytest.fixture(scope="session")
def events() -> list[Event]:
    """What the listener of `finished` heard."""
    return []


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> ks.Sweep:
    return run_digits(tmp_path_factory.mktemp("api"), listener=events.append)
