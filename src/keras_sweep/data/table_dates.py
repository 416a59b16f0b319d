"""Dates of a table, which become columns of numbers: `built` gives `built (year)`, `built (month)`, ..."""

import re
from collections.abc import Sequence

import polars as pl

PARTS = ("year", "month", "day", "weekday", "hour")  # each a method of polars; Monday is 1
_PART = re.compile(rf"(.*) \(({'|'.join(PARTS)})\)", re.DOTALL)


def with_parts_of_dates(table: pl.DataFrame) -> pl.DataFrame:
    """A table with the parts of each date, with or without a time, as whole numbers in its place."""
    columns: list[pl.Series] = []
    for series in table.get_columns():
        parts = PARTS[:-1] if series.dtype == pl.Date else PARTS if series.dtype == pl.Datetime else ()
        columns += [getattr(series.dt, part)().alias(f"{series.name} ({part})") for part in parts] or [series]
    return pl.DataFrame(columns)


def date_part(name: str) -> tuple[str, str] | None:
    """The column of dates that a column of numbers is a part of, and which; None for another name."""
    found = _PART.fullmatch(name)
    return None if found is None else (found[1], found[2])


def with_dates_read(table: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """A table with those of the names that are parts of its dates. Raises what polars does for other texts."""
    parts = [found[0] for name in names if name not in table.columns and (found := date_part(name)) is not None]
    dates = [table.get_column(name) for name in dict.fromkeys(parts) if name in table.columns]
    dates = [one.str.to_datetime() if one.dtype == pl.String else one.cast(pl.Datetime) for one in dates]
    return table.hstack(with_parts_of_dates(pl.DataFrame(dates)).get_columns()) if dates else table
