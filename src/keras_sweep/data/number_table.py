"""A table of numbers alone, with no missing ones: such need no polars, whose import takes a sixth of a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import polars as pl

Table: TypeAlias = "NumberTable | pl.DataFrame"


@dataclass(frozen=True, slots=True, eq=False)
class NumberTable:
    """Named columns of numbers, told and taken by the names that a polars DataFrame has for it."""

    columns: tuple[str, ...]  # no two alike
    values: npt.NDArray[np.float64]  # [N, columns]

    @property
    def shape(self) -> tuple[int, int]:
        """(N, columns)."""
        return len(self.values), len(self.columns)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> NumberTable:
        """A copy of these rows."""
        return NumberTable(self.columns, self.values[rows])

    def matrix(self, names: Sequence[str]) -> npt.NDArray[np.float64]:
        """These columns, [N, names]."""
        return self.values[:, [self.columns.index(name) for name in names]]

    def get_column(self, name: str) -> pl.Series:
        """One column."""
        return self.to_polars().get_column(name)

    def to_polars(self) -> pl.DataFrame:
        """All of it."""
        import polars as pl

        return pl.DataFrame({name: self.values[:, index] for index, name in enumerate(self.columns)})


def polars_table(table: Any) -> pl.DataFrame:
    """The same table as polars has it."""
    return table.to_polars() if isinstance(table, NumberTable) else table
