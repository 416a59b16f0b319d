"""Read the rows of a database query as a table, in the query's order. Changes by a query are never saved."""

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from keras_sweep.data.source import SourceRows, missing_path_error
from keras_sweep.data.table_columns import check_names
from keras_sweep.data.table_files import read_table
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import DataSpec
from keras_sweep.space.text import itemize, quote

_READS = re.compile(r"(\s|--[^\n]*\n|/\*.*?\*/|\()*(select|with|values)\b", re.IGNORECASE | re.DOTALL)
_DRIVER = "Install its driver, or name an installed driver, as in `postgresql+psycopg://`"


def read_sql(data: DataSpec, folder: Path) -> SourceRows:
    """Read the rows of the SQL query `data.source`, which begins with `select`, `with` or `values`. The database is
    `data.options.database`: a file in `folder`, or the URL of a server. Raises DataError or TableError."""
    place = server_of(data)
    engine_options: dict[str, Any] = {"url": os.path.expandvars(data.options.database)}
    if not _READS.match(data.source):
        raise DataError(f"`sql` must begin with `select`, `with` or `values`, but got {quote(data.source)}")
    if place is None:
        path = (folder / Path(data.options.database).expanduser()).absolute()
        if not path.is_file():
            raise missing_path_error("database", path)
        place, creator = str(path), partial(sqlite3.connect, f"{path.as_uri()}?mode=ro", uri=True)
        engine_options = {"url": "sqlite://", "creator": creator}
    elif "$" in engine_options["url"]:
        raise DataError(f"the environment variable in `database: {place}` is not set", hint="Set it in the shell")
    return read_table(data, place, partial(_load, data.source, place, engine_options))


def server_of(data: DataSpec) -> str | None:
    """Return the URL of a database server, or None for a database file. Raises DataError for a password in the URL."""
    database: str = data.options.database
    if re.search(r"://[^/@]*:[^/$]+@", database):
        hint = "Put it into an environment variable NAME, and write `$NAME` in its place"
        raise DataError("the URL of `database` has a password, which records and cards would show", hint=hint)
    return database if "://" in database or "$" in database else None


def _load(
    query: str, place: str, engine_options: dict[str, Any], _: Any, gaps: list[str]
) -> tuple[pl.DataFrame, Callable[..., Any]]:
    from sqlalchemy import create_engine, inspect
    from sqlalchemy.pool import NullPool

    try:
        engine = create_engine(**engine_options, poolclass=NullPool)
        with engine.connect().execution_options(no_parameters=True, postgresql_readonly=True) as connection:
            if engine.dialect.name == "sqlite":  # SQLite would commit a change that begins with `with`
                connection.exec_driver_sql("pragma query_only = on")
            result = connection.exec_driver_sql(query)
            names, rows = list(result.keys()), list(map(tuple, result))
    except Exception as error:  # a driver may raise anything
        hint = _DRIVER if isinstance(error, ImportError) or "load plugin" in str(error) else None
        with suppress(Exception):  # a hint is optional
            hint = f"Choose from its tables: {itemize(inspect(engine).get_table_names(), 10)}"
        reason = str(getattr(error, "orig", error)).strip() or type(error).__name__
        raise DataError(f"{place} can't be read by `sql`: {reason.splitlines()[0]}", hint=hint) from error
    check_names(names, place)
    if not rows:
        raise DataError(f"`sql` gives no rows of {place}", hint="Fix its `where`, or add rows to learn from")
    frame = pl.DataFrame(rows, names, orient="row", infer_schema_length=None)
    # Texts are read like a CSV file: SQLite has no dates, and has numbers as texts if a CSV file filled it.
    texts = [series.cast(pl.String) for series in frame if series.dtype in (pl.String, pl.Null)]
    line = pl.Series("", range(len(rows)))  # without this column, a row with only a gap would be an empty line
    content = pl.DataFrame([line, *(text.alias(f"{place} ") for place, text in enumerate(texts))]).write_csv().encode()
    read = pl.read_csv(content, infer_schema_length=None, try_parse_dates=True, null_values=gaps or None)
    typed = [series.alias(text.name) for series, text in zip(read.get_columns()[1:], texts, strict=True)]
    untyped = frame.with_columns(pl.lit(None, pl.String).alias(col.name) for col in frame if col.dtype != pl.String)
    return frame.with_columns(typed), lambda columns, **_: untyped.select(names[place] for place in columns)
