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

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keras_sweep.errors import DataError

if TYPE_CHECKING:
    import polars as pl

MOST_CATEGORIES = 100
LONGEST_CATEGORY = 200  # characters
LARGEST = 1e30  # far enough inside the range of float32 for sums and quotients
MISSING = ""  # how a missing text is written


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


def fit_columns(train: pl.DataFrame) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """(columns, notices) from the training rows. Raises DataError with every fault of every column."""
    faults: list[str] = []
    columns: list[Column] = []
    notices: list[str] = []
    for series in train.get_columns():
        try:
            column = _column(series)
        except DataError as error:
            faults.append(str(error))
            continue
        columns.append(column)
        if not column.used:
            known = series.drop_nulls()
            what = "no value" if known.is_empty() else f"one value, {str(known[0])[:40]!r},"
            notices.append(f"column {series.name!r} is dropped: it has {what} in the training rows")
    if faults:
        raise DataError("\n".join(faults))
    if not any(column.used for column in columns):
        raise DataError("no column is left to learn from: each has one value or none in the training rows")
    return tuple(columns), tuple(notices)


def check_columns(table: pl.DataFrame) -> None:
    """Look at all rows of a table, so that a fault is named by its row there. Raises DataError with every fault."""
    faults = []
    for series in table.get_columns():
        try:
            if is_number(series.dtype):
                numbers(series)
            elif is_text(series.dtype):
                _must_not_be_numbers(series)
            else:
                raise _of_other_type(series)
        except DataError as error:
            faults.append(str(error))
    if faults:
        raise DataError("\n".join(faults))


def numbers(series: pl.Series) -> pl.Series:
    """The column as real numbers, NaN as missing. Raises DataError for text and infinite values."""
    import polars as pl

    if series.dtype == pl.String:
        parsed = series.str.strip_chars().cast(pl.Float64, strict=False)
        strange = series.filter(parsed.is_null() & series.is_not_null() & (series != MISSING))
        if len(strange):
            row = _row(series == strange[0])
            raise DataError(
                f"column {series.name!r} has text where numbers are needed: {strange[0][:40]!r} in row {row}"
            )
        return parsed
    values = series.cast(pl.Float64).fill_nan(None)
    infinite = values.is_infinite().fill_null(False)
    if infinite.any():
        raise DataError(
            f"column {series.name!r} has {infinite.sum()} infinite values, the first in row {_row(infinite)}",
            hint="Leave the field empty where a value is missing",
        )
    return values


def is_number(dtype: pl.DataType) -> bool:
    """Whether a column of this type is one of numbers."""
    import polars as pl

    return dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)


def is_text(dtype: pl.DataType) -> bool:
    """Whether a column of this type is one of categories."""
    import polars as pl

    return dtype in (pl.String, pl.Categorical, pl.Enum)


def _column(series: pl.Series) -> Column:
    if is_number(series.dtype):
        return _number_column(series)
    if is_text(series.dtype):
        return _text_column(series)
    raise _of_other_type(series)


def _of_other_type(series: pl.Series) -> DataError:
    return DataError(
        f"column {series.name!r} is of type {series.dtype}, which is neither number nor text",
        hint="Turn it into numbers (a date into days, say) or take it out of the file",
    )


def _number_column(series: pl.Series) -> NumberColumn:
    values = numbers(series)
    exact = values.drop_nulls().to_numpy().astype(np.float64)
    if not len(exact):
        return NumberColumn(series.name, 0.0, 0.0, 0.0, indicator=False)
    if np.abs(exact).max() > LARGEST:
        raise DataError(f"column {series.name!r} has numbers above {LARGEST:g}", hint="Use a larger unit")
    known = exact.astype(np.float32).astype(np.float64)  # as the model will see them
    deviation = float(np.float32(known.std())) if known.min() < known.max() else 0.0
    if 0 < deviation < 1 / LARGEST:
        raise DataError(f"column {series.name!r} has numbers that differ by less than 1e-30", hint="Use a smaller unit")
    return NumberColumn(
        series.name,
        fill=float(np.float32(np.median(known))),
        mean=float(np.float32(known.mean())),
        deviation=deviation,
        indicator=len(known) < len(series),
    )


def _text_column(series: pl.Series) -> Column:
    import polars as pl

    texts = series.cast(pl.String)
    known = texts.filter(texts.is_not_null() & (texts != MISSING))
    if known.is_empty():  # such a column of a CSV file is neither text nor numbers
        return NumberColumn(series.name, 0.0, 0.0, 0.0, indicator=False)
    _must_not_be_numbers(series)
    _must_be_categories(known)
    categories = set(known.unique().to_list())
    if len(known) < len(texts):
        categories.add(MISSING)
    return TextColumn(series.name, tuple(sorted(categories)))


def _must_not_be_numbers(series: pl.Series) -> None:
    """Raises DataError for text of which at least half, but not all, are numbers: a slip in a column of numbers."""
    import polars as pl

    texts = series.cast(pl.String)
    odd = texts.str.strip_chars().cast(pl.Float64, strict=False).is_null() & texts.is_not_null() & (texts != MISSING)
    known = len(texts) - texts.null_count() - (texts == MISSING).sum()
    if 0 < odd.sum() <= known / 2:
        first = texts.filter(odd)[0][:40]
        raise DataError(
            f"column {series.name!r} has text where numbers should be: {first!r} in row {_row(odd)}, "
            f"and {odd.sum()} such values in all",
            hint="Leave the field empty where a value is missing",
        )


def _must_be_categories(known: pl.Series) -> None:
    different = known.n_unique()
    if different > MOST_CATEGORIES:
        raise DataError(
            f"column {known.name!r} has {different} different texts in {len(known)} rows; "
            f"at most {MOST_CATEGORIES} make categories",
            hint="Take it out of the file, or group its values",
        )
    longest = known.str.len_chars().max()
    if isinstance(longest, int) and longest > LONGEST_CATEGORY:
        raise DataError(
            f"column {known.name!r} has texts of up to {longest} characters; a category has at most {LONGEST_CATEGORY}",
            hint="Take it out of the file, or shorten its values",
        )


def _row(found: pl.Series) -> int:
    place = found.fill_null(False).arg_max()
    return 1 + (place or 0)
