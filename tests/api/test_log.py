"""A sweep into a tracker: while it runs, where the tracker can't be had, and what a run holds."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

import keras_sweep as ks
from keras_sweep.api import report
from keras_sweep.api.report import log_sweep
from keras_sweep.api.trackers import make_run
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.study_file import StudyFile
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.trial.result import Suggestion
from tests.helpers.command import PATIENCE
from tests.helpers.records import new_folder
from tests.helpers.results import dense_sweep, recorded, result
from tests.helpers.tracked import in_tensorboard, stay_here


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stay_here(tmp_path, monkeypatch)


def wait_for(path: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < end, path
        time.sleep(0.02)


def test_new_trials_are_logged_while_the_sweep_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "EVERY", 0.05)
    folder = new_folder(Path("sweeps"), trials=2)
    with SweepLock(folder):  # this process runs the sweep
        call = {"args": (OpenSweep(folder), "tensorboard"), "kwargs": {"follow": True}}
        following = threading.Thread(target=log_sweep, **call)
        following.start()
        wait_for(Path("runs/dense/trial-1"))
        with StudyFile.open(folder) as study:
            study.add(dense_sweep(3)[2])
        wait_for(Path("runs/dense/trial-2"))
        assert following.is_alive()
    following.join(PATIENCE)
    assert not following.is_alive()
    assert any("index.html" in run.files for run in in_tensorboard("dense").values())  # of the winner, at the end


def test_a_tracker_that_can_not_be_reached_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    new_folder(Path("sweeps"), trials=2)
    with pytest.raises(ks.SweepError, match=r"mlflow failed: .*127\.0\.0\.1.* The same call logs the rest") as failed:
        ks.open("dense").log("mlflow")
    assert failed.value.exit_code == 1


def test_what_is_wrong_with_a_call_is_told_before_anything_is_written() -> None:
    new_folder(Path("sweeps"), trials=2)
    Path("runs/dense/trial-0").mkdir(parents=True)
    Path("runs/dense/trial-0/mine").touch()
    for words, said in (
        (("wandb", "elsewhere"), "`path` is only for tensorboard"),
        (("mflow",), "Did you mean `mlflow`"),
        (("tensorboard",), "did not write"),
    ):
        with pytest.raises(ks.UsageError, match=said):
            ks.open("dense").log(*words)
    assert [path.name for path in Path("runs/dense").iterdir()] == ["trial-0"]
    assert ks.open("dense").log("tensorboard", "elsewhere") == "elsewhere/dense"


def test_finalists_and_further_goals_belong_to_the_run_of_their_trial() -> None:
    again = replace(result(value=0.87), suggestion=Suggestion(0, {"epochs": 4, "seed": 43}, recipe=3))
    trial = replace(result(3, 0.85, measured={"parameters": 7850.0}), finalists=(again,), final=True)
    sweep = recorded([trial])
    sweep = replace(sweep, facts=replace(sweep.facts, goals=(Objective("parameters", Goal.MINIMIZE),)))
    run = make_run(sweep, trial, is_winner=False)
    assert run.curves == {**trial.curve, **{f"seed_43/{name}": curve for name, curve in again.curve.items()}}
    assert (run.scores["value"], run.scores["parameters"]) == (0.85, 7850)
    assert run.scores["seeds_mean"] == pytest.approx(0.86)
    before = make_run(sweep, replace(trial, finalists=(), final=False), is_winner=False)
    assert before.id == run.id and before.mark != run.mark
