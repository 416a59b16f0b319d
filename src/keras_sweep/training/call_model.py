"""A model's outputs on rows, by calling it."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_sweep.data.search_data import Array

ROWS = 1024  # at once


def called(model: Any, x: Array) -> Array:
    """[N, ...] outputs on [N, ...] rows as `evaluate` has them. `predict` would first compile, for this once."""
    import keras

    try:
        parts = [model(x[start : start + ROWS], training=False) for start in range(0, len(x), ROWS)]
        return np.concatenate([np.asarray(keras.ops.convert_to_numpy(part)) for part in parts])
    except Exception:  # a layer that works in a compiled program alone
        return predicted(model, x)


def predicted(model: Any, x: Array) -> Array:
    """The same by a compiled program, whose last digits may be others."""
    return np.asarray(model.predict(x, batch_size=ROWS, verbose=0))
