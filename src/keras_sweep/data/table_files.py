"""Tables: CSV and Parquet files, read by polars, with the columns of target and weights taken out."""

import csv
from pathlib import Path

import numpy as np
import polars as pl

from keras_sweep.data.arrays import Array, must_fit_32_bits, weight_array
from keras_sweep.data.source import RawRows, Source, must_be_file
from keras_sweep.data.table_columns import MISSING, check_columns, check_names, first_row, is_number, is_text
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import DataSpec
from keras_sweep.space.text import counted, listed, nearest


def read_table(data: DataSpec, folder: Path) -> Source:
    """The rows of a CSV or Parquet file. Raises DataError where it can't be read or has no such columns."""
    path, kind = folder / data.source, data.kind
    must_be_file(path)
    try:
        if kind == "csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                header = next(csv.reader(file), [])
            check_names(header, str(path))
            # Types come from all rows, so that a late text in a column of numbers is seen for what it is.
            frame = pl.read_csv(path, infer_schema_length=None, try_parse_dates=True)
            if len(header) == frame.width:
                frame.columns = header  # polars leaves quotes that stand in a name doubled, as they are in the file
        else:
            check_names(list(pl.read_parquet_schema(path)), str(path))
            frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError, ValueError, csv.Error) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        hint = "Save it as UTF-8" if "utf-8" in reason.lower() else None
        raise DataError(f"{path} can't be read as {kind}: {reason}", hint=hint) from error
    target, weights = data.target or "", data.weights
    named = (target,) if weights is None else (target, weights)
    for name in named:
        if name not in frame.columns:
            near = nearest(name, frame.columns)
            hint = f"Did you mean {near!r}?" if near else f"Its columns are {listed(frame.columns, 10)}"
            raise DataError(f"{path} has no column {name!r}", hint=hint)
    features = pl.DataFrame({one.name: one for one in frame if one.name not in named})  # `drop` takes patterns
    if not features.width:
        more = "" if weights is None else f" and the weights {weights!r}"
        raise DataError(f"{path} has no column but the target {target!r}{more}", hint="Bring columns to learn from")
    check_columns(features, str(path))
    labels = _target(frame[target], f"the target column {target!r} of {path}")
    what = f"the weights column {weights!r} of {path}"
    given = None if weights is None else weight_array(_target(frame[weights], what), len(frame), what)
    return Source(path.name, RawRows(features, labels, given))


def _target(series: pl.Series, what: str) -> Array:
    series = series.alias("")  # polars takes some names for patterns
    if not is_text(series.dtype) and not is_number(series.dtype):
        raise DataError(f"{what} is of type {series.dtype}", hint="It must be numbers, text or booleans")
    if is_text(series.dtype):
        series = series.cast(pl.String).replace(MISSING, None)
    elif series.dtype.is_float():
        series = series.fill_nan(None)
    absent = series.is_null()
    if absent.any():
        where = f"in {counted(int(absent.sum()), 'row')}, at first in row {first_row(absent)}"
        raise DataError(f"{what} has no value {where}", hint="Take such rows out of the file")
    if is_text(series.dtype):
        return np.array(series.to_list(), dtype=object)
    if series.dtype == pl.Boolean or (series.dtype.is_integer() and series.dtype not in (pl.Int128, pl.UInt128)):
        return series.to_numpy().copy()
    values = series.cast(pl.Float64).to_numpy().copy()
    must_fit_32_bits(values, what)
    return values
