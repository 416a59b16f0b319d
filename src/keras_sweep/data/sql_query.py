"""Rows of a database: what a query gives, in its order, as a table. The query reads, and leaves nothing behind."""

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
_DRIVER = "Install its driver, or name one that is there, as in `postgresql+psycopg://`"


def read_sql(data: DataSpec, folder: Path) -> SourceRows:
    """The rows of a query. Raises as `read_table`, and DataError for a query that does not read."""
    place = server_url(data)
    opened: dict[str, Any] = {"url": os.path.expandvars(data.options.database)}
    if not _READS.match(data.source):
        raise DataError(f"`sql` is no query, but {quote(data.source)}", hint="It begins with `select` or `with`")
    if place is None:
        path = (folder / Path(data.options.database).expanduser()).absolute()
        if not path.is_file():
            raise missing_path_error("database", path)
        place, creator = str(path), partial(sqlite3.connect, f"{path.as_uri()}?mode=ro", uri=True)
        opened = {"url": "sqlite://", "creator": creator}
    elif "$" in opened["url"]:
        raise DataError(f"the environment variable in `database: {place}` is not set", hint="Set it in the shell")
    return read_table(data, place, partial(_load, data.source, place, opened))


def server_url(data: DataSpec) -> str | None:
    """The URL of a database that is no file. Raises DataError for one that tells a password."""
    database: str = data.options.database
    if re.search(r"://[^/@]*:[^/$]+@", database):
        hint = "Write `$NAME` in its place: the environment variable NAME then has it"
        raise DataError("the URL of `database` has a password, which records and cards would show", hint=hint)
    return database if "://" in database or "$" in database else None


def _load(
    query: str, place: str, opened: dict[str, Any], _: Any, gaps: list[str]
) -> tuple[pl.DataFrame, Callable[..., Any]]:
    from sqlalchemy import create_engine, inspect
    from sqlalchemy.pool import NullPool

    try:
        engine = create_engine(**opened, poolclass=NullPool)
        with engine.connect().execution_options(no_parameters=True, postgresql_readonly=True) as connection:
            if engine.dialect.name == "sqlite":  # which commits a change that begins with `with`
                connection.exec_driver_sql("pragma query_only = on")
            result = connection.exec_driver_sql(query)
            names, rows = list(result.keys()), list(map(tuple, result))
    except Exception as error:  # a driver raises nearly anything
        hint = _DRIVER if isinstance(error, ImportError) or "load plugin" in str(error) else None
        with suppress(Exception):  # without its tables there is no hint
            hint = f"Its tables are {itemize(inspect(engine).get_table_names(), 10)}"
        reason = str(getattr(error, "orig", error)).strip() or type(error).__name__
        raise DataError(f"{place} can't be read by `sql`: {reason.splitlines()[0]}", hint=hint) from error
    check_names(names, place)
    if not rows:
        raise DataError(f"`sql` gives no rows of {place}", hint="Mend its `where`, or bring rows to learn from")
    frame = pl.DataFrame(rows, names, orient="row", infer_schema_length=None)
    # Texts are read as those of a CSV file: SQLite has no dates, and numbers as texts where such a file filled it.
    texts = [series.cast(pl.String) for series in frame if series.dtype in (pl.String, pl.Null)]
    line = pl.Series("", range(len(rows)))  # without it a row of one gap would be an empty line
    content = pl.DataFrame([line, *(text.alias(f"{place} ") for place, text in enumerate(texts))]).write_csv().encode()
    read = pl.read_csv(content, infer_schema_length=None, try_parse_dates=True, null_values=gaps or None)
    as_read = [series.alias(text.name) for series, text in zip(read.get_columns()[1:], texts, strict=True)]
    others = frame.with_columns(pl.lit(None, pl.String).alias(one.name) for one in frame if one.dtype != pl.String)
    return frame.with_columns(as_read), lambda columns, **_: others.select(names[place] for place in columns)
