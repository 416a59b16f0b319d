"""Tables: CSV and Parquet files, read by polars, with the columns of target and weights taken out.

Also groups and times of rows, by which a split goes, and columns that seem to be such, where it goes by chance.
"""

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
from keras_sweep.data.table_preprocessing import split_dates
from keras_sweep.data.written_values import Ways, is_formatted, read_texts
from keras_sweep.errors import DataError, TableError
from keras_sweep.space.data_spec import DataSpec, Split, TableOptions
from keras_sweep.space.text import escape, itemize, nearest, pluralize, quote, yaml_list

ISO_TIME = r"^\d{4}(-|$)"  # 2026-03-31T12:00, 2026-Q1, 2026
LEAST_VALUES = 10  # different ones in a column of groups or times
GROUP_NAME = r"(?i)(^|[^a-z])(id|patient|subject|person|user|customer|session|device)s?([^a-z]|$)|(?-i:[a-z]I[dD]$)"
GROUP_CODE = r"^[A-Za-z]+[-_ ]?\d+$"  # P017, user_3
Places = npt.NDArray[np.intp]
# From a table's options and texts that are gaps: all columns, and what reads some again as the texts that a file has.
Load: TypeAlias = Callable[[Any, list[str]], tuple[pl.DataFrame, Callable[..., pl.DataFrame] | None]]


def _read_file(load: Callable[..., Any], data: DataSpec, folder: Path) -> SourceRows:
    path = folder / data.source
    return read_table(data, str(path), partial(load, path))


def read_table(data: DataSpec, place: str, load: Load) -> SourceRows:
    """The rows of a table. Raises DataError where it can't be read, with every fault of its columns."""
    options = data.options if isinstance(data.options, TableOptions) else TableOptions()
    target, weights, by, notices = data.target or "", data.weights, data.split.by, tuple[str, ...]()
    frame, ways = load_columns(load, place, data.kind, options, (target, weights, by))
    faults = [
        DataError(f"has no column {name!r}", hint=suggest_column(name, frame.columns))
        for name in dict.fromkeys(
            (target, weights, by, options.text, *options.columns, *options.drop, *options.categories)
        )
        if name is not None and name not in frame.columns
    ]
    if options.missing_target == "drop" and target in frame.columns:
        absent = _is_missing(frame[target])
        frame = frame.filter(~absent)
        notices = (f"{pluralize(int(absent.sum()), 'row')} without {target!r} left out",) if absent.any() else ()
    if options.decimal is None and (commas := [name for name, way in ways.items() if way == ","]):
        keys = '`decimal: ","` in `data` says so, and `categories` lists those that are texts'
        notices += (f"columns {itemize(commas)} are read as numbers with decimal commas: {keys}",)
    features = pl.DataFrame() if options.text else _select(frame, options, {target, weights, by, *options.drop})
    if not features.width and not faults and not options.text:
        more = "" if weights is None else f" and the weights {weights!r}"
        faults.append(DataError(f"has no column but the target {target!r}{more}", hint="Bring columns to learn from"))
    found: list[Array] = []
    at = find_group_columns(frame, (target, weights)) if by is None else {}
    for name, what in ((target, "target"), (weights, "weights"), (by, "split")):
        if name is None or name not in frame.columns:
            continue
        split, what = what == "split", f"the {what} column {name!r}"
        hint = f"Take such rows out of the file{', or give `missing_target: drop`' if name == target else ''}"
        try:
            if split:
                at = {name: rank_values(frame[name], len(frame), data.split, what)}
            else:
                values = _read_values(frame[name], what, hint)
                found.append(values if name == target else weight_array(values, len(frame), what))
        except DataError as fault:
            faults.append(fault)
    check_columns(features, place, texts=options.categories, others=faults)
    x: Features = features
    if options.text is not None:
        x = np.array(frame[options.text].cast(pl.String).fill_null("").to_list(), object)
    rows = RawRows(x, found[0], None if weights is None else found[1], at)
    return SourceRows(
        Path(place).name, rows, notices=notices, leaks=find_time_order(frame) if by is None else (), ways=ways
    )


def load_csv(path: Path, options: Any, gaps: list[str]) -> tuple[pl.DataFrame, Callable[..., pl.DataFrame]]:
    """The columns of a CSV file, their types by all rows: a late text in a column of numbers is seen for what it is."""
    separator = getattr(options, "separator", ",")
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file, delimiter=separator), [])
    check_names(header, str(path))
    read = partial(pl.read_csv, path, separator=separator, null_values=gaps or None)
    frame = read(infer_schema_length=None, try_parse_dates=True)
    if len(header) == frame.width:
        frame.columns = header  # polars leaves quotes that stand in a name doubled, as they are in the file
    return frame, read


def load_parquet(path: Path, _: Any, gaps: list[str]) -> tuple[pl.DataFrame, None]:
    """The columns of a Parquet file."""
    check_names(list(pl.read_parquet_schema(path)), str(path))
    frame = pl.read_parquet(path)
    return frame.with_columns(selectors.string().replace(gaps, None)) if gaps else frame, None


def load_columns(
    load: Load, place: str, kind: str, options: TableOptions, others: Sequence[str | None] = ()
) -> tuple[pl.DataFrame, Ways]:
    """All columns of a table, and how texts were read as numbers and dates: of all that are learnt from,
    and of those beside them. Raises DataError where it can't be read; TableError where texts may be two things."""
    try:
        return _load(load, place, options, others)
    except (pl.exceptions.PolarsError, OSError, ValueError, csv.Error) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        hint = "Save it as UTF-8" if "utf-8" in reason.lower() else None
        raise DataError(f"{place} can't be read as {kind}: {reason}", hint=hint) from error


def _load(load: Load, place: str, options: TableOptions, others: Sequence[str | None]) -> tuple[pl.DataFrame, Ways]:
    numbers = [float(one) for one in options.missing if not isinstance(one, str)]
    frame, read = load(options, [one for one in options.missing if isinstance(one, str)])
    names = {*(options.columns or frame.columns), *others} - {options.text, *options.drop, *options.categories}

    def read_as_text(*kinds: Any) -> list[pl.Series]:
        """The columns of these types as the texts that the file has; none of Parquet."""
        places = [place for place, one in enumerate(frame) if one.name in names and one.dtype.base_type() in kinds]
        again = read(columns=places, infer_schema=False) if read and places else ()
        return [one.alias(frame.columns[place]) for place, one in zip(places, again, strict=False)]

    # What polars reads as dates may have the month first, and the year 24 may be 2024.
    columns = read_as_text(pl.Date, pl.Datetime) + [one for one in frame if one.name in names and is_formatted(one)]
    values, ways, faults = read_texts(pl.DataFrame(columns), options.decimal, options.dates)
    if "," in ways.values() or faults or options.decimal == ",":  # then 1.101 may be a thousand, too
        columns += read_as_text(pl.Float64)
        values, ways, faults = read_texts(pl.DataFrame(columns), options.decimal, options.dates)
    if faults:
        usual = {"decimal": "," if getattr(options, "separator", ",") == ";" else ".", "dates": "day-first"}
        raise TableError(place, [fault for _, fault in faults], options={key: usual[key] for key, _ in faults})
    if frame.is_empty():
        raise DataError(f"{place} has no rows below its header", hint="Bring rows to learn from")
    frame, own = frame.with_columns(values.values()), selectors.numeric()
    kept = [pl.when(~own.cast(pl.Float64).is_in(numbers)).then(own).name.keep()] if numbers else []
    return frame.with_columns(kept), ways


def _select(frame: pl.DataFrame, options: TableOptions, left_out: set[str | None]) -> pl.DataFrame:
    kept = [one for one in frame if one.name in (options.columns or frame.columns) and one.name not in left_out]
    texts = {one.name: table_columns.to_text(one) if one.name in options.categories else one for one in kept}
    return split_dates(pl.DataFrame(texts))


def suggest_column(name: str, columns: Sequence[str]) -> str:
    """What may be meant by a name that no column has."""
    if len(columns) == 1 and (separator := next((one for one in ";\t|" if one in columns[0]), None)):
        return f'Its only column is {columns[0][:40]!r}: write `separator: "{escape(separator)}"` beside the file'
    near = nearest(name, columns)
    return f"Did you mean {near!r}?" if near else f"Its columns are {itemize(columns, 10)}"


read_csv, read_parquet = partial(_read_file, load_csv), partial(_read_file, load_parquet)


def _is_missing(series: pl.Series) -> pl.Series:
    if is_text(series.dtype):
        series = series.cast(pl.String).replace(table_columns.MISSING, None)
    elif series.dtype.is_float():
        series = series.fill_nan(None)
    return series.is_null()


def _read_values(series: pl.Series, what: str, hint: str) -> Array:
    """The values of a column of targets or weights. Raises DataError, where some are missing with the hint."""
    series = series.alias("")  # polars takes some names for patterns
    if not is_text(series.dtype) and not is_number(series.dtype):
        raise DataError(f"{what} is of type {series.dtype}", hint="It must be numbers, text or booleans")
    absent = _is_missing(series)
    if absent.any():
        where = f"in {pluralize(int(absent.sum()), 'row')}, at first in row {first_row(absent)}"
        raise DataError(f"{what} has no value {where}", hint=hint)
    if is_text(series.dtype):
        return np.array(series.cast(pl.String).to_list(), dtype=object)
    if series.dtype == pl.Boolean or (series.dtype.is_integer() and series.dtype not in (pl.Int128, pl.UInt128)):
        return series.to_numpy().copy()
    values = series.cast(pl.Float64).to_numpy().copy()
    check_fits_32_bits(values, what)
    return values


def rank_values(values: Any, rows: int, how: Split, what: str) -> Places:
    """[N] of so many rows the place of each one's group or time, from 1 on. Raises DataError for a gap, and no time."""
    as_list = isinstance(values, np.ndarray) and values.dtype.kind in "OM"  # polars takes no days, nor objects
    series = polars_table({"": values.tolist() if as_list else values}, what)[""]
    if len(series) != rows or series.dtype.is_nested() or series.dtype.is_object():
        raise DataError(f"{what} is {describe_value(values)}, not a value for each of {rows:,} rows")
    series = series.fill_nan(None) if series.dtype.is_float() else series
    text, kind = (ISO_TIME, "time") if how.time else (".", "group")
    right = series.str.contains(text).fill_null(False) if series.dtype == pl.String else series.is_not_null()
    if not right.all():
        row = int((~right).arg_max() or 0)
        raise DataError(
            f"{what} has {quote(series[row])} in row {row + 1:,}, which is no {kind}",
            hint="Fill gaps, or take such rows out; times are numbers, dates, or texts such as 2026-03-31",
        )
    return np.asarray(series.rank("dense").to_numpy(), np.intp)


def find_group_columns(table: Any, but: Collection[str | None] = ()) -> dict[str, Places]:
    """Columns of text or whole numbers that seem to name groups of rows, by their name or as codes, by their ranks."""
    found = {}
    for series in table.get_columns():
        text = series.dtype == pl.String
        coded = text and bool(series.drop_nulls().str.contains(GROUP_CODE).all())
        named = (text or series.dtype.is_integer()) and re.search(GROUP_NAME, series.name)
        if series.name not in but and (coded or named) and LEAST_VALUES <= series.n_unique() <= len(series) / 2:
            found[series.name] = np.asarray(series.rank("dense").fill_null(0).to_numpy(), np.intp)
    return found


def find_time_order(table: pl.DataFrame) -> tuple[str, ...]:
    """A notice where rows that are to be split by chance stand in the order of a date or time."""
    for series in table.select(selectors.temporal()).get_columns():
        if series.n_unique() >= LEAST_VALUES and (series.is_sorted() or series.is_sorted(descending=True)):
            mend = f"`split: {{time: {yaml_list([series.name])[1:-1]}}}` holds out the latest"
            return (f"the rows stand in the order of {series.name!r}, and a random split mixes its times: {mend}",)
    return ()
