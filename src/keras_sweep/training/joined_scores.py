"""The scores of a trial's folds as scores of all rows: every row counts once, by the fold that left it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_sweep.data.search_data import Array
from keras_sweep.training.row_values import ACCURACIES, TOP_K

WHOLE = 0.01  # so near to a whole number a count of rows is, which float32 has blurred


def joined_scores(logs: Sequence[Mapping[str, Any]], rows: Sequence[int]) -> dict[str, Any]:
    """Each metric over the rows of all folds, float64: [T], or one number.

    Args:
        logs: of each fold, metric -> its mean over the fold's rows. One that is no mean is taken as if it were.
        rows: how many rows each fold has.
    """
    counts = np.asarray(rows, np.float64)
    return {
        name: _joined(name, [log[name] for log in logs], counts) for name in logs[0] if all(name in log for log in logs)
    }


def _joined(name: str, values: Sequence[Any], counts: Any) -> Any:
    total = np.tensordot(counts, np.asarray(values, np.float64), axes=1)
    if name.removeprefix("val_") in ACCURACIES | TOP_K:  # equally many right rows are equal, whichever folds have them
        whole = np.round(total)
        total = np.where(np.abs(total - whole) < WHOLE, whole, total)
    return total / counts.sum()


def rows_together(parts: Sequence[Array], held: Sequence[Array]) -> Array:
    """[N, ...] of what each fold says of the rows that it left out, in the order of all rows."""
    joined = np.concatenate(parts)
    together = np.empty_like(joined)
    together[np.concatenate(held)] = joined
    return together
