"""Trials beside those of the record are in no table; what is printed says that they are there."""

import json
from pathlib import Path

import optuna
import pytest

from keras_sweep.record.trial_record import TrialRecord
from tests.helpers.command import called
from tests.helpers.records import SPEC, new_folder, new_study
from tests.helpers.results import dense_sweep


def waiting(sweeps: Path, recorded: int, *numbers: int) -> None:
    """A sweep whose record holds so many trials, beside which others wait."""
    with new_study(sweeps, dense_sweep(recorded)) as study:
        study.set_attributes({"trials": 64})
        record = TrialRecord(study, SPEC.objective)
        for number in numbers:
            record.wait(dense_sweep(max(numbers) + 1)[number])


def test_readers_say_what_waits_as_the_end_of_the_run_does(tmp_path: Path) -> None:
    waiting(tmp_path, 4, 6, 9)
    said = "2 more trials have ended and are kept: they are shown when all trials with lower numbers have ended"
    assert called(["leaderboard", "--format", "json"], tmp_path)[::2] == (0, f"note: {said}\n")
    _, out, err = called(["list", "--format", "json"], tmp_path)
    (row,) = json.loads(out)
    assert (row["trials"], row["waiting"], row["total"], row["state"]) == (4, 2, 64, "stopped")
    assert err == f"note: dense: {said}\n"
    assert called(["show", "dense", "6"], tmp_path) == (
        2,
        "",
        "error: sweep 'dense' can't show trial 6 yet. 1 more trial has ended and is kept: "
        "it is shown when all trials with lower numbers have ended\n",
    )
    assert called(["show", "dense", "3"], tmp_path)[::2] == (0, "")
    assert "has no trial 5: its trials are 0 to 3" in called(["show", "dense", "5"], tmp_path)[2]


@pytest.mark.parametrize(("recorded", "number", "said"), [(0, 1, "note: 1 more trial has ended"), (4, 64, "")])
def test_a_record_without_trials_is_not_called_empty_and_what_is_beyond_the_total_is_not_told(
    tmp_path: Path, recorded: int, number: int, said: str
) -> None:
    waiting(tmp_path, recorded, number)
    assert called(["leaderboard"], tmp_path)[2].startswith(said)
    assert bool(called(["leaderboard"], tmp_path)[2]) == bool(said)
    assert called(["show"], tmp_path)[2].startswith("error: sweep 'dense' can't show a trial yet. 1 more") == bool(said)


def test_trials_that_optuna_wrote_into_the_record_are_named(tmp_path: Path) -> None:
    folder = new_folder(tmp_path, 4)
    before = called(["leaderboard"], tmp_path)
    study = optuna.load_study(study_name="dense", storage=f"sqlite:///{folder.study}")
    study.add_trial(optuna.trial.create_trial(value=1.0))
    study.enqueue_trial({"learning_rate": 0.1})
    said = "note: skipped 2 trials that Optuna wrote into the record, from number 4\n"
    assert called(["leaderboard"], tmp_path) == (0, before[1], said)
    assert before[2] == ""
