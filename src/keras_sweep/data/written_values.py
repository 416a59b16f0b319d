"""Numbers and dates that a file has as texts: 1.101,50 or 5 % or 02/29/2024. The one rule by which they are read.

A column is read in a way that fits each of its texts, over all rows. Where two ways fit and differ, as for 1,101 and
02/03/2024, the other columns of the file decide, if they prove one way alone. Else the keys `decimal` and `dates` do.
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
    """Whether a column has texts that are not all plain numbers, which a file may have as names of categories."""
    return series.dtype == pl.String and series.cast(pl.Float64, strict=False).null_count() > series.null_count()


def read_texts(
    texts: pl.DataFrame, *known: str | None
) -> tuple[dict[str, pl.Series], Ways, list[tuple[str, DataError]]]:
    """Columns that are numbers or dates, the way of each, and faults of those with two; `known` ways are the user's."""
    columns, ways, faults = dict[str, pl.Series](), dict[str, str](), list[tuple[str, DataError]]()
    stripped = {series.name: series.alias("").str.strip_chars().replace("", None) for series in texts}
    for key, both, read in (("decimal", (".", ","), to_numbers), ("dates", ("day-first", "month-first"), _to_dates)):
        possible, fits = [way for way in both if way in known] or both, dict[str, dict[str, pl.Series]]()
        for name, series in stripped.items():
            values = {way: read(series, way) for way in possible} if series.count() else {}
            fits[name] = {way: of_way for way, of_way in values.items() if of_way.null_count() == series.null_count()}
        proven = {way for fitting in fits.values() if len(fitting) == 1 for way in fitting}
        for name, fitting in fits.items():
            chosen = [way for way in fitting if proven == {way}] or list(fitting)
            if len(chosen) == 2 and not fitting[chosen[0]].equals(fitting[chosen[1]]):
                one, other = (fitting[way] for way in chosen)
                row = int((one != other).arg_max() or 0)
                said = f"column {quote(name)} has {texts[name][row]!r} in row {row + 1:,}, which may be "
                hint = f"Write `{key}: {quote(chosen[0])}` or `{key}: {quote(chosen[1])}` beside the file in `data`"
                faults.append((key, DataError(f"{said}{one[row]} or {other[row]}", hint=hint)))
            elif chosen:
                columns[name], ways[name] = fitting[chosen[0]].alias(name), chosen[0]
    return columns, ways, faults


def to_numbers(texts: pl.Series, decimal: str) -> pl.Series:
    """Numbers with that sign before a fraction, and the other, a space or an apostrophe between thousands; with "%"
    the number before it, if all have it. Null for other texts."""
    between = ("," if decimal == "." else ".") + " \u00a0\u202f'"
    digits = rf"(?:\d+|[1-9]\d{{0,2}}(?:[{between}]\d{{3}})+)(?:[{decimal}]\d*)?|[{decimal}]\d+"
    found = texts.str.extract(rf"^\s*([+-]?(?:{digits})(?:[eE][+-]?\d+)?)\s*%?\s*$")
    shares = texts.str.contains("%").filter(found.is_not_null())
    if shares.any() and not shares.all():
        found = found.clear(len(found))
    values = found.str.replace_all(f"[{between}]", "").str.replace(decimal, ".", literal=True).cast(pl.Float64)
    whole = (values.abs() < 2**53).all() and (values % 1 == 0).all()
    return values.cast(pl.Int64) if whole else values


def _to_dates(texts: pl.Series, way: str) -> pl.Series:
    """Dates, with or without a time, that have the year last; else null. 29.02.2024 has the day first."""
    first, values = _DATE.fullmatch(texts.drop_nulls()[0]), texts.clear(len(texts))
    if first is None or (first[1] == "." and way == "month-first"):
        return values
    mark, digits = first[1], len(first[2])
    texts = texts.str.extract(rf"^(\d+[{mark}]\d+[{mark}]\d{{{digits}}}(?: .*)?)$")
    days, year = ("%d{0}%m{0}" if way == "day-first" else "%m{0}%d{0}").format(mark), "%Y" if digits == 4 else "%y"
    for time in _TIMES:
        values = texts.str.to_datetime(f"{days}{year}{time}", strict=False)
        if values.count():
            return values if time else values.cast(pl.Date)
    return values
