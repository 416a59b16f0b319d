"""Digits whose rows weigh unlike."""

import numpy as np
from sklearn.datasets import load_digits


def rows():
    """x, y and what each row weighs: images of an 8 three times, and every fifth row nothing."""
    x, y = (each[:800] for each in load_digits(return_X_y=True))  # whole batches of 32, in each part
    return {
        "x": (x / 16).astype("float32"),
        "y": y,
        "sample_weight": np.where(np.arange(len(y)) % 5 == 0, 0.0, np.where(y == 8, 3.0, 1.0)),
    }
