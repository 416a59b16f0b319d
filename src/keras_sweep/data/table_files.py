"""Tables: CSV and Parquet files, read by polars, with the target column taken out; data frames of other packages."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_sweep.data.source import RawRows, Source
from keras_sweep.data.table_columns import (
    MISSING,
    check_columns,
    check_width,
    is_number,
    is_text,
    must_fit_32_bits,
    numbers,
)
from keras_sweep.errors import DataError
from keras_sweep.space.sweep_spec import DataSpec
from keras_sweep.space.text import nearest

if TYPE_CHECKING:
    import polars as pl

    from keras_sweep.data.search_data import Array


def read_table(data: DataSpec, folder: Path) -> Source:
    """The rows of a CSV or Parquet file. Raises DataError where it can't be read or has no such target."""
    import polars as pl

    path, kind = folder / data.source, data.kind
    must_be_file(path)
    try:
        if kind == "csv":
            header = _checked_header(path)
            # Types come from all rows, so that a late text in a column of numbers is seen for what it is.
            frame = pl.read_csv(path, infer_schema_length=None, try_parse_dates=True)
            if len(header) == frame.width:
                frame.columns = header  # polars leaves quotes that stand in a name doubled, as they are in the file
        else:
            check_width(len(pl.read_parquet_schema(path)), str(path))
            frame = pl.read_parquet(path)
    except pl.exceptions.NoDataError as error:
        raise DataError(f"{path} is empty", hint="It needs a header and rows") from error
    except (pl.exceptions.PolarsError, OSError, ValueError, csv.Error) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        hint = "Save it as UTF-8" if "utf-8" in reason.lower() else None
        raise DataError(f"{path} can't be read as {kind}: {reason}", hint=hint) from error
    return _source(frame, data.target or "", path.name, str(path))


def _source(frame: pl.DataFrame, target: str, name: str, place: str) -> Source:
    """A table as a source: the target column is the labels, all others are features. Raises DataError."""
    import polars as pl

    if target not in frame.columns:
        near = nearest(target, frame.columns)
        few = ", ".join(repr(name[:40]) for name in frame.columns[:10]) + (", ..." if frame.width > 10 else "")
        raise DataError(
            f"{place} has no column {target!r}",
            hint=f"Did you mean {near!r}?" if near else f"Its columns are {few}",
        )
    if frame.width < 2:
        raise DataError(f"{place} has no column but the target {target!r}", hint="Bring columns to learn from")
    if not frame.height:
        raise DataError(f"{place} has a header but no rows", hint="Bring rows")
    features = pl.DataFrame({column.name: column for column in frame if column.name != target})  # `drop` takes patterns
    check_columns(features, place)
    return Source(name, RawRows(features, _target(frame[target], place)))


def polars_table(table: Any) -> pl.DataFrame:
    """A table as polars has it: one of polars, of pandas or the like, or a mapping of columns by name.

    Whatever the columns' own types raise is raised.
    """
    import polars as pl

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


def must_be_file(path: Path) -> None:
    """Raises DataError unless there is a file with something in it."""
    if not path.exists():
        raise DataError(f"there is no file {path}", hint="Paths are relative to the space file")
    if not path.is_file():
        raise DataError(f"{path} is a folder, not a file", hint="Name a file in it")
    if not path.stat().st_size:
        raise DataError(f"{path} is empty", hint="Write it again")


def _checked_header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file), [])
    check_width(len(header), str(path))
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise DataError(f"{path} has several columns called {', '.join(map(repr, twice))}", hint="Rename them")
    return header


def _target(series: pl.Series, place: str) -> Array:
    import polars as pl

    what = f"the target column {series.name!r} of {place}"
    absent = series.is_null()
    if is_text(series.dtype):
        series = series.cast(pl.String)
        absent = absent | (series == MISSING).fill_null(True)
    elif is_number(series.dtype):
        if series.dtype.is_float():
            absent = absent | series.is_nan().fill_null(True)
    else:
        raise DataError(f"{what} is of type {series.dtype}", hint="A target is numbers, text or booleans")
    if absent.any():
        count = int(absent.sum())
        row = 1 + (absent.arg_max() or 0)
        where = f"in row {row}" if count == 1 else f"in {count:,} rows, the first of them row {row}"
        raise DataError(f"{what} has no value {where}", hint="Take such rows out of the file")
    if is_text(series.dtype):
        return np.array(series.to_list(), dtype=object)
    if series.dtype == pl.Boolean or (series.dtype.is_integer() and series.dtype not in (pl.Int128, pl.UInt128)):
        return series.to_numpy().copy()
    values = numbers(series)
    must_fit_32_bits(values, what)
    return values.to_numpy().copy()
