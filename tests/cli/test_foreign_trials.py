"""Trials that Optuna wrote into a record are in no table; what is printed says that they are there."""

from pathlib import Path

import optuna

from tests.helpers.command import called
from tests.helpers.records import new_folder


def test_the_leaderboard_works_and_names_them(tmp_path: Path) -> None:
    folder = new_folder(tmp_path, 4)
    before = called(["leaderboard"], tmp_path)
    study = optuna.load_study(study_name="dense", storage=f"sqlite:///{folder.study}")
    study.add_trial(optuna.trial.create_trial(value=1.0))
    study.enqueue_trial({"learning_rate": 0.1})
    said = "note: left out: 2 trials that Optuna wrote into the record, from number 4 on\n"
    assert called(["leaderboard"], tmp_path) == (0, before[1], said)
    assert before[2] == ""
