"""The tables of an Optuna 5 SQLite storage with nothing in them, as Optuna makes them, made by SQLite alone.

Optuna imports SQLAlchemy and Alembic for that, half a second. A test compares the two databases, to the letter.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from keras_sweep.errors import RecordError
from keras_sweep.record import optuna_tables as schema

_VERSION = 12  # of the tables, as Optuna counted before it had migrations; it has not changed since

_TABLES = {
    "studies": (
        "study_id INTEGER NOT NULL",
        "study_name VARCHAR(512) NOT NULL",
        "PRIMARY KEY (study_id)",
    ),
    "version_info": (
        "version_info_id INTEGER NOT NULL",
        "schema_version INTEGER",
        "library_version VARCHAR(256)",
        "PRIMARY KEY (version_info_id)",
        "CHECK (version_info_id=1)",
    ),
    "study_directions": (
        "study_direction_id INTEGER NOT NULL",
        "direction VARCHAR(8) NOT NULL",
        "study_id INTEGER NOT NULL",
        "objective INTEGER NOT NULL",
        "PRIMARY KEY (study_direction_id)",
        "UNIQUE (study_id, objective)",
        "FOREIGN KEY(study_id) REFERENCES studies (study_id)",
    ),
    "study_user_attributes": (
        "study_user_attribute_id INTEGER NOT NULL",
        "study_id INTEGER",
        '"key" VARCHAR(512)',
        "value_json TEXT",
        "PRIMARY KEY (study_user_attribute_id)",
        'UNIQUE (study_id, "key")',
        "FOREIGN KEY(study_id) REFERENCES studies (study_id)",
    ),
    "study_system_attributes": (
        "study_system_attribute_id INTEGER NOT NULL",
        "study_id INTEGER",
        '"key" VARCHAR(512)',
        "value_json TEXT",
        "PRIMARY KEY (study_system_attribute_id)",
        'UNIQUE (study_id, "key")',
        "FOREIGN KEY(study_id) REFERENCES studies (study_id)",
    ),
    "trials": (
        "trial_id INTEGER NOT NULL",
        "number INTEGER",
        "study_id INTEGER",
        "state VARCHAR(8) NOT NULL",
        "datetime_start DATETIME",
        "datetime_complete DATETIME",
        "PRIMARY KEY (trial_id)",
        "FOREIGN KEY(study_id) REFERENCES studies (study_id)",
    ),
    "trial_user_attributes": (
        "trial_user_attribute_id INTEGER NOT NULL",
        "trial_id INTEGER",
        '"key" VARCHAR(512)',
        "value_json TEXT",
        "PRIMARY KEY (trial_user_attribute_id)",
        'UNIQUE (trial_id, "key")',
        "FOREIGN KEY(trial_id) REFERENCES trials (trial_id)",
    ),
    "trial_system_attributes": (
        "trial_system_attribute_id INTEGER NOT NULL",
        "trial_id INTEGER",
        '"key" VARCHAR(512)',
        "value_json TEXT",
        "PRIMARY KEY (trial_system_attribute_id)",
        'UNIQUE (trial_id, "key")',
        "FOREIGN KEY(trial_id) REFERENCES trials (trial_id)",
    ),
    "trial_params": (
        "param_id INTEGER NOT NULL",
        "trial_id INTEGER",
        "param_name VARCHAR(512)",
        "param_value FLOAT",
        "distribution_json TEXT",
        "PRIMARY KEY (param_id)",
        "UNIQUE (trial_id, param_name)",
        "FOREIGN KEY(trial_id) REFERENCES trials (trial_id)",
    ),
    "trial_values": (
        "trial_value_id INTEGER NOT NULL",
        "trial_id INTEGER NOT NULL",
        "objective INTEGER NOT NULL",
        "value FLOAT",
        "value_type VARCHAR(7) NOT NULL",
        "PRIMARY KEY (trial_value_id)",
        "UNIQUE (trial_id, objective)",
        "FOREIGN KEY(trial_id) REFERENCES trials (trial_id)",
    ),
    "trial_intermediate_values": (
        "trial_intermediate_value_id INTEGER NOT NULL",
        "trial_id INTEGER NOT NULL",
        "step INTEGER NOT NULL",
        "intermediate_value FLOAT",
        "intermediate_value_type VARCHAR(7) NOT NULL",
        "PRIMARY KEY (trial_intermediate_value_id)",
        "UNIQUE (trial_id, step)",
        "FOREIGN KEY(trial_id) REFERENCES trials (trial_id)",
    ),
    "trial_heartbeats": (
        "trial_heartbeat_id INTEGER NOT NULL",
        "trial_id INTEGER NOT NULL",
        "heartbeat DATETIME NOT NULL",
        "PRIMARY KEY (trial_heartbeat_id)",
        "UNIQUE (trial_id)",
        "FOREIGN KEY(trial_id) REFERENCES trials (trial_id)",
    ),
    "alembic_version": (
        "version_num VARCHAR(32) NOT NULL",
        "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)",
    ),
}
_INDICES = {
    "studies": "CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name)",
    "trials": "CREATE INDEX ix_trials_study_id ON trials (study_id)",
}


@cache
def empty_tables() -> bytes:
    """A database without a study.

    Raises RecordError: the installed Optuna makes other tables.
    """
    import optuna

    if (revision := _installed_revision()) != schema.REVISION:
        message = f"Optuna {optuna.__version__} makes tables of revision {revision}, not {schema.REVISION}"
        raise RecordError(message, hint="Install the Optuna that `constraints.txt` names")
    connection = sqlite3.connect(":memory:")
    try:
        for statement in _statements():
            connection.execute(statement)
        connection.execute("INSERT INTO version_info VALUES (1, ?, ?)", (_VERSION, optuna.__version__))
        connection.execute("INSERT INTO alembic_version VALUES (?)", (schema.REVISION,))
        connection.commit()
        return connection.serialize()
    finally:
        connection.close()


def _statements() -> Iterable[str]:
    """What makes the tables, each followed by its index, laid out as SQLAlchemy lays it out: SQLite keeps the text."""
    for name, parts in _TABLES.items():
        yield f"CREATE TABLE {name} (\n\t" + ", \n\t".join(parts) + "\n)"
        if name in _INDICES:
            yield _INDICES[name]


def _installed_revision() -> str:
    """Of the tables that the installed Optuna makes: the last of its migrations, a file each."""
    import optuna

    folder = Path(optuna.__file__).parent / "storages" / "_rdb" / "alembic" / "versions"
    names = [path.stem.rstrip("_") for path in folder.glob("v*.py")]  # Optuna 5.0: "v3.2.0.a_"
    return max(names, key=_in_order, default="unknown")


def _in_order(revision: str) -> list[tuple[int, str]]:
    """v10.0.0.a after v3.2.0.a."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in revision[1:].split(".")]
