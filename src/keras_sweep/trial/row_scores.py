"""What one trial scored on each validation row, in few bytes: right or wrong as bits, or losses, or outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # numpy takes longer to import than a leaderboard takes to show
    import numpy.typing as npt

# Metrics that are no mean over rows, so that their outputs are kept; `honest/scores.py` computes them again.
OF_ALL_ROWS = frozenset({"auc", "precision", "recall", "r2_score", "root_mean_squared_error"})


def arrays_digest(arrays: Sequence[Any], head: str = "") -> str:
    """SHA-256 (hex) of a text and of arrays: their types, shapes and values, however they lie in memory."""
    total = hashlib.sha256(head.encode())
    for array in arrays:
        total.update(f" {array.dtype.str} {array.shape} ".encode())
        total.update(array.tobytes())
    return total.hexdigest()


class Kind(StrEnum):
    """What the arrays of `RowScores` hold. N rows."""

    BITS = "bits"  # [ceil(N / 8)] uint8: right or wrong, packed
    VALUES = "values"  # [N] float32: each row's loss, or its share of right answers
    # [N, ...] outputs and [N, ...] labels, float32, for a metric of all rows together; [N] weights of rows, if any
    OUTPUTS = "outputs"


@dataclass(frozen=True, slots=True, eq=False)
class RowScores:
    """The scores of N validation rows, in their order."""

    kind: Kind
    rows: int
    arrays: tuple[Any, ...]

    @property
    def digest(self) -> str:
        """Its kind, a colon, and SHA-256 (hex) of all that is in it."""
        return f"{self.kind}:{arrays_digest(self.arrays, f'{self.kind} {self.rows}')}"

    def values(self) -> npt.NDArray[Any]:
        """[N] float32, a score a row. Only of bits and values."""
        import numpy as np

        if self.kind is Kind.BITS:
            return np.unpackbits(self.arrays[0], count=self.rows).astype(np.float32)
        return np.asarray(self.arrays[0], np.float32)


def from_values(values: npt.NDArray[Any]) -> RowScores:
    """[N] scores, as bits where each is 0 or 1."""
    import numpy as np

    if values.dtype == bool or np.isin(values, (0, 1)).all():
        return RowScores(Kind.BITS, len(values), (np.packbits(values.astype(bool)),))
    return RowScores(Kind.VALUES, len(values), (np.ascontiguousarray(values, np.float32),))


def from_outputs(*parts: npt.NDArray[Any]) -> RowScores:
    """[N, ...] outputs and labels, and [N] weights of rows, if they have any."""
    import numpy as np

    return RowScores(Kind.OUTPUTS, len(parts[0]), tuple(np.ascontiguousarray(each, np.float32) for each in parts))
