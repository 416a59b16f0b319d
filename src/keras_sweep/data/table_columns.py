"""Decide which columns of a table are numbers and which are categories, check them, and fit their scales.

All scales and categories come from training rows alone:

- Numbers and booleans become (value - mean) / standard deviation. A missing value becomes the training median. If
  training rows miss values, a second feature is 1 where the value is missing, and 0 elsewhere.
- Text becomes a 0/1 feature for each category, in sorted order. If training rows have missing or empty texts, these are
  a category. A category that no training row has gives only zeros.
- A column with a single value or none in the training rows is dropped, with a notice. A user's model may rely on each
  column of numbers: for a user's model the column stays, as a feature that is 0.

Faults in any row are lists and other types, infinite numbers, and a few texts in a column of numbers. Faults in
training rows are texts that nearly all differ, and numbers near the limits of 32 bits. All faults of a table are
reported at once, with the options that fix them.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from keras_sweep.data.arrays import BLURRED, LARGEST_FLOAT32, check_fits_32_bits, find_blurred_columns
from keras_sweep.data.labels import near_copies
from keras_sweep.data.written_values import to_numbers
from keras_sweep.errors import DataError, TableError
from keras_sweep.space.text import format_yaml_list, itemize, quote

MOST_COLUMNS = 50_000  # more take minutes; wide rows, like images, belong into arrays
MOST_MIXED_COLUMNS = 2_000  # the limit if some are text: Keras builds an input for each column
MOST_CATEGORIES = 100
MOST_NOTICES = 10
BLOCK = 1 << 20  # bytes of values that are described at once: they fit into a processor's cache
LARGEST = 1e30  # sums and quotients stay inside the range of float32
MOST_ALIKE = 20  # ids and free text have more different texts, which differ in over half of the rows
MISSING = ""  # replaces a missing text
NO_VALUE = frozenset({"na", "n/a", "#n/a", "nan", "null", "none", "?", "-", "--", ".", "missing", "unknown"})
_ID = re.compile(r"(.*[^a-z])?(id|uuid)|(.*[a-z0-9])?(Id|ID)|([Ii]ndex|[Rr]ow|[Nn]r|[Nn]o|[Nn]umber|Unnamed: 0|)")


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """Hold how a column of numbers becomes features. All values are fitted on training rows."""

    name: str
    fill: float = 0.0  # the training median, used for a missing value
    mean: float = 0.0
    deviation: float = 0.0  # of the population; 0 if training rows have a single value, which gives no feature
    indicator: bool = False  # whether training rows miss values, which a second feature marks
    kept: bool = False  # whether a column with a single value stays, as a feature that is 0

    @property
    def used(self) -> bool:
        return self.indicator or self.deviation > 0 or self.kept


@dataclass(frozen=True, slots=True)
class TextColumn:
    """Hold the categories of a text column in the training rows."""

    name: str
    categories: tuple[str, ...]  # sorted; MISSING is first if training rows have it

    @property
    def width(self) -> int:
        """Return how many characters of each text to read: one more than the longest category has. A longer text then
        still differs from every category."""
        return max(len(category) for category in self.categories) + 1

    @property
    def used(self) -> bool:
        return len(self.categories) > 1


Column = NumberColumn | TextColumn


def polars_table(table: Any, what: str = "the rows") -> pl.DataFrame:
    """Convert a DataFrame, Arrow table or mapping of columns to polars. NaN in text becomes None. Raises DataError,
    where `what` names the table."""
    if isinstance(table, pl.DataFrame):
        return table
    try:
        if type(table).__module__.startswith("pyarrow."):
            return pl.DataFrame(pl.from_arrow(table))
        columns = {}
        for name in table:
            column = table[name]
            if hasattr(column, "isna"):
                values = column.to_numpy()
                column = list(np.where(column.isna(), None, values)) if values.dtype == object else values
            columns[str(name)] = column
        return pl.DataFrame(columns, strict=False)
    except Exception as error:  # the user's type may raise anything
        raise DataError(f"{what} can't be read as a table or a mapping of columns by name: {error}") from error


def check_columns(
    table: pl.DataFrame,
    place: str = "the table",
    *,
    texts: Sequence[str] = (),
    others: Sequence[DataError] = (),
    gaps: bool = True,
) -> None:
    """Check the columns of a table before its rows are split, so that an error can name the row. Raises TableError with
    every fault, also with `others`, the faults that the caller found. `place` names the table in errors. Columns in
    `texts` are categories even if their values look like numbers. If `gaps` is false, no hint suggests empty fields."""
    values, category_faults = dict(zip(*_number_values(table), strict=True)), []

    def check(name: str, series: pl.Series) -> None:
        if "\0" in name:  # a Keras file can't hold this character
            raise DataError(f"column {quote(name)} has a null character in its name", hint="Rename it")
        if name in values:
            check_fits_32_bits(values[name], f"column {quote(name)}", gaps=True)
        elif is_text(series.dtype):
            known, _, odd = _split_numbers(series)
            # If at least half of the texts are numbers, but not all, the other texts are typing errors.
            if name not in texts and 0 < odd.sum() <= known.count() / 2:
                raise _text_fault(name, known, odd, gaps=gaps)
            try:
                _fit_text_column(name, series)
            except DataError as fault:
                category_faults.append(fault)  # training rows decide: reported here only beside other faults
        else:
            hint = "Convert it to numbers (a date to days, for example) or remove it"
            raise DataError(f"column {quote(name)} must be numbers or text, but got {series.dtype}", hint=hint)

    _, faults = _map_columns(table, check)
    if faults or others:
        options = odd_columns(table) if gaps else {}
        raise TableError(place, [*others, *faults, *category_faults], _describe_options(options), options)


def odd_columns(table: pl.DataFrame) -> dict[str, list[str]]:
    """Return options of `data` that fix a table: "drop" -> names of columns of ids or free text, "missing" -> texts
    like "?" among numbers. Options that are not needed are left out."""
    drop, missing = [], set()
    for name, series in zip(table.columns, table.get_columns(), strict=True):
        if series.dtype == pl.String:
            texts, numbers, odd = _split_numbers(series.alias(""))
            no_value = set(texts.filter(odd).unique())
            if numbers.count() and all(text.strip().lower() in NO_VALUE for text in no_value):
                missing |= no_value
            elif texts.n_unique() > min(MOST_CATEGORIES, max(MOST_ALIKE, texts.count() / 2)):
                drop.append(name)
        elif series.dtype.is_integer() and _ID.fullmatch(name) and 2 < series.n_unique() == len(series):
            drop.append(name)
    return {key: texts for key, texts in (("drop", drop), ("missing", sorted(missing))) if texts}


def _describe_options(options: Mapping[str, Sequence[str]]) -> str | None:
    keys_text = " and ".join(f"`{key}: {format_yaml_list(texts)}`" for key, texts in options.items())
    effect = "beside the file in `data` would leave out ids, free text and texts that mean no value"
    return f"{keys_text} {effect}" if keys_text else None


def fit_columns(
    train: pl.DataFrame, place: str = "the table", *, keep: bool = False
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Fit columns on training rows. Return (columns, notices). If `keep` is true, a column of numbers with a single
    value is not dropped. `place` names the table in errors. Raises TableError with every fault."""
    numbers = _fit_number_columns(*_number_values(train))
    fix = _describe_options(options := odd_columns(train))
    notices = [] if fix is None else [fix]

    def fit(name: str, series: pl.Series) -> Column:
        column, blurred, largest = numbers.get(name) or (_fit_text_column(name, series), False, 0.0)
        if isinstance(column, NumberColumn):
            _check_scale(name, largest, column.deviation)
            blurred |= series.dtype.is_integer() and not column.deviation and series.drop_nulls().n_unique() > 1
            column = replace(column, kept=keep and not column.deviation)
        elif copies := near_copies(column.categories):
            notices.append(f"column {quote(name)} has {copies}")
        if not column.used:
            reason = f"its values {BLURRED}" if blurred else "it has a single value or none in the training rows"
            notices.append(f"column {quote(name)} is dropped: {reason}")
        elif blurred:
            notices.append(f"column {quote(name)} has values that {BLURRED}")
        return column

    fitted, faults = _map_columns(train, fit)
    if faults:
        raise TableError(place, faults, fix, options)
    if len(notices) > MOST_NOTICES:
        notices[MOST_NOTICES:] = [f"{len(notices) - MOST_NOTICES:,} more columns have notices: `sweep data` lists them"]
    _check_fitted(fitted, place)
    return tuple(fitted), tuple(notices)


def _check_fitted(columns: Sequence[Column], place: str) -> None:
    texts = sum(isinstance(column, TextColumn) for column in columns)
    if texts and len(columns) > MOST_MIXED_COLUMNS:
        raise DataError(
            f"{place} must have at most {MOST_MIXED_COLUMNS:,} columns if some are text, but got {len(columns):,}, "
            f"{texts:,} of them text",
            hint="Convert text to numbers (a 0/1 column for each category), or leave columns out",
        )
    if not any(column.used and not getattr(column, "kept", False) for column in columns):
        raise DataError(
            f"{place} has no column to learn from: each is empty or has one value in the training rows (as float32)",
            hint="Add rows or other columns",
        )


def _map_columns(table: pl.DataFrame, function: Callable[[str, pl.Series], Any]) -> tuple[list[Any], list[DataError]]:
    results, faults = [], []
    for series in table.get_columns():
        try:
            results.append(function(series.name, series.alias("")))  # polars reads some names as patterns
        except DataError as fault:
            faults.append(fault)
    return results, faults


def _fit_number_columns(
    names: Sequence[str], values: npt.NDArray[np.float64]
) -> dict[str, tuple[NumberColumn, bool, float]]:
    """Fit columns of numbers, [columns, N]. Return name -> (column, whether values are blurred, largest absolute
    value). Columns with the same count of known values are fitted at once, since calls for each of thousands of columns
    take seconds. Each sum has the order that it has for a single column."""
    known = ~np.isnan(values)
    counts, fitted = known.sum(axis=1), {name: (NumberColumn(name), False, 0.0) for name in names}
    for count in np.unique(counts[counts > 0]):
        places = np.flatnonzero(counts == count)
        for block in np.array_split(places, 1 + len(places) * count * values.itemsize // BLOCK):
            exact = values[block][known[block]].reshape(-1, count)
            with np.errstate(all="ignore"):  # numbers beyond LARGEST are a fault of their column
                part = exact.astype(np.float32).astype(np.float64)  # the model gets float32
                deviations = np.where(part.min(axis=1) < part.max(axis=1), part.std(axis=1), 0)
                blurred = np.isin(np.arange(len(block)), find_blurred_columns(exact.T))
                scales = np.stack((np.median(part, axis=1), part.mean(axis=1), deviations)).astype(np.float32)
            facts = zip(blurred.tolist(), np.abs(exact).max(axis=1).tolist(), strict=True)
            for place, (fill, mean, deviation), more in zip(block, scales.T.tolist(), facts, strict=True):
                column = NumberColumn(names[place], fill, mean, deviation, indicator=bool(count < values.shape[1]))
                fitted[column.name] = (column, *more)
    return fitted


def _check_scale(name: str, largest: float, deviation: float) -> None:
    if largest > LARGEST:
        what = f"column {quote(name)} must have numbers up to {LARGEST:g}, but got {largest:g}"
        raise DataError(what, hint="Use a larger unit")
    if 0 < deviation < 1 / LARGEST:
        raise DataError(
            f"column {quote(name)} has numbers too close together to scale: they differ by less than 1e-30",
            hint="Use a smaller unit",
        )


def _fit_text_column(name: str, series: pl.Series) -> Column:
    known = series.cast(pl.String).replace(MISSING, None).drop_nulls()
    if known.is_empty():  # an empty column of a CSV file is neither text nor numbers
        return NumberColumn(name)
    categories = set(known.unique().to_list())
    if len(categories) > MOST_CATEGORIES:
        texts = f"{len(categories)} different texts in {len(known)} rows"
        message = f"column {quote(name)} must have at most {MOST_CATEGORIES} categories, but got {texts}"
        groups = "If it names groups, set `split: {groups: ...}`" if len(known) >= 2 * len(categories) else None
        raise DataError(message, hint=groups)
    if len(known) < len(series):
        categories.add(MISSING)
    return TextColumn(name, tuple(sorted(categories)))


def number_matrix(table: pl.DataFrame, names: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return columns of numbers or numeric texts as [N, len(names)], with NaN for missing values. Raises DataError."""
    columns, named = [], {series.name: series for series in table.get_columns()}
    for name in names:
        series = named[name]
        if not is_number(series.dtype):
            texts, parsed, odd = _split_numbers(series.alias(""))
            if odd.any():
                raise _text_fault(name, texts, odd)
            series = parsed.alias(name)
        columns.append(series)
    _, values = _number_values(pl.DataFrame(columns))
    if (np.abs(values) > LARGEST_FLOAT32).any():
        for name, column in zip(names, values, strict=True):
            check_fits_32_bits(column, f"column {quote(name)}", gaps=True)
    return np.ascontiguousarray(values.reshape(len(names), len(table)).T, np.float32)


def check_names(names: Sequence[str], place: str) -> None:
    """Raise DataError if the table `place` has more than MOST_COLUMNS columns, or several columns of the same name."""
    if len(names) > MOST_COLUMNS:
        hint = "Give wide rows as arrays, with `npz` or `python`"
        raise DataError(f"{place} must have at most {MOST_COLUMNS:,} columns, but got {len(names):,}", hint=hint)
    if duplicates := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"{place} has several columns called {itemize(duplicates)}", hint="Rename them")


def is_number(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)


def is_text(dtype: pl.DataType) -> bool:
    return dtype in (pl.String, pl.Categorical, pl.Enum)


def to_text(series: pl.Series) -> pl.Series:
    """Convert a column of categories to text, with null for missing values. Whole numbers like 3.0 become `3`."""
    if series.dtype.is_float() and (series.fill_nan(None).drop_nulls() % 1 == 0).all():
        series = series.fill_nan(None).cast(pl.Int64)
    return series.cast(pl.String)


def first_row(mask: pl.Series) -> int:
    """Return the number of the first row where `mask` is true, counted from 1."""
    return 1 + (mask.fill_null(False).arg_max() or 0)


def _number_values(table: pl.DataFrame) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Return the names of the columns of numbers, and their values, [columns, N], with NaN for missing values."""
    # One call for all columns: thousands of calls of polars take minutes.
    columns = [series for series in table.get_columns() if is_number(series.dtype)]
    values = pl.DataFrame(columns).cast(pl.Float64).to_numpy()
    return [series.name for series in columns], np.ascontiguousarray(values.T, np.float64)


def _split_numbers(series: pl.Series) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Return three columns: the texts (null if missing), the numbers in them, and whether a text is no number."""
    texts = series.cast(pl.String).replace(MISSING, None)
    parsed = texts.str.strip_chars().cast(pl.Float64, strict=False)
    if parsed.null_count() > texts.null_count():
        parsed = max(parsed, *(to_numbers(texts, decimal) for decimal in (".", ",")), key=pl.Series.count)
    return texts, parsed, texts.is_not_null() & parsed.is_null()


def _text_fault(name: str, texts: pl.Series, odd: pl.Series, *, gaps: bool = True) -> DataError:
    place = f"{texts.filter(odd)[0][:40]!r} in row {first_row(odd)}"
    hint = "If a value is missing, leave the field empty" if gaps else "Write a number instead"
    return DataError(f"column {quote(name)} must be numbers, but got {place}", hint=hint)
