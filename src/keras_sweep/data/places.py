"""Groups and times of rows, by which a split goes; and columns that seem to be such, where it goes by chance."""

import re
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from polars import selectors

from keras_sweep.data.arrays import described
from keras_sweep.data.table_columns import polars_table
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import Split
from keras_sweep.space.text import quoted, yaml_list

ISO_TIME = r"^\d{4}(-|$)"  # 2026-03-31T12:00, 2026-Q1, 2026
LEAST_VALUES = 10  # different ones in a column of groups or times
GROUP_NAME = r"(?i)(^|[^a-z])(id|patient|subject|person|user|customer|session|device)s?([^a-z]|$)|(?-i:[a-z]I[dD]$)"
GROUP_CODE = r"^[A-Za-z]+[-_ ]?\d+$"  # P017, user_3
Places = npt.NDArray[np.intp]


def places(values: Any, rows: int, how: Split, what: str) -> Places:
    """[N] of so many rows the place of each one's group or time, from 1 on. Raises DataError for a gap, and no time."""
    as_list = isinstance(values, np.ndarray) and values.dtype.kind in "OM"  # polars takes no days, nor objects
    series = polars_table({"": values.tolist() if as_list else values}, what)[""]
    if len(series) != rows or series.dtype.is_nested() or series.dtype.is_object():
        raise DataError(f"{what} is {described(values)}, not a value for each of {rows:,} rows")
    series = series.fill_nan(None) if series.dtype.is_float() else series
    text, kind = (ISO_TIME, "time") if how.time else (".", "group")
    right = series.str.contains(text).fill_null(False) if series.dtype == pl.String else series.is_not_null()
    if not right.all():
        row = int((~right).arg_max() or 0)
        raise DataError(
            f"{what} has {quoted(series[row])} in row {row + 1:,}, which is no {kind}",
            hint="Fill gaps, or take such rows out; times are numbers, dates, or texts such as 2026-03-31",
        )
    return np.asarray(series.rank("dense").to_numpy(), np.intp)


def group_columns(table: Any, but: Collection[str | None] = ()) -> dict[str, Places]:
    """Columns of text or whole numbers that seem to name groups of rows, by their name or as codes, by their ranks."""
    found = {}
    for series in table.get_columns():
        text = series.dtype == pl.String
        coded = text and bool(series.drop_nulls().str.contains(GROUP_CODE).all())
        named = (text or series.dtype.is_integer()) and re.search(GROUP_NAME, series.name)
        if series.name not in but and (coded or named) and LEAST_VALUES <= series.n_unique() <= len(series) / 2:
            found[series.name] = np.asarray(series.rank("dense").fill_null(0).to_numpy(), np.intp)
    return found


def rows_in_time(table: pl.DataFrame) -> tuple[str, ...]:
    """A notice where rows that are to be split by chance stand in the order of a date or time."""
    for series in table.select(selectors.temporal()).get_columns():
        if series.n_unique() >= LEAST_VALUES and (series.is_sorted() or series.is_sorted(descending=True)):
            mend = f"`split: {{time: {yaml_list([series.name])[1:-1]}}}` holds out the latest"
            return (f"the rows stand in the order of {series.name!r}, and a random split mixes its times: {mend}",)
    return ()
