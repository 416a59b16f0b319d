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
    """A table as polars has it: one of polars, of pandas or the like, or a mapping of columns by name.

    Whatever the columns' own types raise is raised.
    """
    import polars as pl

    if isinstance(table, NumberTable):
        return table.to_polars()
    if isinstance(table, pl.DataFrame):
        return table
    return pl.DataFrame({str(name): _with_nulls(table[name]) for name in table}, strict=False)


def _with_nulls(column: Any) -> Any:
    """A column of pandas with None for each gap; others as they are.

    A gap in a column of text is a float NaN to pandas, which polars takes for a value of another type.
    """
    if not hasattr(column, "isna"):
        return column
    values = column.to_numpy()
    return list(np.where(column.isna(), None, values)) if values.dtype == object else values
