"""Trials that ended and wait beside the record are in no table; what is printed says that they are there."""

import json
from pathlib import Path

from keras_sweep.record.trial_record import TrialRecord
from tests.helpers.command import called
from tests.helpers.records import SPEC, new_study
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
    said = "2 more trials have ended and are kept: they are shown once those with lower numbers have ended too"
    for form in ("table", "json"):
        code, out, err = called(["leaderboard", "--format", form], tmp_path)
        assert (code, err) == (0, f"note: {said}\n")
        assert out
    _, out, err = called(["list", "--format", "json"], tmp_path)
    (row,) = json.loads(out)
    assert (row["trials"], row["waiting"], row["total"], row["state"]) == (4, 2, 64, "stopped")
    assert err == f"note: dense: {said}\n"
    code, out, err = called(["show", "dense", "6"], tmp_path)
    assert (code, out) == (2, "")
    assert err == (
        "error: sweep 'dense' can't show trial 6 yet. 1 more trial has ended and is kept: "
        "it is shown once those with lower numbers have ended too\n"
    )
    assert called(["show", "dense", "3"], tmp_path)[::2] == (0, "")
    assert "has no trial 5: they are numbered 0 to 3" in called(["show", "dense", "5"], tmp_path)[2]


def test_a_record_beside_which_all_trials_wait_is_not_called_empty(tmp_path: Path) -> None:
    waiting(tmp_path, 0, 1)
    assert "1 more trial has ended and is kept" in called(["leaderboard"], tmp_path)[2]
    assert called(["show"], tmp_path)[2].startswith("error: sweep 'dense' can't show a trial yet. 1 more trial has")


def test_what_waits_beyond_the_total_is_not_told_of(tmp_path: Path) -> None:
    waiting(tmp_path, 4, 64)
    assert called(["leaderboard"], tmp_path)[2] == ""
