"""Sources that somebody made to hang or break their reader: each is refused, or read in part, in plain words."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest

from keras_sweep.errors import UsageError
from keras_sweep.importing.imported import write_alone
from keras_sweep.importing.read import read_trials
from keras_sweep.record.reader import read_results
from keras_sweep.record.sweep_folder import SweepFolder

DEEP = "[" * 50_000
INFINITE = float("inf")


def refused(source: Path | str, words: str, **options: str) -> UsageError:
    """The error that a source is refused by, in these words."""
    with pytest.raises(UsageError, match=words) as caught:
        read_trials(str(source), **options)
    return caught.value


@pytest.fixture
def project(projects: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(projects / "RandomSearch", tmp_path / "project"))


def changed(path: Path, change: Any) -> None:
    read = json.loads(path.read_text())
    change(read)
    path.write_text(json.dumps(read))


def test_a_pipe_in_place_of_a_trial_is_left_out(project: Path) -> None:
    trial = project / "trial_1" / "trial.json"
    trial.unlink()
    os.mkfifo(trial)
    imported = read_trials(str(project), metric="val_loss")
    assert len(imported.results) == 2
    assert imported.notes == (f"{trial} can't be read as JSON and was left out",)


def test_a_pipe_in_place_of_the_project_is_refused(project: Path) -> None:
    (project / "oracle.json").unlink()
    os.mkfifo(project / "oracle.json")
    refused(project, "is no KerasTuner project folder")
    os.mkfifo(project.parent / "pipe")
    refused(project.parent / "pipe", "there is no file or folder")


@pytest.mark.parametrize("value", [INFINITE, 10**400, -1, 2**63, "many", [1]], ids=lambda value: str(value)[:8])
def test_an_impossible_count_is_named(project: Path, value: Any) -> None:
    for path, change in (
        ("trial_0", lambda trial: trial["hyperparameters"]["values"].update({"tuner/epochs": value})),
        ("trial_1", lambda trial: _observation(trial).update(step=value)),
    ):
        copy = shutil.copytree(project, project.parent / f"of {path}")
        changed(copy / path / "trial.json", change)
        error = refused(copy, r"is not as KerasTuner 1\.4 writes it: .*whole number from 0", metric="val_loss")
        assert error.hint == "Nothing was imported"


def _observation(trial: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = trial["metrics"]["metrics"]["val_accuracy"]["observations"][0]
    return found


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("trial_0/trial.json", lambda trial: trial["hyperparameters"]["values"].update(units=10**400)),
        ("trial_0/trial.json", lambda trial: trial["hyperparameters"]["values"].update(units=[[[3]]])),
        ("trial_0/trial.json", lambda trial: trial["hyperparameters"]["values"].update(units={"a": 1})),
        ("trial_0/trial.json", lambda trial: _observation(trial).update(value=[10**400])),
        ("trial_0/trial.json", lambda trial: _observation(trial).update(value=["x"])),
        ("trial_0/trial.json", lambda trial: trial.update(status=["COMPLETED"])),
        ("trial_0/trial.json", lambda trial: trial.update(metrics=3)),
        ("oracle.json", lambda oracle: oracle.update(start_order=3)),
        ("oracle.json", lambda oracle: oracle.update(hyperparameters=[])),
        ("oracle.json", lambda oracle: _units(oracle).update(sampling="log", step=1 + 1e-12, max_value=10**300)),
        ("oracle.json", lambda oracle: _units(oracle).update(max_value=INFINITE)),
        ("oracle.json", lambda oracle: _units(oracle).update(max_value=10**400, min_value=1.5)),
    ],
)
def test_impossible_values_are_named(project: Path, file: str, change: Any) -> None:
    changed(project / file, change)
    refused(project, r"is not as KerasTuner 1\.4 writes it", metric="val_loss")


def _units(oracle: dict[str, Any]) -> Any:
    return oracle["hyperparameters"]["space"][2]["config"]


def test_deep_json_is_refused(project: Path, tmp_path: Path) -> None:
    (project / "trial_0" / "trial.json").write_text(f'{{"trial_id": {DEEP}')
    assert len(read_trials(str(project), metric="val_loss").results) == 2
    (project / "oracle.json").write_text(DEEP)
    refused(project, "can't be read as JSON")
    (tmp_path / "journal").write_text(f'{{"op_code": {DEEP}\n')
    refused(tmp_path / "journal", "can't be read: ")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "optuna.db"
    study = optuna.create_study(storage=f"sqlite:///{path}", study_name="s")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    return path


ENDLESS = "AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"


@pytest.mark.parametrize("name", ["trials", "Studies", "trial_params", "alembic_version", "version_info"])
def test_a_view_in_place_of_a_table_is_refused(database: Path, name: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(f"DROP TABLE {name}")
        connection.execute(f"CREATE VIEW {name} {ENDLESS}")
    refused(database, f"`{name.lower()}` is no table, but computed as it is read. Nothing was imported")


def test_a_view_of_the_users_own_is_none_of_our_business(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(f"CREATE VIEW mine {ENDLESS}")
    assert len(read_trials(str(database)).results) == 3


def test_a_pipe_beside_a_database_holds_nobody_up(database: Path) -> None:
    os.mkfifo(f"{database}-wal")
    refused(database, r"optuna\.db-wal is not a file")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE trial_values SET value = 'high'",
        "UPDATE trial_params SET param_value = 1e999",
        "UPDATE trial_params SET distribution_json = '{}'",
        f"UPDATE trial_params SET distribution_json = '{DEEP}'",
        "UPDATE trials SET state = 'NONE'",
        "UPDATE trials SET datetime_start = 'yesterday'",
        f"INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (1, 'crc32', '{DEEP}')",
    ],
)
def test_damage_is_said_or_read_around(database: Path, tmp_path: Path, sql: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(sql)
    folder = SweepFolder(tmp_path / "s")
    try:
        write_alone(read_trials(str(database)), folder)
    except UsageError as error:
        assert error.hint
        assert not folder.exists()
    else:
        assert len(read_results(folder)) == 3
