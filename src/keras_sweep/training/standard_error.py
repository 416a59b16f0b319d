"""The standard error of a validation metric, from the rows it was taken over."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from keras_sweep.data.search_data import Array

ACCURACIES = frozenset({"accuracy", "acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"})
SMALLEST = 1e-7  # probabilities are clipped there, as `keras.config.epsilon` does


def accuracy_error(accuracy: float, rows: int) -> float:
    """The standard error of a share of correct rows: sqrt(p (1 - p) / n), and towards 0 and 1 Wilson's.

    The first is 0 where every row is right, as though more rows could not show a wrong one. Half of Wilson's 68.3 %
    interval (z = 1) is never 0; it is the wider of the two where p is below 0.15 or above 0.85, by less than a shown
    digit unless rows are few. Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    variance = max(accuracy * (1 - accuracy), 0.0) / rows
    wilson = math.sqrt(variance + 1 / (4 * rows**2)) / (1 + 1 / rows)
    return max(math.sqrt(variance), wilson)


def standard_error(
    metric: str, loss: str, value: float, y: Array, predict: Callable[[], Array] | None = None
) -> float | None:
    """The standard error of `value`, or None where there is no formula for the metric.

    Args:
        metric: as Keras logs it, "val_accuracy" or "val_loss".
        loss: the loss that "loss" means.
        value: the metric over all rows.
        y: labels of the rows, [N] or [N, C].
        predict: gives the model's outputs, [N] or [N, C]; called only where the rows are needed one by one.
    """
    name = metric.removeprefix("val_")
    if name in ACCURACIES:
        return accuracy_error(value, len(y))
    per_row = _PER_ROW.get(loss if name == "loss" else name)
    if per_row is None or predict is None or len(y) < 2:
        return None
    labels = np.asarray(y, np.float64)
    outputs = np.asarray(predict(), np.float64).reshape(len(y), -1)
    return float(per_row(labels, outputs).std(ddof=1) / math.sqrt(len(y)))


_Floats = npt.NDArray[np.float64]


def _squared(y: _Floats, outputs: _Floats) -> _Floats:
    return np.asarray(((y.reshape(outputs.shape) - outputs) ** 2).mean(axis=1))


def _absolute(y: _Floats, outputs: _Floats) -> _Floats:
    return np.asarray(np.abs(y.reshape(outputs.shape) - outputs).mean(axis=1))


def _sparse(y: _Floats, outputs: _Floats) -> _Floats:
    chosen = outputs[np.arange(len(y)), y.reshape(-1).astype(int)]
    return np.asarray(-np.log(np.clip(chosen, SMALLEST, 1.0)))


def _categorical(y: _Floats, outputs: _Floats) -> _Floats:
    return np.asarray(-(y * np.log(np.clip(outputs, SMALLEST, 1.0))).sum(axis=1))


def _binary(y: _Floats, outputs: _Floats) -> _Floats:
    p = np.clip(outputs, SMALLEST, 1 - SMALLEST)
    labels = y.reshape(p.shape)
    return np.asarray(-(labels * np.log(p) + (1 - labels) * np.log(1 - p)).mean(axis=1))


_PER_ROW: dict[str, Callable[[_Floats, _Floats], _Floats]] = {
    "mean_squared_error": _squared,
    "mse": _squared,
    "mean_absolute_error": _absolute,
    "mae": _absolute,
    "sparse_categorical_crossentropy": _sparse,
    "categorical_crossentropy": _categorical,
    "binary_crossentropy": _binary,
}
