"""The units of rows: what is drawn independently, so that their number says how sure a score is.

A row is a unit if rows are drawn independently. The rows of a group are a unit, because they are alike. In a series,
neighbours are alike, so a unit is a block of neighbouring times. Every standard error, interval and comparison of this
package counts units.

The blocks are as long as Lazarus, Lewis, Stock and Watson 2018, "HAR inference: recommendations for practice",
https://doi.org/10.1080/07350015.2018.1506926, recommend for a Bartlett kernel: 1.3 times the square root of the number
of times. Means of blocks have the same bias. The number of blocks gives the degrees of freedom, as in Ibragimov and
Mueller 2010, "t-statistic based correlation and heterogeneity robust inference".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

BLOCK_FACTOR = 1.3  # times the square root of the number of times: the length of a block


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """The unit of each of N rows."""

    codes: npt.NDArray[np.int32]  # [N] the number of the row's unit, 0 to `count` - 1
    count: int
    name: str = "rows"  # the plural: "rows", "groups", "blocks of 41 times"

    @classmethod
    def from_rows(cls, rows: int) -> Units:
        """Build units of a row each."""
        return cls(np.arange(rows, dtype=np.int32), rows)

    @classmethod
    def from_groups(cls, groups: npt.NDArray[Any], name: str = "groups") -> Units:
        """Build units of the rows with an equal value in `groups`, [N]."""
        values, codes = np.unique(groups, return_inverse=True)
        return cls(codes.reshape(-1).astype(np.int32), len(values), name)

    @classmethod
    def from_times(cls, times: npt.NDArray[Any], least: int = 1) -> Units:
        """Build units of neighbouring times: blocks of nearly equal length. Rows of a time are in the same unit.

        Args:
            times: [N] the time of each row, or its rank.
            least: the shortest block, in times. Errors of a forecast `least` times ahead overlap that long.
        """
        values, ranks = np.unique(times, return_inverse=True)
        length = max(math.ceil(BLOCK_FACTOR * math.sqrt(len(values))), least)
        count = max(len(values) // length, 1)
        codes = ranks.reshape(-1) * count // len(values)
        return cls(codes.astype(np.int32), count, f"blocks of {len(values) // count} times")

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def are_rows(self) -> bool:
        """Whether each row is a unit."""
        return self.count == len(self.codes)

    def take(self, rows: npt.NDArray[np.integer]) -> Units:
        """Return the units of the rows with these numbers."""
        return Units.from_groups(self.codes[rows], self.name)

    def repeat(self, times: int) -> Units:
        """Return the units of rows that are repeated, all rows after all rows. A row's copies are in its unit."""
        name = "rows" if self.are_rows else self.name
        return Units(np.tile(self.codes, times), self.count, name)

    def sum(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Return the sums over each unit's rows, [K, U] or [U], of `values`, [K, N] or [N]."""
        if self.are_rows and bool((np.diff(self.codes) == 1).all()):
            return values
        rows = values.reshape(-1, len(self))
        sums = np.stack([np.bincount(self.codes, row, self.count) for row in rows])
        return sums.astype(values.dtype).reshape(*values.shape[:-1], self.count)

    def count_equal(self, weights: npt.NDArray[Any]) -> float:
        """Return how many units of equal weight tell as much about a mean as these, whose rows have `weights`, [N].

        Kish 1965, "Survey sampling", section 11.7.
        """
        sums = self.sum(weights.astype(np.float64))
        return float(sums.sum() ** 2 / (sums**2).sum())

    def describe(self) -> str:
        """Return the numbers of rows and units, for a message: "12,000 rows", or "2,000 rows in 40 groups"."""
        return f"{len(self):,} rows" + ("" if self.name == "rows" else f" in {self.count:,} {self.name}")
