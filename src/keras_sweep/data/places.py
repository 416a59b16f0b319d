"""What a split goes by in place of chance: the groups of rows, or their times, each as its place among them all."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from keras_sweep.data.arrays import described
from keras_sweep.data.table_columns import polars_table
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import Split
from keras_sweep.space.text import quoted

ISO_TIME = r"^\d{4}(-|$)"  # 2026-03-31T12:00, 2026-Q1, 2026
Places = npt.NDArray[np.intp]


def places(values: Any, rows: int, how: Split, what: str) -> Places:
    """[N] of so many rows the place of each one's group or time, from 1 on. Raises DataError for a gap, and no time."""
    if isinstance(values, np.ndarray):  # polars takes days for no unit of time, and Python's objects for no values
        values = values.tolist() if values.dtype.kind == "O" else values
        values = values.astype("datetime64[us]") if getattr(values, "dtype", values) == "datetime64[D]" else values
    series = polars_table({"": values}, what)[""]
    if len(series) != rows or series.dtype.is_nested() or series.dtype.is_object():
        raise DataError(f"{what} is {described(values)}, not a value for each of {rows:,} rows")
    series = series.fill_nan(None) if series.dtype.is_float() else series
    right = series.is_not_null()
    if series.dtype == pl.String:
        right &= series.str.contains(ISO_TIME if how.time else ".").fill_null(False)
    if not right.all():
        row, kind = int((~right).arg_max() or 0), "time" if how.time else "group"
        raise DataError(
            f"{what} has {quoted(series[row])} in row {row + 1:,}, which is no {kind}",
            hint="Fill gaps, or take such rows out; times are numbers, dates, or texts such as 2026-03-31",
        )
    return np.asarray(series.rank("dense").to_numpy(), np.intp)


def latest(times: Places, share: float) -> tuple[Places, Places]:
    """The earlier rows and the latest, each in the order of time. Rows of one time stay together, among the latest.

    Raises ValueError where all are of one time.
    """
    order = times.argsort(kind="stable")
    first = max(times[order[-math.ceil(share * len(times))]], times.min() + 1)
    cut = int(np.searchsorted(times[order], first))
    if cut == len(order):
        raise ValueError("they are all of one time")
    return order[:cut], order[cut:]
