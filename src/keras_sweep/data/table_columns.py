"""The columns of a table: which are numbers, which are categories, and what training rows say about each.

The rules, all fitted on training rows alone:

- Numbers and booleans: (value - mean) / standard deviation. A missing value counts as the training median, and a column
  that misses values in training also gives a 0/1 feature that says so.
- Text: one 0/1 feature a category, sorted. Missing text, and the empty text, are a category of their own where training
  rows have them. A category that training rows do not have gives zeros everywhere.
- A column with one value, or none, in the training rows is dropped, with a notice.
- Dates, times, lists and other types, infinite numbers, texts that are nearly all different, and texts that are mostly
  numbers are faults, and all faults of a table are named at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from keras_sweep.data.arrays import LARGEST_FLOAT32, is_too_fine
from keras_sweep.errors import DataError, TableError

if TYPE_CHECKING:
    import polars as pl

MOST_COLUMNS = 50_000  # more take minutes; images and the like are arrays anyway
MOST_MIXED_COLUMNS = 2_000  # where some are text: each is an input of the exported model, which Keras builds one by one
MOST_CATEGORIES = 100
LONGEST_CATEGORY = 200  # characters
MOST_NOTICES = 10
LONGEST_NAME = 60  # characters of a column's name in a message
LARGEST = 1e30  # far enough inside the range of float32 for sums and quotients
MISSING = ""  # how a missing text is written
BLURRED = (
    "has values that differ by so little, beside their size, that 32 bits blur them: subtract their mean, or use "
    "another unit"
)


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """A column of numbers."""

    name: str
    fill: float  # the training median, in place of a missing value
    mean: float
    deviation: float  # the population's; 0.0 where training rows have one value, and then the value is no feature
    indicator: bool  # whether training rows miss some: then being missing is a feature

    @property
    def used(self) -> bool:
        """Whether it gives any feature."""
        return self.indicator or self.deviation > 0


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column of categories."""

    name: str
    categories: tuple[str, ...]  # sorted; MISSING first where training rows have it

    @property
    def width(self) -> int:
        """Characters that tell all categories, and every longer text, apart."""
        return max(len(category) for category in self.categories) + 1

    @property
    def used(self) -> bool:
        """Whether it gives any feature."""
        return len(self.categories) > 1


Column = NumberColumn | TextColumn


def fit_columns(train: pl.DataFrame, place: str = "the table") -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """(columns, notices) from the training rows. Raises TableError with every fault of every column."""
    faults: list[DataError] = []
    columns: list[Column] = []
    notices: list[str] = []
    numeric = [series.name for series in train if is_number(series.dtype)]
    values = dict(zip(numeric, number_matrix(train, numeric).T, strict=True))
    for name in train.columns:
        try:
            column, notice = _fit_column(train, name, values.get(name))
        except DataError as error:
            faults.append(error)
            continue
        columns.append(column)
        if notice:
            notices.append(f"column {_short(name)} {notice}")
    if faults:
        raise TableError(place, faults)
    if len(notices) > MOST_NOTICES:
        notices[MOST_NOTICES:] = [f"and so {len(notices) - MOST_NOTICES:,} more columns: `sweep data` lists them"]
    texts = sum(isinstance(column, TextColumn) for column in columns)
    if texts and len(columns) > MOST_MIXED_COLUMNS:
        raise DataError(
            f"{place} has {len(columns):,} columns, {texts:,} of them text; where some are text, each is an input of "
            f"the exported model, and at most {MOST_MIXED_COLUMNS:,} are taken",
            hint="Turn text into numbers (a 0/1 column for each category), or leave columns out",
        )
    if not any(column.used for column in columns):
        raise DataError(
            f"{place} has no column to learn from: each has one value or none in the training rows",
            hint="Bring more rows, or other columns",
        )
    return tuple(columns), tuple(notices)


def check_columns(table: pl.DataFrame, place: str = "the table") -> None:
    """Look at all rows of a table, so that a fault is named by its row there. Raises TableError with every fault."""
    check_width(table.width, place)
    faults = []
    wrong = _with_strange_numbers(table)
    for index, series in enumerate(table.get_columns()):
        try:
            if index in wrong:
                must_fit_32_bits(numbers(series), f"column {_short(series.name)}")
            elif is_text(series.dtype):
                _must_not_be_numbers(series)
            elif not is_number(series.dtype):
                raise _of_other_type(series)
        except DataError as error:
            faults.append(error)
    if faults:
        raise TableError(place, faults)


def number_matrix(table: pl.DataFrame, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """These columns as real numbers, [N, len(names)], NaN where a value is missing.

    All at once, since a call of polars for each of thousands of columns takes minutes. Raises DataError as `numbers`.
    """
    import polars as pl

    part = pl.DataFrame({name: table.get_column(name) for name in names})  # `select` takes "*" as all
    slow = [series for series in part if series.dtype == pl.String]  # text that should be numbers
    if slow:
        part = part.with_columns(numbers(series) for series in slow)
    matrix = part.cast(pl.Float64).to_numpy()
    infinite = np.isinf(matrix).any(axis=0)
    if infinite.any():
        numbers(part.to_series(int(infinite.argmax())))  # raises, naming the row
    return np.asarray(matrix, np.float64)


def _with_strange_numbers(table: pl.DataFrame) -> frozenset[int]:
    """The columns that have an infinite number, or one that float32 does not hold."""
    import polars as pl

    columns = [index for index, series in enumerate(table) if is_number(series.dtype)]
    matrix = np.abs(table[:, columns].cast(pl.Float64).to_numpy())
    return frozenset(columns[place] for place in np.flatnonzero((matrix > LARGEST_FLOAT32).any(axis=0)))


def numbers(series: pl.Series) -> pl.Series:
    """The column as real numbers, NaN as missing. Raises DataError for text and infinite values."""
    import polars as pl

    if series.dtype == pl.String:
        texts = series.alias("")  # polars takes some names for patterns
        parsed = texts.str.strip_chars().cast(pl.Float64, strict=False).alias(series.name)
        strange = texts.filter(parsed.is_null() & texts.is_not_null() & (texts != MISSING))
        if len(strange):
            row = _row(texts == strange[0])
            raise DataError(
                f"column {_short(series.name)} has text where numbers are needed: {strange[0][:40]!r} in row {row}"
            )
        return parsed
    values = series.alias("").cast(pl.Float64).fill_nan(None)
    infinite = values.is_infinite().fill_null(False)
    if infinite.any():
        raise DataError(
            f"column {_short(series.name)} has {infinite.sum()} infinite values, the first in row {_row(infinite)}",
            hint="Leave the field empty where a value is missing",
        )
    return values.alias(series.name)


def check_width(columns: int, place: str) -> None:
    """Raises DataError for more columns than are taken."""
    if columns > MOST_COLUMNS:
        raise DataError(
            f"{place} has {columns:,} columns; at most {MOST_COLUMNS:,} are taken",
            hint="Give wide rows as arrays, by `npz` or `python:`",
        )


def must_fit_32_bits(values: pl.Series, what: str) -> None:
    """Raises DataError for a number that float32 does not hold, by its row."""
    values = values.alias("")  # polars takes some names for patterns
    largest = values.abs().max()
    if isinstance(largest, float) and largest > LARGEST_FLOAT32:
        beyond = values.abs() > LARGEST_FLOAT32
        raise DataError(
            f"{what} has {values.filter(beyond)[0]:g} in row {_row(beyond)}, but models take numbers of 32 bits, "
            f"up to {LARGEST_FLOAT32:.2g}",
            hint="Use a larger unit",
        )


def is_number(dtype: pl.DataType) -> bool:
    """Whether a column of this type is one of numbers."""
    import polars as pl

    return dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)


def is_text(dtype: pl.DataType) -> bool:
    """Whether a column of this type is one of categories."""
    import polars as pl

    return dtype in (pl.String, pl.Categorical, pl.Enum)


def _only(series: pl.Series) -> str:
    """What a column without differences has."""
    known = series.alias("").drop_nulls()  # polars takes some names for patterns
    if known.is_empty():
        return "no value"
    bits = " in 32 bits" if is_number(series.dtype) and known.n_unique() > 1 else ""
    return f"one value{bits}, {str(known[0])[:40]!r},"


def _of_other_type(series: pl.Series) -> DataError:
    return DataError(
        f"column {_short(series.name)} is of type {series.dtype}, which is neither number nor text",
        hint="Turn it into numbers (a date into days, say) or take it out of the file",
    )


def _fit_column(table: pl.DataFrame, name: str, values: npt.NDArray[np.float64] | None) -> tuple[Column, str]:
    """(the column, what its owner may not expect); `values` are those of a column of numbers. Raises DataError."""
    if "\0" in name:  # a Keras file can't hold it
        raise DataError(f"column {_short(name)} has a null character in its name", hint="Rename it")
    column: Column
    if values is None:
        column, notice = _text_column(table.get_column(name)), ""
    else:
        column, notice = _number_column(name, np.ascontiguousarray(values))
    if not column.used:
        notice = f"is dropped: it has {_only(table.get_column(name))} in the training rows"
    return column, notice


def _number_column(name: str, values: npt.NDArray[np.float64]) -> tuple[NumberColumn, str]:
    """(the column, what its owner may not expect). NaN is missing."""
    exact = values[~np.isnan(values)]
    if not len(exact):
        return NumberColumn(name, 0.0, 0.0, 0.0, indicator=False), ""
    if np.abs(exact).max() > LARGEST:
        raise DataError(
            f"column {_short(name)} has numbers of {np.abs(exact).max():g}, beyond {LARGEST:g}",
            hint="Use a larger unit",
        )
    known = exact.astype(np.float32).astype(np.float64)  # as the model will see them
    deviation = float(np.float32(known.std())) if known.min() < known.max() else 0.0
    if 0 < deviation < 1 / LARGEST:
        raise DataError(f"column {_short(name)} has numbers that differ by less than 1e-30", hint="Use a smaller unit")
    column = NumberColumn(
        name,
        fill=float(np.float32(np.median(known))),
        mean=float(np.float32(known.mean())),
        deviation=deviation,
        indicator=len(known) < len(values),
    )
    return column, BLURRED if is_too_fine(exact) else ""


def _text_column(series: pl.Series) -> Column:
    import polars as pl

    if not is_text(series.dtype):
        raise _of_other_type(series)
    texts = series.cast(pl.String).alias("")  # polars takes some names for patterns
    known = texts.filter(texts.is_not_null() & (texts != MISSING))
    if known.is_empty():  # such a column of a CSV file is neither text nor numbers
        return NumberColumn(series.name, 0.0, 0.0, 0.0, indicator=False)
    _must_not_be_numbers(series)
    _must_be_categories(known, series.name)
    categories = set(known.unique().to_list())
    if len(known) < len(texts):
        categories.add(MISSING)
    return TextColumn(series.name, tuple(sorted(categories)))


def _must_not_be_numbers(series: pl.Series) -> None:
    """Raises DataError for text of which at least half, but not all, are numbers: a slip in a column of numbers."""
    import polars as pl

    texts = series.cast(pl.String).alias("")  # polars takes some names for patterns
    odd = texts.str.strip_chars().cast(pl.Float64, strict=False).is_null() & texts.is_not_null() & (texts != MISSING)
    known = len(texts) - texts.null_count() - (texts == MISSING).sum()
    if 0 < odd.sum() <= known / 2:
        first = texts.filter(odd)[0][:40]
        raise DataError(
            f"column {_short(series.name)} has text where numbers should be: {first!r} in row {_row(odd)}, "
            f"and {odd.sum()} such values in all",
            hint="Leave the field empty where a value is missing",
        )


def _must_be_categories(known: pl.Series, name: str) -> None:
    different = known.n_unique()
    if different > MOST_CATEGORIES:
        raise DataError(
            f"column {_short(name)} has {different} different texts in {len(known)} rows; "
            f"at most {MOST_CATEGORIES} make categories",
            hint="Take it out of the file, or group its values",
        )
    longest = known.str.len_chars().max()
    if isinstance(longest, int) and longest > LONGEST_CATEGORY:
        raise DataError(
            f"column {_short(name)} has texts of up to {longest} characters; a category has at most {LONGEST_CATEGORY}",
            hint="Take it out of the file, or shorten its values",
        )


def _short(name: str) -> str:
    """A column's name for a message."""
    return repr(name) if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]!r}..."


def _row(found: pl.Series) -> int:
    place = found.fill_null(False).arg_max()
    return 1 + (place or 0)
