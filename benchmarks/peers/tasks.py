"""The tasks that every peer trains, each as a user would write it: rows, parameters, and the model of one trial.

`params` asks an `hp` like KerasTuner's for each value; a parameter has the name that it has in the space file. What is not
asked for has the default of Keras. Imports no keras-sweep.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SPACES = HERE.parent / "spaces"
EXAMPLES = HERE.parent.parent / "search_spaces"


@dataclass(frozen=True)
class Task:
    """A search space and what it trains on."""

    rows: Callable[[Path | None], tuple]  # folder of Fashion-MNIST -> x_train, y_train, x_validation, y_validation
    params: Callable[[Any], dict]  # hp -> the trial's parameters
    model: Callable[[Mapping[str, Any]], Any]  # parameters -> the uncompiled model
    loss: str = "sparse_categorical_crossentropy"


def fashion_mnist(folder: Path | None) -> tuple:
    """48,000 and 12,000 rows of 784 float32."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    assert folder is not None
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)
    with gzip.open(folder / "train-labels-idx1-ubyte.gz") as file:
        y = np.frombuffer(file.read(), np.uint8, offset=8)
    x = (x / 255.0).astype("float32")
    x_train, x_validation, y_train, y_validation = train_test_split(x, y, test_size=0.2, random_state=42)
    return x_train, y_train, x_validation, y_validation


def table(folder: Path | None) -> tuple:
    """256 and 64 rows of 20 float32; 80 more are left for a test."""
    sys.path.append(str(SPACES))
    from rows import table as rows

    return _split(*rows())


def digits(folder: Path | None) -> tuple:
    """1,149 and 288 rows of 64 pixels; 360 more are left for a test."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return _split((x / 16.0).astype("float32"), y)


def _split(x: Any, y: Any) -> tuple:
    from sklearn.model_selection import train_test_split

    x, _, y, _ = train_test_split(x, y, test_size=0.2, random_state=42)
    x_train, x_validation, y_train, y_validation = train_test_split(x, y, test_size=0.2, random_state=42)
    return x_train, y_train, x_validation, y_validation


def dense_params(hp: Any) -> dict:
    """search_spaces/dense.yaml."""
    return {
        "optimizer": hp.Choice("optimizer", ["sgd", "rmsprop", "adam"]),
        "learning_rate": hp.Float("learning_rate", 1e-4, 1.0, sampling="log"),
        "epochs": hp.Int("epochs", 1, 20),
    }


def dense_model(params: Mapping[str, Any]) -> Any:
    """One layer on pictures."""
    import keras

    return keras.Sequential([keras.layers.Input((784,)), keras.layers.Dense(10, activation="softmax")])


def mlp_params(hp: Any) -> dict:
    """spaces/mlp.yaml."""
    return {
        "optimizer": hp.Choice("optimizer", ["sgd", "adam"]),
        "learning_rate": hp.Float("learning_rate", 1e-4, 1e-1, sampling="log"),
        "model.dropout": hp.Float("model.dropout", 0.1, 0.5),
        "epochs": hp.Int("epochs", 1, 4),
    }


def mlp_model(params: Mapping[str, Any]) -> Any:
    """784-128-10."""
    import keras

    return keras.Sequential(
        [
            keras.layers.Input((784,)),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dropout(params["model.dropout"]),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def table_params(hp: Any) -> dict:
    """spaces/table.yaml."""
    return {
        "optimizer": hp.Choice("optimizer", ["sgd", "adam"]),
        "learning_rate": hp.Float("learning_rate", 1e-3, 1e-1, sampling="log"),
        "model.hidden": hp.Int("model.hidden", 8, 64),
        "model.hidden_activation": hp.Choice("model.hidden_activation", ["relu", "tanh"]),
        "model.dropout": hp.Float("model.dropout", 0.0, 0.5),
        "model.l2": hp.Float("model.l2", 1e-6, 1e-2, sampling="log"),
        "batch_size": hp.Choice("batch_size", [16, 32, 64]),
        "epochs": hp.Int("epochs", 5, 30),
    }


def table_model(params: Mapping[str, Any]) -> Any:
    """One hidden layer on a table."""
    import keras

    penalty = keras.regularizers.L2(params["model.l2"])
    hidden = keras.layers.Dense(
        params["model.hidden"], activation=params["model.hidden_activation"], kernel_regularizer=penalty
    )
    return keras.Sequential(
        [
            keras.layers.Input((20,)),
            hidden,
            keras.layers.Dropout(params["model.dropout"]),
            keras.layers.Dense(1, activation="sigmoid", kernel_regularizer=penalty),
        ]
    )


def deep_table_params(hp: Any) -> dict:
    """spaces/deep_table.yaml and the parameters of its HyperModel."""
    params = {
        "learning_rate": hp.Float("learning_rate", 1e-3, 1e-1, sampling="log"),
        "model.activation": hp.Choice("model.activation", ["relu", "tanh"]),
        "model.layers": hp.Int("model.layers", 1, 3),
        "epochs": hp.Int("epochs", 5, 30),
    }
    for index in range(params["model.layers"]):
        width, rate = f"model.units_{index}", f"model.dropout_{index}"
        params[width] = hp.Int(width, 8, 64, step=8)
        params[rate] = hp.Float(rate, 0.1, 0.5)
    return params


def deep_table_model(params: Mapping[str, Any]) -> Any:
    """One to three hidden layers on a table."""
    import keras

    layers = [keras.layers.Input((20,))]
    for index in range(params["model.layers"]):
        layers.append(keras.layers.Dense(params[f"model.units_{index}"], activation=params["model.activation"]))
        layers.append(keras.layers.Dropout(params[f"model.dropout_{index}"]))
    layers.append(keras.layers.Dense(1, activation="sigmoid"))
    return keras.Sequential(layers)


def cnn_params(hp: Any) -> dict:
    """search_spaces/cnn.yaml."""
    return {
        "optimizer": hp.Choice("optimizer", ["sgd", "adam"]),
        "learning_rate": hp.Float("learning_rate", 1e-3, 1e-1, sampling="log"),
        "model.filters": hp.Choice("model.filters", [4, 8]),
        "epochs": hp.Int("epochs", 2, 8),
    }


def cnn_model(params: Mapping[str, Any]) -> Any:
    """The convolutional network of the examples."""
    sys.path.append(str(EXAMPLES))
    from own_models import cnn

    return cnn((64,), 10, params["model.filters"], "relu")


TASKS: Mapping[str, Task] = {
    "dense": Task(fashion_mnist, dense_params, dense_model),
    "mlp": Task(fashion_mnist, mlp_params, mlp_model),
    "table": Task(table, table_params, table_model, loss="binary_crossentropy"),
    "deep_table": Task(table, deep_table_params, deep_table_model, loss="binary_crossentropy"),
    "cnn": Task(digits, cnn_params, cnn_model),
}
