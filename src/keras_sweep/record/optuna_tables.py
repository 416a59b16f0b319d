"""Read and write the tables of an Optuna 5 SQLite storage; no other module knows the tables. Reading imports no Optuna.

Plain SQL writes the rows that `optuna.study.Study.add_trial` would write (a test compares both). So a commit can hold
many trials, a trial takes a tenth of the time, and every error is SQLite's own. Callers begin and end transactions.
"""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from keras_sweep.record.encoding import CHECKSUM
from keras_sweep.space.distributions import Value, to_scalar
from keras_sweep.space.search_space import Objective
from keras_sweep.trial.result import Result, TrialState

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

REVISION = "v3.2.0.a"  # of the tables, by Optuna's migrations; Optuna 3.2 to 5 use it
SIDE_FILES = ("-wal", "-shm", "-journal")  # suffixes of files that SQLite may keep beside a database
STATES = tuple(state.value for state in TrialState)  # a sweep never writes Optuna's other states, RUNNING and WAITING
# The tables with rows of a trial, and their columns beside `trial_id`. The user attributes hold all facts of a trial;
# the other tables repeat some of them for Optuna.
COLUMNS = {
    "trial_user_attributes": "key, value_json",
    "trial_values": "objective, value, value_type",
    "trial_params": "param_name, param_value, distribution_json",
    "trial_intermediate_values": "step, intermediate_value, intermediate_value_type",
}
TABLES = {"studies", "study_directions", "study_user_attributes", "trials", "alembic_version", *COLUMNS}
Rows: TypeAlias = dict[str, dict[Any, tuple[Any, ...]]]  # of a trial: table -> its first column -> its other columns
# The last trial that a sweep wrote: only a sweep writes a checksum. Optuna wrote the trials after this trial.
LAST = (
    "coalesce((SELECT o.trial_id FROM trials o JOIN trial_user_attributes a ON a.trial_id = o.trial_id "
    f"WHERE o.study_id = :study AND a.key = '{CHECKSUM}' ORDER BY o.trial_id DESC LIMIT 1), 0)"
)
OWN, FOREIGN = (f"FROM trials t WHERE t.study_id = :study AND t.trial_id {operator} {LAST}" for operator in ("<=", ">"))
_LONGEST = 10 * 365 * 86_400.0  # seconds that a trial can have taken
_TIME = "%Y-%m-%d %H:%M:%S.%f"  # SQLAlchemy's format


def read_revision(connection: sqlite3.Connection) -> str | None:
    """Return the revision of Optuna's tables, "v3.2.0.a"; None if tables are missing, or views or triggers exist."""
    objects = connection.execute("SELECT type, name FROM sqlite_master").fetchall()
    names = {name for kind, name in objects if kind == "table"}
    if not names >= TABLES or any(kind in ("view", "trigger") for kind, _ in objects):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def read_studies(connection: sqlite3.Connection) -> list[tuple[int, str, list[str]]]:
    """Return (id, name, directions) of every study. Each goal has a direction, "maximize" or "minimize"."""
    sql = (
        "SELECT s.study_id, s.study_name, lower(d.direction) FROM studies s "
        "JOIN study_directions d ON d.study_id = s.study_id ORDER BY s.study_id, d.objective"
    )
    by_study: dict[tuple[int, str], list[str]] = {}
    for id, name, direction in connection.execute(sql):
        by_study.setdefault((int(id), str(name)), []).append(str(direction))
    return [(*study, directions) for study, directions in by_study.items()]


def insert_study(connection: sqlite3.Connection, name: str, directions: Sequence[str]) -> int:
    study = connection.execute("INSERT INTO studies (study_name) VALUES (?)", (name,)).lastrowid
    assert study is not None
    sql = "INSERT INTO study_directions (study_id, direction, objective) VALUES (?, ?, ?)"
    connection.executemany(sql, [(study, direction.upper(), place) for place, direction in enumerate(directions)])
    return study


def read_study_attributes(connection: sqlite3.Connection, study: int) -> dict[str, Any]:
    """Return the study's user attributes (name -> value). Raises ValueError if an attribute is not JSON."""
    sql = "SELECT key, value_json FROM study_user_attributes WHERE study_id = ?"
    texts = dict(connection.execute(sql, (study,)).fetchall())
    if not all(isinstance(key, str) and isinstance(text, str) for key, text in texts.items()):
        raise ValueError("an attribute of the study is not a text")
    return {key: json.loads(text) for key, text in texts.items()}


def set_study_attribute(connection: sqlite3.Connection, study: int, key: str, text: str) -> None:
    sql = (
        "INSERT INTO study_user_attributes (study_id, key, value_json) VALUES (?, ?, ?) "
        "ON CONFLICT (study_id, key) DO UPDATE SET value_json = excluded.value_json"
    )
    connection.execute(sql, (study, key, text))


def next_number(connection: sqlite3.Connection, study: int) -> int:
    """Return the next trial's number in `study`, an id. Raises ValueError if a trial was deleted or has not ended."""
    sql = f"SELECT count(*), min(number), max(number), sum(state NOT IN {STATES}) {OWN}"
    count, least, greatest, running = connection.execute(sql, {"study": study}).fetchone()
    if count and (least, greatest) != (0, count - 1):
        numbers = {number for (number,) in connection.execute(f"SELECT number {OWN}", {"study": study})}
        lost = next(number for number in range(count + 1) if number not in numbers)
        raise ValueError(f"trial {lost} was deleted: {count} trials are numbered from {least} to {greatest}")
    if running:
        raise ValueError(f"{running} of its trials are marked as running, but a sweep records only finished trials")
    return int(count)


def count_foreign_trials(connection: sqlite3.Connection, study: int) -> int:
    return int(connection.execute(f"SELECT count(*) {FOREIGN}", {"study": study}).fetchone()[0])


def move_foreign(connection: sqlite3.Connection, study: int, name: str, directions: Sequence[str]) -> None:
    """Move trials that Optuna wrote into the study with id `study` to the study `name`. Their numbers are then free.
    If the study `name` does not exist, it is created with the `directions` "maximize" or "minimize" of its goals."""
    ids = {title: id for id, title, _ in read_studies(connection)}
    target = ids[name] if name in ids else insert_study(connection, name, directions)
    (count,) = connection.execute("SELECT count(*) FROM trials WHERE study_id = ?", (target,)).fetchone()
    about = {"study": study, "other": target, "shift": count - next_number(connection, study)}
    sql = "UPDATE trials SET study_id = :other, number = number + :shift WHERE trial_id IN"
    connection.execute(f"{sql} (SELECT t.trial_id {FOREIGN})", about)


def insert_trial(
    connection: sqlite3.Connection,
    study: int,
    result: Result,
    texts: Mapping[str, str],
    objective: Objective,
    distributions: Mapping[str, str],
) -> None:
    """Write a finished trial, and `texts` as its user attributes (name -> JSON text), into the study with id `study`.
    The curve of `objective` becomes intermediate values, from step 1. `distributions` maps a parameter to the JSON text
    of its Optuna distribution. If this is missing or lacks the value, a distribution of the value alone is written."""
    seconds, end = result.seconds.total, datetime.now(UTC)
    begin = end - timedelta(seconds=seconds if 0 < seconds < _LONGEST else 0)
    trial = connection.execute(
        "INSERT INTO trials (number, study_id, state, datetime_start, datetime_complete) VALUES (?, ?, ?, ?, ?)",
        (result.number, study, result.state.value, begin.strftime(_TIME), end.strftime(_TIME)),
    ).lastrowid
    rows: Rows = {"trial_user_attributes": {key: (text,) for key, text in texts.items()}, **_to_rows(result, objective)}
    rows["trial_params"] = {name: _param_row(value, distributions.get(name)) for name, value in result.params.items()}
    for table, by_key in rows.items():
        marks = ", ?" * (COLUMNS[table].count(",") + 1)
        sql = f"INSERT INTO {table} (trial_id, {COLUMNS[table]}) VALUES (?{marks})"
        connection.executemany(sql, [(trial, key, *row) for key, row in by_key.items()])


def _to_rows(result: Result, objective: Objective) -> Rows:
    values = [] if result.value is None else [result.value, *(result.goal(goal.name) for goal in objective.further)]
    curve = enumerate(result.curve.get(objective.name, ()), start=1)
    return {
        "trial_values": {place: _encode_number(value) for place, value in enumerate(values) if value is not None},
        "trial_intermediate_values": {step: _encode_number(value) for step, value in curve},
    }


def check_rows(result: Result, objective: Objective, rows: Rows) -> None:
    """Check that values, parameters and curve in Optuna's rows of a trial equal `result`; else raise ValueError."""
    params = [(name, rows["trial_params"].get(name, ()), to_scalar(value)) for name, value in result.params.items()]
    expected = _to_rows(result, objective)
    expected["trial_params"] = {name: row if _is_value_in(row, value) else () for name, row, value in params}
    for table, by_key in expected.items():
        keys = {**rows[table], **by_key}
        if edited := [f"{key!r:.60}" for key in keys if rows[table].get(key) != by_key.get(key)]:
            raise ValueError(f"table `{table}` was edited at {COLUMNS[table].partition(',')[0]} {', '.join(edited)}")


def _is_value_in(row: tuple[Any, ...], value: Any) -> bool:
    try:
        internal, choices = row[0], _choices(row[1])
        stored = internal if choices is None else choices[int(internal)]
        return bool(stored == value or stored != stored or (choices is None and float(value) == internal))
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError):
        return False


@cache
def _choices(distribution: str) -> Any:
    return json.loads(distribution)["attributes"].get("choices")


def read_trial_rows(
    connection: sqlite3.Connection, study: int, first: int = 0
) -> Iterator[tuple[int, str, float | None, Rows]]:
    """Yield (number, state, value, rows of Optuna's tables) of each trial from number `first` on, ordered by number.
    Raises ValueError if a trial was deleted."""
    next_number(connection, study)
    sql = "SELECT trial_id FROM trial_user_attributes WHERE key = ? AND trial_id NOT IN (SELECT trial_id FROM trials)"
    if lost := connection.execute(sql, (CHECKSUM,)).fetchone():
        raise ValueError(f"a trial was deleted, but its attributes remain (trial_id {lost[0]})")
    rows: dict[int, Rows] = defaultdict(lambda: {table: {} for table in COLUMNS})
    which, trials = {"study": study, "first": first}, f"{OWN} AND t.number >= :first"
    for table, columns in COLUMNS.items():
        sql = f"SELECT trial_id, {columns} FROM {table} WHERE trial_id IN (SELECT t.trial_id {trials})"
        for row in connection.execute(sql, which):
            rows[row[0]][table][row[1]] = row[2:]
    sql = f"SELECT trial_id, number, state {trials} ORDER BY number"
    for trial_id, number, state in connection.execute(sql, which):
        value, kind = rows[trial_id]["trial_values"].get(0, (None, None))
        yield number, state, _INFINITE.get(kind, value), rows[trial_id]


@cache
def _parse_distribution(distribution: str) -> BaseDistribution:
    from optuna.distributions import json_to_distribution

    return json_to_distribution(distribution)


def _param_row(value: Value, text: str | None) -> tuple[float, str]:
    """Return (number that Optuna stores for `value`, JSON text of its distribution).
    The JSON text is `text` if this distribution contains `value`, else a new distribution of `value` alone."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution, distribution_to_json

    scalar = to_scalar(value)
    if text is not None:
        usual = _parse_distribution(text)
        with contextlib.suppress(ValueError, OverflowError):
            internal = usual.to_internal_repr(scalar)
            if not isinstance(usual, FloatDistribution | IntDistribution) or usual.low <= internal <= usual.high:
                return internal, text
    narrow: BaseDistribution = CategoricalDistribution([scalar])
    if type(scalar) is float and math.isfinite(scalar):
        narrow = FloatDistribution(scalar, scalar)
    elif type(scalar) is int and abs(scalar) < 2**53:
        narrow = IntDistribution(scalar, scalar)
    return narrow.to_internal_repr(scalar), distribution_to_json(narrow)


_INFINITE = {"INF_POS": math.inf, "INF_NEG": -math.inf}


def _encode_number(value: float) -> tuple[float | None, str]:
    if math.isfinite(value):
        return float(value), "FINITE"
    return None, "NAN" if math.isnan(value) else "INF_POS" if value > 0 else "INF_NEG"
