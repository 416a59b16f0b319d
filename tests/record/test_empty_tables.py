from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest

from keras_sweep.errors import RecordError
from keras_sweep.record import empty_tables as module
from keras_sweep.record import optuna_tables as schema
from keras_sweep.record.empty_tables import empty_tables

SCRIPT = """
import sys
from keras_sweep.record.empty_tables import empty_tables
empty_tables()
assert not {"sqlalchemy", "alembic"} & set(sys.modules)
"""


def everything(path: Path) -> dict[str, list[Any]]:
    """All objects of a database, in their order and with their texts, and the rows of every table."""
    with closing(sqlite3.connect(path)) as connection:
        objects = connection.execute("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master").fetchall()
        tables = [name for kind, name, *_ in objects if kind == "table"]
        settings = ("encoding", "page_size", "auto_vacuum", "user_version", "application_id", "journal_mode")
        return {
            "objects": objects,
            **{name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in tables},
            **{name: connection.execute(f"PRAGMA {name}").fetchall() for name in settings},
        }


def test_the_tables_are_those_that_the_installed_optuna_makes(tmp_path: Path) -> None:
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'optuna.db'}")
    storage.engine.dispose()
    (tmp_path / "ours.db").write_bytes(empty_tables())
    assert everything(tmp_path / "ours.db") == everything(tmp_path / "optuna.db")


def test_optuna_takes_them_for_its_own_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ours.db"
    path.write_bytes(empty_tables())
    before = everything(path)
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    assert storage.get_current_version() == storage.get_head_version() == schema.REVISION
    assert storage.get_all_studies() == []
    storage.engine.dispose()
    assert everything(path) == before
    study = optuna.create_study(storage=f"sqlite:///{path}", study_name="a")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    assert len(optuna.load_study(storage=f"sqlite:///{path}", study_name="a").trials) == 2


def test_they_are_made_without_sqlalchemy() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT], check=True)


@pytest.mark.parametrize("newest", ["v3.2.0.b", "v10.0.0.a"])
def test_an_optuna_with_other_tables_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, newest: str) -> None:
    versions = tmp_path / "storages" / "_rdb" / "alembic" / "versions"
    versions.mkdir(parents=True)
    for name in ("v0.9.0.a", "v3.2.0.a_", newest):
        (versions / f"{name}.py").touch()
    monkeypatch.setattr(optuna, "__file__", str(tmp_path / "__init__.py"))
    empty_tables.cache_clear()
    message = rf"Optuna {optuna.__version__} makes tables of revision {newest}, not {schema.REVISION}"
    with pytest.raises(RecordError, match=message):
        empty_tables()
    assert module._installed_revision() == newest
