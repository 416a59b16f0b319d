"""What stands in a validation row, as texts for a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_sweep.data.search_data import SearchData
from keras_sweep.views.terminal.text import number_text, safe, shorten

if TYPE_CHECKING:
    import polars as pl

MOST_COLUMNS = 10
LONGEST = 40


def shown_columns(data: SearchData, table: pl.DataFrame | None) -> tuple[tuple[str, ...], int]:
    """(names of the columns that are shown, how many are not); none of pictures."""
    if data.image_shape is not None:
        return (), 0
    names = tuple(table.columns) if table is not None else tuple(f"x{i}" for i in range(data.validation.x[0].size))
    return names[:MOST_COLUMNS], max(len(names) - MOST_COLUMNS, 0)


def row_cells(data: SearchData, table: pl.DataFrame | None, row: int, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The texts of these columns, safe to show."""
    if table is not None:
        values = [table[name][row] for name in columns]
    else:
        values = data.validation.x[row].reshape(-1)[: len(columns)].tolist()
    return tuple(_text(value) for value in values)


def _text(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number_text(value, 4)
    return "" if value is None else shorten(safe(str(value)), LONGEST)
