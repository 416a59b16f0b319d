"""Read numbers and dates that a file has as texts, like 1.101,50 or 5 % or 02/29/2024.

Texts like 1,101 and 02/03/2024 can be read in two ways. A column is read in the way that fits all its texts. If both
ways fit and the values differ, columns that fit a single way decide. If none does, the user sets `decimal` or `dates`.
"""

import re
from collections.abc import Mapping
from typing import TypeAlias

import polars as pl

from keras_sweep.errors import DataError
from keras_sweep.space.text import quote

Ways: TypeAlias = Mapping[str, str]  # column -> ".", ",", "day-first" or "month-first"
_DATE = re.compile(r"\d{1,2}([/.-])\d{1,2}\1(\d{4}|\d{2})( .+)?")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")


def is_formatted(series: pl.Series) -> bool:
    """Return whether a column has a text that is not a plain number, like "1.101,50", "2026-03-31" or "red". If all
    texts are plain numbers, return False: such texts may be codes of categories, like "01"."""
    return series.dtype == pl.String and series.cast(pl.Float64, strict=False).null_count() > series.null_count()


def read_texts(
    texts: pl.DataFrame, *known: str | None
) -> tuple[dict[str, pl.Series], Ways, list[tuple[str, DataError]]]:
    """Parse text columns as numbers or dates. Return (name -> parsed column, name -> how it was parsed, faults),
    without columns of other texts. A fault is ("decimal" or "dates", error) of a column that can be read in two ways.
    `known` has the ways that the user chose (see `Ways`), or None."""
    columns, ways, faults = dict[str, pl.Series](), dict[str, str](), list[tuple[str, DataError]]()
    stripped = {series.name: series.alias("").str.strip_chars().replace("", None) for series in texts}
    for key, pair, read in (("decimal", (".", ","), to_numbers), ("dates", ("day-first", "month-first"), _to_dates)):
        allowed, fits = [way for way in pair if way in known] or pair, dict[str, dict[str, pl.Series]]()
        for name, series in stripped.items():
            values = {way: read(series, way) for way in allowed} if series.count() else {}
            fits[name] = {way: parsed for way, parsed in values.items() if parsed.null_count() == series.null_count()}
        proven = {way for options in fits.values() if len(options) == 1 for way in options}
        for name, options in fits.items():
            choices = [way for way in options if proven == {way}] or list(options)
            if len(choices) == 2 and not options[choices[0]].equals(options[choices[1]]):
                first, second = (options[way] for way in choices)
                row = int((first != second).arg_max() or 0)
                message = f"column {quote(name)} has {texts[name][row]!r} in row {row + 1:,}, which may be "
                hint = f"Write `{key}: {quote(choices[0])}` or `{key}: {quote(choices[1])}` beside the file in `data`"
                faults.append((key, DataError(f"{message}{first[row]} or {second[row]}", hint=hint)))
            elif choices:
                columns[name], ways[name] = options[choices[0]].alias(name), choices[0]
    return columns, ways, faults


def to_numbers(texts: pl.Series, decimal: str) -> pl.Series:
    """Parse numbers with the `decimal` sign "." or ",". Thousands may be separated by the other sign, a space or an
    apostrophe. "%" is dropped if all numbers have it. Texts that are no numbers become null."""
    separators = ("," if decimal == "." else ".") + " \u00a0\u202f'"
    digits = rf"(?:\d+|[1-9]\d{{0,2}}(?:[{separators}]\d{{3}})+)(?:[{decimal}]\d*)?|[{decimal}]\d+"
    numbers = texts.str.extract(rf"^\s*([+-]?(?:{digits})(?:[eE][+-]?\d+)?)\s*%?\s*$")
    has_percent = texts.str.contains("%").filter(numbers.is_not_null())
    if has_percent.any() and not has_percent.all():
        numbers = numbers.clear(len(numbers))
    values = numbers.str.replace_all(f"[{separators}]", "").str.replace(decimal, ".", literal=True).cast(pl.Float64)
    is_whole = (values.abs() < 2**53).all() and (values % 1 == 0).all()
    return values.cast(pl.Int64) if is_whole else values


def _to_dates(texts: pl.Series, way: str) -> pl.Series:
    """Parse dates in which the year is last, with or without a time after it. `way` is "day-first" or "month-first".
    Other texts become null. Dates with dots, like 29.02.2024, are only day-first."""
    first, values = _DATE.fullmatch(texts.drop_nulls()[0]), texts.clear(len(texts))
    if first is None or (first[1] == "." and way == "month-first"):
        return values
    separator, digits = first[1], len(first[2])
    texts = texts.str.extract(rf"^(\d+[{separator}]\d+[{separator}]\d{{{digits}}}(?: .*)?)$")
    days, year = ("%d{0}%m{0}" if way == "day-first" else "%m{0}%d{0}").format(separator), "%Y" if digits == 4 else "%y"
    for time in _TIMES:
        values = texts.str.to_datetime(f"{days}{year}{time}", strict=False)
        if values.count():
            return values if time else values.cast(pl.Date)
    return values
