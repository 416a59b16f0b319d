"""The standard error of a validation metric, from the rows it was taken over."""

from __future__ import annotations

import math
from collections.abc import Callable

from keras_sweep.data.search_data import Array
from keras_sweep.training.row_values import ACCURACIES, TOP_K, is_row_by_row, row_values


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
    if metric.removeprefix("val_") in ACCURACIES | TOP_K:
        return accuracy_error(value, len(y))
    if not is_row_by_row(metric, loss) or predict is None or len(y) < 2:
        return None
    values = row_values(metric, loss, y, predict())
    return None if values is None else float(values.std(ddof=1) / math.sqrt(len(y)))
