"""What it takes to work on a recorded sweep again: its winner, its backend, and trust in code that it names."""

from dataclasses import replace
from pathlib import Path

import pytest

from keras_sweep.errors import RecordError, UsageError
from keras_sweep.record.facts import Facts
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal
from keras_sweep.sweep.recorded import (
    SweepAccess,
    allows_setting,
    ask_for_trust,
    backend_of,
    needed_winner,
    refuse_imported,
    trial_of,
    unfollowed_spec,
    why_none,
)
from keras_sweep.trial.events import Noticed
from keras_sweep.trial.result import TrialState
from tests.helpers.records import SPEC, new_study
from tests.helpers.results import ACCURACY, result
from tests.helpers.space_texts import DIGITS

FACTS = Facts("val_accuracy", Goal.MAXIMIZE, 42, DIGITS, {}, engine="optuna/random")
DIVERGED = {"state": TrialState.FAIL, "reason": "diverged", "epochs": 2}


@pytest.mark.parametrize(
    ("runner", "backend"),
    [("compiled/jax", "jax"), ("fit/tensorflow", "tensorflow"), ("fit/torch", "torch"), ("tuner", None), ("", None)],
)
def test_the_backend_of_a_trial_is_its_runners_if_keras_has_it(runner, backend):
    assert backend_of(runner) == backend
    assert backend_of("import/optuna") is None


def test_the_winner_is_the_best_that_was_trained_here():
    results = [result(0, 0.7), result(1, 0.8), result(2, 0.9, engine="import/optuna")]
    assert needed_winner("s", results, ACCURACY).number == 1


@pytest.mark.parametrize(
    ("results", "objective", "said", "hint"),
    [
        ([], ACCURACY, r"no trial of sweep 's' has completed\. Run", "Run it, or mend"),
        ([result(0, 0.9, engine="import/optuna")], ACCURACY, "no trial of sweep 's' was trained here", "goes on from"),
        ([result(0, None, **DIVERGED)], ACCURACY, r"has completed: 1 of 1 as trial 0: diverged", "Run it, or mend"),
        (
            [result(0, 0.9, engine="import/optuna"), result(1, None, **DIVERGED)],
            ACCURACY,
            "has completed: 1 of 2 as trial 0",
            "Run it, or mend",
        ),
        (
            [result(0, 0.9)],
            replace(ACCURACY, where="val_loss < 0.01"),
            "no trial of sweep 's' meets `val_loss < 0.01`",
            "With another `where`",
        ),
        ([result(0, None, **DIVERGED)], replace(ACCURACY, where="val_loss < 1"), "has completed: 1 of 1", "Run it"),
    ],
)
def test_without_a_winner_it_is_said_why_and_what_to_do(results, objective, said, hint):
    with pytest.raises(RecordError, match=said) as error:
        needed_winner("s", results, objective)
    assert hint in error.value.hint


def test_why_no_trial_completed_is_how_most_ended_with_the_values_that_are_no_numbers():
    nan = result(3, None, **DIVERGED, curve={"loss": (1.0, float("inf")), "val_loss": (1.0, 2.0), "late": ()})
    pruned = result(1, 0.5, state=TrialState.PRUNED, reason="pruned at epoch 2")
    results = [pruned, nan, replace(nan, suggestion=replace(nan.suggestion, number=4))]
    assert why_none(results) == "2 of 3 as trial 3: diverged (loss inf in epoch 2)"
    assert why_none([pruned]) == "1 of 1 as trial 1: pruned at epoch 2"
    assert why_none([result(0, None, state=TrialState.FAIL, curve={})]) == "1 of 1 as trial 0: FAIL"


def test_code_that_a_record_names_is_run_only_by_trust_and_then_said(tmp_path: Path):
    told: list[Noticed] = []
    for trust in (True, False):
        ask_for_trust([], tmp_path, "record of 's'", trust=trust, emit=told.append)
    assert told == []
    sources = ["mine:model", "mine:model", "other:data"]
    with pytest.raises(UsageError, match=r"the record of 's' names: mine:model from .* and other:data") as error:
        ask_for_trust(sources, tmp_path, "record of 's'", trust=False, emit=told.append)
    assert "A record alone runs none" in str(error.value)
    assert error.value.hint == "If you know that code, add `--trust`"
    assert told == []
    ask_for_trust(sources, tmp_path, "record of 's'", trust=True, emit=told.append)
    (notice,) = told
    assert notice.message.startswith("`--trust`: imports and runs mine:model from ")
    assert notice.message.count("mine:model from") == 1


def test_by_default_no_code_of_a_record_is_trusted(tmp_path: Path):
    access = SweepAccess(SweepFolder(tmp_path / "s"))
    assert (access.trust, access.spec, access.backend) == (False, None, None)
    text = DIGITS.replace("data: digits", 'data: {python: "mine:rows"}')
    (tmp_path / "mine.py").write_text("raise SystemExit('this is not to be run')")
    with StudyFile.create(access.folder, replace(SPEC, text=text), {"origin": str(tmp_path)}) as study:
        with pytest.raises(UsageError, match=r"this needs code that the record of 'dense' names: mine:rows from"):
            access._spec_of(study)
        assert replace(access, trust=True)._spec_of(study).code == ("mine:rows",)


def test_a_sweep_that_was_imported_without_a_space_file_is_refused(tmp_path: Path):
    refuse_imported(FACTS, "s")
    with pytest.raises(UsageError, match=r"the sweep 's' was imported from study\.db without a space file") as error:
        unfollowed_spec(replace(FACTS, imported="study.db"), "s", SweepFolder(tmp_path))
    assert "--space" in error.value.hint


def test_the_spec_of_a_sweep_has_the_engine_and_the_folder_that_it_was_run_with(tmp_path: Path):
    spec = unfollowed_spec(replace(FACTS, origin=str(tmp_path)), "s", SweepFolder(tmp_path / "s"))
    assert (spec.name, spec.folder, spec.search.engine_name) == ("s", tmp_path, "optuna/random")
    assert unfollowed_spec(replace(FACTS, engine=""), "s", SweepFolder(tmp_path)).search.engine_name != "optuna/random"


def test_a_recorded_space_file_of_another_version_is_named_with_its_first_fault(tmp_path: Path):
    for text, more in (("x: 1\n" + DIGITS, False), ("x: 1\ny: 2\n" + DIGITS, True)):
        with pytest.raises(UsageError, match=r"study\.db can't be used: ") as error:
            unfollowed_spec(replace(FACTS, space=text), "s", SweepFolder(tmp_path))
        assert ("(and 1 more faults)" in str(error.value)) is more


def test_a_setting_is_allowed_where_the_recorded_file_has_no_fault_with_it():
    assert allows_setting(FACTS, "search.trials=7")
    assert not allows_setting(FACTS, "search.trials=none")
    assert not allows_setting(FACTS, "nonsense=7")


def test_a_trial_is_that_of_a_number_or_the_winner(tmp_path: Path):
    with new_study(tmp_path) as study:
        with pytest.raises(RecordError, match=r"has completed\."):
            trial_of(study, ACCURACY, None)
        for number, value in enumerate((0.7, 0.9, 0.8)):
            study.add(result(number, value).light())
        assert trial_of(study, ACCURACY, None).number == 1
        assert trial_of(study, ACCURACY, 2).number == 2
        with pytest.raises(UsageError, match="has no trial 3"):
            trial_of(study, ACCURACY, 3)
