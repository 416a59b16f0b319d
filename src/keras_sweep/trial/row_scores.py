"""A trial's score on each validation row, in few bytes: right or wrong as bits, or losses, or outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # importing NumPy takes longer than showing a leaderboard
    import numpy.typing as npt

    from keras_sweep.trial.units import Units

# Metrics that are not a mean over rows. So the outputs are kept, and `honest/scores.py` computes the metric again.
OF_ALL_ROWS = frozenset({"auc", "precision", "recall", "r2_score", "root_mean_squared_error"})


def arrays_digest(arrays: Sequence[Any], head: str = "") -> str:
    """Return the SHA-256 (hex) of `head` and of the arrays' types, shapes and values. Memory layout does not matter."""
    total = hashlib.sha256(head.encode())
    for array in arrays:
        total.update(f" {array.dtype.str} {array.shape} ".encode())
        total.update(array.tobytes())
    return total.hexdigest()


class Kind(StrEnum):
    """What the arrays of `RowScores` hold, for N rows."""

    BITS = "bits"  # [ceil(N / 8)] uint8: right or wrong, packed
    VALUES = "values"  # [N] float32: the loss of each row, or its share of right answers
    # [N, ...] outputs and [N, ...] labels, float32, for a metric of all rows together; [N] row weights, if any
    OUTPUTS = "outputs"


@dataclass(frozen=True, slots=True, eq=False)
class RowScores:
    """The scores of N validation rows, in order."""

    kind: Kind
    rows: int
    arrays: tuple[Any, ...]
    units: Units | None = None  # what is drawn independently; None: each row

    @property
    def digest(self) -> str:
        """The kind, a colon, and the SHA-256 (hex) of kind, rows, arrays and units: "bits:9f86d081..."."""
        return f"{self.kind}:{arrays_digest(self.to_arrays(), f'{self.kind} {self.rows}')}"

    def to_arrays(self) -> tuple[Any, ...]:
        """Return all arrays for a file: the scores and, unless each row is a unit, the unit of each row."""
        return self.arrays if self.units is None else (*self.arrays, self.units.codes)

    def values(self) -> npt.NDArray[Any]:
        """Return a score per row, [N] float32. Works for bits and values, not for outputs."""
        import numpy as np

        if self.kind is Kind.BITS:
            return np.unpackbits(self.arrays[0], count=self.rows).astype(np.float32)
        return np.asarray(self.arrays[0], np.float32)

    def average(self, models: int) -> RowScores | None:
        """Return the mean scores of rows that several models scored, model after model. None if these are outputs."""
        if models > 1 and self.kind is not Kind.OUTPUTS:
            import numpy as np

            rows = self.rows // models
            units = None if self.units is None else self.units.take(np.arange(rows))
            return from_values(self.values().reshape(models, -1).mean(axis=0), units)
        return self if models == 1 else None

    def take(self, places: npt.NDArray[Any]) -> RowScores:
        """Return the scores of the rows with these numbers."""
        arrays = [array[places] for array in ((self.values(),) if self.kind is Kind.BITS else self.arrays)]
        units = None if self.units is None else self.units.take(places)
        return from_outputs(*arrays, units=units) if self.kind is Kind.OUTPUTS else from_values(arrays[0], units)


def from_values(values: npt.NDArray[Any], units: Units | None = None) -> RowScores:
    """Build row scores from [N] values, as bits if all are 0 or 1."""
    import numpy as np

    if values.dtype == bool or np.isin(values, (0, 1)).all():
        return RowScores(Kind.BITS, len(values), (np.packbits(values.astype(bool)),), units)
    return RowScores(Kind.VALUES, len(values), (np.ascontiguousarray(values, np.float32),), units)


def from_outputs(*parts: npt.NDArray[Any], units: Units | None = None) -> RowScores:
    """Build row scores from two or three arrays: outputs [N, ...], labels [N, ...] and, if any, row weights [N]."""
    import numpy as np

    arrays = tuple(np.ascontiguousarray(part, np.float32) for part in parts)
    return RowScores(Kind.OUTPUTS, len(parts[0]), arrays, units)
