"""Rows of the spaces beside this module."""

import numpy as np


def table(rows=400, columns=20, seed=0):
    """x [N, 20] and y [N] of 0 and 1, which depends on some of them."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(rows, columns)).astype("float32")
    score = np.tanh(x[:, :5].sum(1)) + x @ generator.normal(size=columns) / 3 + generator.normal(0, 0.5, rows)
    return x, (score > 0).astype("int64")
