"""Rows as functions of a user's give them, and a model of several inputs and outputs: scikit-learn's digits."""

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

BATCH = 16


def digits(first, count):
    """Pixels in [0, 1], and the digits."""
    x, y = (array[first : first + count] for array in load_digits(return_X_y=True))
    return (x / 16).astype("float32"), y


def cropped(border, first=0):
    """Digits from one on; so many pixels are cut off at each side of their pictures."""
    x, y = digits(first, 300)
    kept = slice(border, 8 - border)
    return x.reshape(-1, 8, 8)[:, kept, kept].reshape(len(x), -1), y


def weighed():
    """Images of an 8 weigh three times as much, and every fifth row nothing."""
    x, y = digits(0, 800)  # whole batches of 32, in each part
    return {"x": x, "y": y, "sample_weight": np.where(np.arange(len(y)) % 5 == 0, 0.0, np.where(y == 8, 3.0, 1.0))}


class Batches(keras.utils.PyDataset):
    def __init__(self, first, count):
        super().__init__()
        self.x, self.y = digits(first, count)

    def __len__(self):
        return -(-len(self.y) // BATCH)

    def __getitem__(self, batch):
        rows = slice(batch * BATCH, (batch + 1) * BATCH)
        return self.x[rows], self.y[rows]


def batches():
    """Training, validation and test rows, as `fit` would iterate over them."""
    return Batches(0, 128), Batches(128, 64), Batches(192, 64)


def generators():
    """The same; the training rows are a generator that ends after four batches."""
    return (Batches(0, 128)[place] for place in range(4)), Batches(128, 64), Batches(192, 64)


def several_parts():
    """Pixels in two halves; the digit, and how dark its picture is."""
    x, y = digits(0, 800)
    return {
        "x": {"upper": x[:, :32], "lower": x[:, 32:]},
        "y": {"digit": y, "dark": x.mean(axis=1, dtype=np.float32)},
    }


def of_several_parts(units=8):
    """Not compiled."""
    inputs = {name: keras.Input((32,), name=name) for name in ("upper", "lower")}
    hidden = layers.concatenate([layers.Dense(units, "relu")(one) for one in inputs.values()])
    digit, dark = layers.Dense(10, "softmax", name="digit")(hidden), layers.Dense(1, name="dark")(hidden)
    return keras.Model(inputs, {"digit": digit, "dark": dark})
