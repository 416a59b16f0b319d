"""A model of two inputs and two outputs, and its rows."""

import keras
import numpy as np
from keras import layers


def rows():
    """Pixels in two halves; the digit, and how dark its picture is."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = (x[:800] / 16).astype("float32")  # whole batches of 32, in each part
    return {
        "x": {"upper": x[:, :32], "lower": x[:, 32:]},
        "y": {"digit": y[:800], "dark": x.mean(axis=1, dtype=np.float32)},
    }


def build(units=8):
    """Not compiled."""
    inputs = {name: keras.Input((32,), name=name) for name in ("upper", "lower")}
    hidden = layers.concatenate([layers.Dense(units, "relu")(one) for one in inputs.values()])
    digit, dark = layers.Dense(10, "softmax", name="digit")(hidden), layers.Dense(1, name="dark")(hidden)
    return keras.Model(inputs, {"digit": digit, "dark": dark})
