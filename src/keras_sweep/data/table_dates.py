"""Dates and times of a table, which become columns of numbers: `built` gives `built (year)`, `built (month)`, ..."""

import re
from collections.abc import Sequence

import polars as pl

OF_DATES = ("year", "month", "day", "weekday")  # each a method of polars; Monday is 1
PARTS = (*OF_DATES, "hour")
_PART = re.compile(rf"(.*) \(({'|'.join(PARTS)})\)", re.DOTALL)


def with_parts_of_dates(table: pl.DataFrame) -> pl.DataFrame:
    """A table with the parts of each date or time, as whole numbers, in its place."""
    columns: list[pl.Series] = []
    for series in table.get_columns():
        kind = series.dtype
        parts = OF_DATES if kind == pl.Date else PARTS if kind == pl.Datetime else PARTS[-1:] if kind == pl.Time else ()
        columns += [getattr(series.dt, part)().alias(f"{series.name} ({part})") for part in parts] or [series]
    return pl.DataFrame(columns)


def date_part(name: str) -> tuple[str, str] | None:
    """The column of dates that a column of numbers is a part of, and which; None for another name."""
    found = _PART.fullmatch(name)
    return None if found is None else (found[1], found[2])


def with_dates_read(table: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """A table with those of the names that are parts of its dates; dates that are texts are read as in a file.

    Raises polars's errors for texts that are no dates.
    """
    parts = [found for name in names if name not in table.columns and (found := date_part(name)) is not None]
    dates = []
    for column in dict.fromkeys(column for column, _ in parts if column in table.columns):
        series, timed = table.get_column(column), [part for of, part in parts if of == column] == ["hour"]
        if series.dtype == pl.String:
            series = series.str.to_time() if timed else series.str.to_datetime()
        dates.append(series if timed else series.cast(pl.Datetime))
    return table.hstack(with_parts_of_dates(pl.DataFrame(dates)).get_columns()) if dates else table
