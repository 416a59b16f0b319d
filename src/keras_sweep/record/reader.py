"""Reads a record by plain SQLite: it takes no lock, writes nothing, imports no Optuna, and works beside a sweep."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keras_sweep.errors import RecordError
from keras_sweep.record import optuna_schema as schema
from keras_sweep.record import system
from keras_sweep.record.failure import is_damage, plain_errors
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.trial import Result

FORMAT = 1  # of the attributes; a later one is refused, not guessed at
DAMAGED_HINT = "Nothing was changed. `sweep run SPACE --fresh` moves it aside and begins anew"


def read_results(folder: SweepFolder) -> list[Result]:
    """Every finished trial in order of number, without weights. Raises RecordError."""
    with reading(folder) as connection:
        return all_results(connection, the_study(connection, folder)[0])


def read_attributes(folder: SweepFolder) -> dict[str, Any]:
    """What is known of the whole sweep. Raises RecordError."""
    with reading(folder) as connection:
        return schema.study_attributes(connection, the_study(connection, folder)[0])


@contextmanager
def reading(folder: SweepFolder) -> Iterator[sqlite3.Connection]:
    """A connection that sees one moment of the record and can't write. Raises RecordError."""
    with damage_named(folder):
        check_file(folder)
        connection = system.connect(folder.study, options="mode=ro")
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.close()


@contextmanager
def damage_named(folder: SweepFolder) -> Iterator[None]:
    """Raise RecordError for what goes wrong with a record; damage is named as such."""
    try:
        with plain_errors("read", folder.study):
            try:
                yield
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                raise RecordError(f"the record {folder.study} is damaged: {error}", hint=DAMAGED_HINT) from error
    except ValueError as error:
        raise RecordError(f"the record {folder.study} is damaged: {error}", hint=DAMAGED_HINT) from error


def check_file(folder: SweepFolder) -> None:
    """Refuse what can't be a database before SQLite looks at it. Raises RecordError."""
    path = folder.study
    if not folder.exists():
        raise RecordError(f"there is no record {path}", hint="`sweep list` says which sweeps there are")
    if not path.is_file():
        raise RecordError(f"{path} is not a file", hint=DAMAGED_HINT)
    with path.open("rb") as file:
        head = file.read(16)
    if head != b"SQLite format 3\0":
        what = "empty" if not head else "not a SQLite database"
        raise RecordError(f"the record {path} is damaged: it is {what}", hint=DAMAGED_HINT)


def the_study(connection: sqlite3.Connection, folder: SweepFolder) -> tuple[int, str, dict[str, Any]]:
    """The id, name and attributes of the one study there. Raises RecordError where a sweep did not write it."""
    path = folder.study
    revision = schema.revision(connection)
    if revision is None:
        raise RecordError(f"{path} is a database, but not a sweep's record", hint=DAMAGED_HINT)
    if revision != schema.REVISION:
        message = f"{path} has tables of Optuna's revision {revision}, but this version reads {schema.REVISION}"
        raise RecordError(message, hint="Use the version of keras-sweep that wrote it")
    found = schema.studies(connection)
    if len(found) != 1:
        raise RecordError(f"{path} holds {len(found)} studies, but a sweep's record holds one", hint=DAMAGED_HINT)
    study, name, direction = found[0]
    attributes = schema.study_attributes(connection, study)
    form = attributes.get("format")
    if form is None:
        raise RecordError(f"{path} holds an Optuna study that no sweep wrote", hint=DAMAGED_HINT)
    if form != FORMAT:
        message = f"{path} was written in format {form}, but this version reads format {FORMAT}"
        raise RecordError(message, hint="Use the version of keras-sweep that wrote it")
    if attributes.get("goal") != direction:
        raise RecordError(f"the record {path} is damaged: its direction is {direction!r}", hint=DAMAGED_HINT)
    return study, name, attributes


def all_results(connection: sqlite3.Connection, study: int) -> list[Result]:
    """Every finished trial in order of number. Raises ValueError where one is damaged."""
    sql = (
        f"SELECT {schema.ROW_COLUMNS} FROM {schema.ROW_TABLES} "
        f"WHERE t.study_id = ? AND t.state IN {schema.STATES} ORDER BY t.number"
    )
    rows = schema.trial_rows(connection, sql, (study,))
    return [schema.result_of(row, texts) for row, texts in schema.attribute_texts(connection, study, rows)]
