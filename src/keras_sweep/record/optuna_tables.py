"""The tables of an Optuna 5 SQLite storage: the one file that knows them. Who only reads imports no Optuna.

Rows are written as `optuna.study.Study.add_trial` writes them (a test compares the two), but by plain SQL: many trials
fit into one commit, a trial costs a tenth of the time, and every error is SQLite's own.
"""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from keras_sweep.space.distributions import Value, as_scalar
from keras_sweep.space.search_space import Objective
from keras_sweep.trial.result import Result, TrialState

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

REVISION = "v3.2.0.a"  # of the tables, as Optuna's migrations count; Optuna 3.2 up to 5 use it
TABLES = frozenset(
    {"studies", "study_directions", "study_user_attributes", "trials", "trial_values", "trial_params"}
    | {"trial_user_attributes", "trial_intermediate_values", "alembic_version"}
)
SIDE_FILES = ("-wal", "-shm", "-journal")  # what SQLite may keep beside a database
STATES = tuple(state.value for state in TrialState)  # Optuna's other two, RUNNING and WAITING, are never written here
_LONGEST = 10 * 365 * 86_400.0  # seconds of a trial
_TIME = "%Y-%m-%d %H:%M:%S.%f"  # as SQLAlchemy writes it


def revision(connection: sqlite3.Connection) -> str | None:
    """The tables' revision; None where they are not Optuna's, or where anything beside tables would run SQL."""
    objects = connection.execute("SELECT type, name FROM sqlite_master").fetchall()
    names = {name for kind, name in objects if kind == "table"}
    if not names >= TABLES or any(kind in ("view", "trigger") for kind, _ in objects):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def studies(connection: sqlite3.Connection) -> list[tuple[int, str, list[str]]]:
    """Every study: its id, name and directions ("maximize" or "minimize"), one a goal."""
    sql = (
        "SELECT s.study_id, s.study_name, lower(d.direction) FROM studies s "
        "JOIN study_directions d ON d.study_id = s.study_id ORDER BY s.study_id, d.objective"
    )
    found: dict[tuple[int, str], list[str]] = {}
    for number, name, direction in connection.execute(sql):
        found.setdefault((int(number), str(name)), []).append(str(direction))
    return [(*study, directions) for study, directions in found.items()]


def insert_study(connection: sqlite3.Connection, name: str, directions: Sequence[str]) -> int:
    """Write a study without trials, inside the caller's transaction; returns its id."""
    study = connection.execute("INSERT INTO studies (study_name) VALUES (?)", (name,)).lastrowid
    assert study is not None
    sql = "INSERT INTO study_directions (study_id, direction, objective) VALUES (?, ?, ?)"
    connection.executemany(sql, [(study, direction.upper(), place) for place, direction in enumerate(directions)])
    return study


def study_attributes(connection: sqlite3.Connection, study: int) -> dict[str, Any]:
    """The study's user attributes. Raises ValueError where one is no JSON."""
    sql = "SELECT key, value_json FROM study_user_attributes WHERE study_id = ?"
    texts = dict(connection.execute(sql, (study,)).fetchall())
    if not all(isinstance(key, str) and isinstance(text, str) for key, text in texts.items()):
        raise ValueError("an attribute of the study is no text")
    return {key: json.loads(text) for key, text in texts.items()}


def set_study_attribute(connection: sqlite3.Connection, study: int, key: str, text: str) -> None:
    """Write one user attribute of the study, a JSON text, inside the caller's transaction."""
    sql = (
        "INSERT INTO study_user_attributes (study_id, key, value_json) VALUES (?, ?, ?) "
        "ON CONFLICT (study_id, key) DO UPDATE SET value_json = excluded.value_json"
    )
    connection.execute(sql, (study, key, text))


def next_number(connection: sqlite3.Connection, study: int) -> int:
    """The number of the trial to come. Raises ValueError unless the trials are 0, 1, 2, ..., and all have ended."""
    sql = f"SELECT count(*), min(number), max(number), sum(state NOT IN {STATES}) FROM trials WHERE study_id = ?"
    count, least, greatest, asked = connection.execute(sql, (study,)).fetchone()
    if count and (least, greatest) != (0, count - 1):
        raise ValueError(f"{count} trials are numbered from {least} to {greatest}")
    if asked:
        raise ValueError(f"{asked} of its trials have not ended: tell their end by the program that asked for them")
    return int(count)


def insert_trial(
    connection: sqlite3.Connection,
    study: int,
    result: Result,
    texts: Mapping[str, str],
    objective: Objective,
    distributions: Mapping[str, str],
) -> None:
    """Write one finished trial and its user attributes (`texts`), inside the caller's transaction.

    The curve of `objective` becomes intermediate values, at steps counted from 1. A parameter without one of the
    `distributions` gets one that holds its value.
    """
    seconds, end = result.seconds.total, datetime.now(UTC)
    begin = end - timedelta(seconds=seconds if 0 < seconds < _LONGEST else 0)
    trial = connection.execute(
        "INSERT INTO trials (number, study_id, state, datetime_start, datetime_complete) VALUES (?, ?, ?, ?, ?)",
        (result.number, study, result.state.value, begin.strftime(_TIME), end.strftime(_TIME)),
    ).lastrowid
    if result.value is not None:
        values = [result.value, *(result.goal(goal.name) for goal in objective.further)]
        connection.executemany(
            "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, ?, ?, ?)",
            [(trial, place, *_stored(value)) for place, value in enumerate(values) if value is not None],
        )
    connection.executemany(
        "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES (?, ?, ?, ?)",
        [(trial, name, *_param(value, distributions.get(name))) for name, value in result.params.items()],
    )
    connection.executemany(
        "INSERT INTO trial_intermediate_values "
        "(trial_id, step, intermediate_value, intermediate_value_type) VALUES (?, ?, ?, ?)",
        [(trial, step, *_stored(value)) for step, value in enumerate(result.curve.get(objective.name, ()), start=1)],
    )
    connection.executemany(
        "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (?, ?, ?)",
        [(trial, key, text) for key, text in texts.items()],
    )


def trials(connection: sqlite3.Connection, study: int) -> list[tuple[int, TrialState, float | None, dict[str, str]]]:
    """The finished trials in order of number: (number, state, value, user attributes, still as JSON texts).

    Raises ValueError where a column is not of its type.
    """
    sql = (
        "SELECT t.trial_id, t.number, t.state, v.value, v.value_type FROM trials t "
        "LEFT JOIN trial_values v ON v.trial_id = t.trial_id AND v.objective = 0 "
        f"WHERE t.study_id = ? AND t.state IN {STATES} ORDER BY t.number"
    )
    texts: dict[int, dict[str, str]] = {}
    found = []
    for trial, number, state, value, kind in connection.execute(sql, (study,)):
        value = _INFINITE.get(kind, value)
        if type(trial) is not int or type(number) is not int or number < 0 or not isinstance(value, float | None):
            raise ValueError(f"its trial {number!r} of the value {value!r} is none that a sweep writes")
        found.append((number, TrialState(state), value, texts.setdefault(trial, {})))
    sql = (
        "SELECT a.trial_id, a.key, a.value_json FROM trials t JOIN trial_user_attributes a ON a.trial_id = t.trial_id "
        f"WHERE t.study_id = ? AND t.state IN {STATES}"
    )
    for trial, key, text in connection.execute(sql, (study,)):
        if not isinstance(key, str) or not isinstance(text, str):
            raise ValueError(f"the attribute {key!r} of a trial is no text")
        texts[trial][key] = text
    return found


@cache
def _parsed(distribution: str) -> BaseDistribution:
    from optuna.distributions import json_to_distribution

    return json_to_distribution(distribution)


def _param(value: Value, text: str | None) -> tuple[float, str]:
    """What Optuna keeps for a value, and its distribution: one of its own where that of the parameter lacks it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution, distribution_to_json

    scalar = as_scalar(value)
    if text is not None:
        known = _parsed(text)
        with contextlib.suppress(ValueError, OverflowError):
            internal = known.to_internal_repr(scalar)
            if not isinstance(known, FloatDistribution | IntDistribution) or known.low <= internal <= known.high:
                return internal, text
    own: BaseDistribution = CategoricalDistribution([scalar])
    if type(scalar) is float and math.isfinite(scalar):
        own = FloatDistribution(scalar, scalar)
    elif type(scalar) is int and abs(scalar) < 2**53:
        own = IntDistribution(scalar, scalar)
    return own.to_internal_repr(scalar), distribution_to_json(own)


_INFINITE = {"INF_POS": math.inf, "INF_NEG": -math.inf}


def _stored(value: float) -> tuple[float | None, str]:
    value = float(value)
    if math.isnan(value):
        return None, "NAN"
    if math.isinf(value):
        return None, "INF_POS" if value > 0 else "INF_NEG"
    return value, "FINITE"
