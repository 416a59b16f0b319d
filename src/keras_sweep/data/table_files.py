"""Read CSV and Parquet files with polars, and separate the columns of target and weights. For a split by groups or
times, this module ranks their values. For a random split, it finds columns that look like groups or times."""

import csv
import re
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
from polars import selectors

from keras_sweep.data import table_columns
from keras_sweep.data.arrays import Array, check_fits_32_bits, describe_value, weight_array
from keras_sweep.data.source import Features, RawRows, SourceRows
from keras_sweep.data.table_columns import check_columns, check_names, first_row, is_number, is_text, polars_table
from keras_sweep.data.table_copies import read_copy
from keras_sweep.data.table_preprocessing import split_dates
from keras_sweep.data.written_values import Ways, is_formatted, read_texts
from keras_sweep.errors import DataError, TableError
from keras_sweep.space.data_spec import DataSpec, Split, TableOptions
from keras_sweep.space.text import escape, find_nearest, format_yaml_list, itemize, pluralize, quote

ISO_TIME = r"^\d{4}(-|$)"  # 2026-03-31T12:00, 2026-Q1, 2026
LEAST_VALUES = 10  # different values in a column of groups or times
GROUP_NAME = r"(?i)(^|[^a-z])(id|patient|subject|person|user|customer|session|device)s?([^a-z]|$)|(?-i:[a-z]I[dD]$)"
GROUP_CODE = r"^[A-Za-z]+[-_ ]?\d+$"  # P017, user_3
Places = npt.NDArray[np.intp]
# Takes (options, texts of missing values). Returns (all columns, a function that reads columns again as text, or None).
Load: TypeAlias = Callable[[Any, list[str]], tuple[pl.DataFrame, Callable[..., pl.DataFrame] | None]]


def read_file(load: Callable[..., Any], data: DataSpec, folder: Path) -> SourceRows:
    path = folder / data.source
    return read_table(data, str(path), partial(load, path))


def read_table(data: DataSpec, place: str, load: Load) -> SourceRows:
    """Read the rows of a table by the function `load` (see `Load`). `place` names the table in errors. Raises DataError
    if `load` fails, and TableError with every fault of the columns."""
    options = data.options if isinstance(data.options, TableOptions) else TableOptions()
    target, weights, by, notices = data.target or "", data.weights, data.split.by, tuple[str, ...]()
    frame, ways = load_columns(load, place, data.kind, options, (target, weights, by))
    present = {*frame.columns}
    faults = [
        DataError(f"has no column {name!r}", hint=suggest_column(name, frame.columns))
        for name in dict.fromkeys(
            (target, weights, by, options.text, *options.columns, *options.drop, *options.categories)
        )
        if name is not None and name not in present
    ]
    if options.missing_target == "drop" and target in frame.columns:
        absent = _is_missing(frame[target])
        frame = frame.filter(~absent)
        notices = (f"{pluralize(int(absent.sum()), 'row')} without {target!r} left out",) if absent.any() else ()
    if options.decimal is None and (commas := [name for name, way in ways.items() if way == ","]):
        keys = 'confirm with `decimal: ","` in `data`, or list columns of texts in `categories`'
        notices += (f"columns {itemize(commas)} are read as numbers with decimal commas: {keys}",)
    features = pl.DataFrame() if options.text else _select(frame, options, {target, weights, by, *options.drop})
    if not features.width and not faults and not options.text:
        more = "" if weights is None else f" and the weights {weights!r}"
        faults.append(DataError(f"has no column but the target {target!r}{more}", hint="Add columns to learn from"))
    arrays: list[Array] = []
    groups = find_group_columns(frame, (target, weights)) if by is None else {}
    for name, role in ((target, "target"), (weights, "weights"), (by, "split")):
        if name is None or name not in present:
            continue
        split, role = role == "split", f"the {role} column {name!r}"
        hint = f"Remove these rows from the file{', or set `missing_target: drop`' if name == target else ''}"
        try:
            if split:
                groups = {name: rank_values(frame[name], len(frame), data.split, role)}
            else:
                values = _read_values(frame[name], role, hint)
                arrays.append(values if name == target else weight_array(values, len(frame), role))
        except DataError as fault:
            faults.append(fault)
    check_columns(features, place, texts=options.categories, others=faults)
    x: Features = features
    if options.text is not None:
        x = np.array(frame[options.text].cast(pl.String).fill_null("").to_list(), object)
    rows = RawRows(x, arrays[0], None if weights is None else arrays[1], places=groups)
    return SourceRows(Path(place).name, rows, notices=notices, leaks=find_order(frame) if by is None else (), ways=ways)


def load_csv(path: Path, options: Any, gaps: list[str]) -> tuple[pl.DataFrame, Callable[..., pl.DataFrame]]:
    """Read a CSV file. Return (all columns, `polars.read_csv` for this file, to read columns again as text). Texts in
    `gaps` mean a missing value. `options` may have a `separator`."""
    separator = getattr(options, "separator", ",")
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file, delimiter=separator), [])
    check_names(header, str(path))
    read = partial(pl.read_csv, path, separator=separator, null_values=gaps or None)

    def parse() -> pl.DataFrame:
        frame = read(infer_schema_length=None)
        # polars looks for dates in each text, slowly. A column has dates only if its first text is a date.
        first = frame.select(selectors.string().drop_nulls().first().fill_null("-"))
        texts = first.write_csv(include_header=False).encode() or b"-"
        if any(kind.is_temporal() for kind in pl.read_csv(texts, has_header=False, try_parse_dates=True).dtypes):
            frame = read(infer_schema_length=None, try_parse_dates=True)
        if len(header) == frame.width:
            frame.columns = header  # polars leaves quotes inside a name doubled, as in the file
        return frame

    return read_copy(path, parse, separator, gaps), read


def load_parquet(path: Path, _: Any, gaps: list[str]) -> tuple[pl.DataFrame, None]:
    check_names(list(pl.read_parquet_schema(path)), str(path))
    frame = pl.read_parquet(path)
    return frame.with_columns(selectors.string().replace(gaps, None)) if gaps else frame, None


def load_columns(
    load: Load, place: str, kind: str, options: TableOptions, others: Sequence[str | None] = ()
) -> tuple[pl.DataFrame, Ways]:
    """Load all columns of a table by `load`. Parse numbers and dates in the text columns of features and of `others`,
    the names of target, weights and split columns. Return (columns, column -> how its texts were parsed). Raises
    DataError, which names the table `place` and the format `kind`, or TableError if texts may be read in two ways."""
    try:
        return _load(load, place, options, others)
    except (pl.exceptions.PolarsError, OSError, UnicodeError, csv.Error) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        hint = "Save it as UTF-8" if "utf-8" in reason.lower() else None
        raise DataError(f"{place} can't be read as {kind}: {reason}", hint=hint) from error


def _load(load: Load, place: str, options: TableOptions, others: Sequence[str | None]) -> tuple[pl.DataFrame, Ways]:
    gaps = [float(value) for value in options.missing if not isinstance(value, str)]
    frame, read = load(options, [value for value in options.missing if isinstance(value, str)])
    header = frame.columns  # a new list in each call
    names = {*(options.columns or header), *others} - {options.text, *options.drop, *options.categories}

    def read_as_text(*kinds: Any) -> list[pl.Series]:
        """Read the columns of these polars types again as text. Returns [] for a format with types, like Parquet."""
        indices = [i for i, col in enumerate(frame) if col.name in names and col.dtype.base_type() in kinds]
        texts = read(columns=indices, infer_schema=False) if read and indices else ()
        return [col.alias(header[i]) for i, col in zip(indices, texts, strict=False)]

    # In a date that polars reads, the month may be first, and the year 24 may be 2024.
    columns = read_as_text(pl.Date, pl.Datetime) + [col for col in frame if col.name in names and is_formatted(col)]
    values, ways, faults = read_texts(pl.DataFrame(columns), options.decimal, options.dates)
    if "," in ways.values() or faults or options.decimal == ",":  # 1.101 may be 1101
        columns += read_as_text(pl.Float64)
        values, ways, faults = read_texts(pl.DataFrame(columns), options.decimal, options.dates)
    if faults:
        defaults = {"decimal": "," if getattr(options, "separator", ",") == ";" else ".", "dates": "day-first"}
        raise TableError(place, [fault for _, fault in faults], options={key: defaults[key] for key, _ in faults})
    if frame.is_empty():
        raise DataError(f"{place} has no rows below its header", hint="Add rows to learn from")
    frame, numeric = frame.with_columns(values.values()), selectors.numeric()
    without_gaps = [pl.when(~numeric.cast(pl.Float64).is_in(gaps)).then(numeric).name.keep()] if gaps else []
    return frame.with_columns(without_gaps), ways


def _select(frame: pl.DataFrame, options: TableOptions, left_out: set[str | None]) -> pl.DataFrame:
    chosen, categories = {*(options.columns or frame.columns)} - left_out, {*options.categories}
    columns = [col for col in frame if col.name in chosen]
    texts = {col.name: table_columns.to_text(col) if col.name in categories else col for col in columns}
    return split_dates(pl.DataFrame(texts))


def suggest_column(name: str, columns: Sequence[str]) -> str:
    """Return a hint for an unknown column: a column with a similar name, the separator of the file, or all columns."""
    if len(columns) == 1 and (separator := next((sign for sign in ";\t|" if sign in columns[0]), None)):
        return f'Its only column is {columns[0][:40]!r}: write `separator: "{escape(separator)}"` beside the file'
    near = find_nearest(name, columns)
    return f"Did you mean {near!r}?" if near else f"Choose from its columns: {itemize(columns, 10)}"


read_csv, read_parquet = partial(read_file, load_csv), partial(read_file, load_parquet)


def _is_missing(series: pl.Series) -> pl.Series:
    if is_text(series.dtype):
        series = series.cast(pl.String).replace(table_columns.MISSING, None)
    elif series.dtype.is_float():
        series = series.fill_nan(None)
    return series.is_null()


def _read_values(series: pl.Series, what: str, hint: str) -> Array:
    series = series.alias("")  # polars reads some names as patterns
    if not is_text(series.dtype) and not is_number(series.dtype):
        raise DataError(f"{what} must be numbers, text or booleans, but got {series.dtype}")
    absent = _is_missing(series)
    if absent.any():
        where = f"in {pluralize(int(absent.sum()), 'row')}, first in row {first_row(absent)}"
        raise DataError(f"{what} has no value {where}", hint=hint)
    if is_text(series.dtype):
        return np.array(series.cast(pl.String).to_list(), dtype=object)
    if series.dtype == pl.Boolean or (series.dtype.is_integer() and series.dtype not in (pl.Int128, pl.UInt128)):
        return series.to_numpy().copy()
    values = series.cast(pl.Float64).to_numpy().copy()
    check_fits_32_bits(values, what)
    return values


def rank_values(values: Any, rows: int, how: Split, what: str) -> Places:
    """Return the rank, from 1, of each row's group or time in `values`, [N]. `how` is the space file's `split`. Raises
    DataError, which names the column `what`, if N is not `rows`, or if a row has no group or time."""
    needs_list = isinstance(values, np.ndarray) and values.dtype.kind in "OM"  # polars takes neither days nor objects
    series = polars_table({"": values.tolist() if needs_list else values}, what)[""]
    if len(series) != rows or series.dtype.is_nested() or series.dtype.is_object():
        raise DataError(f"{what} must be a value for each of {rows:,} rows, but got {describe_value(values)}")
    series = series.fill_nan(None) if series.dtype.is_float() else series
    text, kind = (ISO_TIME, "time") if how.time else (".", "group")
    is_valid = series.str.contains(text).fill_null(False) if series.dtype == pl.String else series.is_not_null()
    if not is_valid.all():
        row = int((~is_valid).arg_max() or 0)
        raise DataError(
            f"{what} must have a {kind} in each row, but got {quote(series[row])} in row {row + 1:,}",
            hint="Fill gaps or remove these rows. Write times as numbers, dates, or texts like 2026-03-31",
        )
    return np.asarray(series.rank("dense").to_numpy(), np.intp)


def find_group_columns(table: Any, skip: Collection[str | None] = ()) -> dict[str, Places]:
    """Return column -> group number of each row, [N], for columns that look like groups by name or by codes like
    "user_3". Columns in `skip` are left out."""
    ranks = {}
    for series in table.get_columns():
        is_text = series.dtype == pl.String
        is_code = is_text and bool(series.drop_nulls().str.contains(GROUP_CODE).all())
        is_named = (is_text or series.dtype.is_integer()) and re.search(GROUP_NAME, series.name)
        if series.name not in skip and (is_code or is_named) and LEAST_VALUES <= series.n_unique() <= len(series) / 2:
            ranks[series.name] = np.asarray(series.rank("dense").fill_null(0).to_numpy(), np.intp)
    return ranks


def find_order(table: pl.DataFrame) -> tuple[str, ...]:
    """Return (notice,) if rows are sorted by a date or time, since a random split mixes times; else ()."""
    for series in table.select(selectors.temporal()).get_columns():
        if series.n_unique() >= LEAST_VALUES and (series.is_sorted() or series.is_sorted(descending=True)):
            fix = f"`split: {{time: {format_yaml_list([series.name])[1:-1]}}}` holds out the latest rows"
            return (f"the rows are in the order of {series.name!r}, and a random split mixes its times: {fix}",)
    return ()
