"""The finalists' study beside the sweep's own in one record."""

import sqlite3
from pathlib import Path

import optuna
import pytest

from keras_sweep.errors import RecordError
from keras_sweep.record.reader import read_facts
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep.optuna_storage import read_trials
from keras_sweep.trial.result import Result, Suggestion, TrialState
from tests.helpers.factory import make_spec
from tests.helpers.records import change, same

CHOICE = {"trials": 4, "recipes": [1, 0], "seeds": [43]}


def result(number: int, value: float, recipe: int | None = None) -> Result:
    params = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 2}
    params |= {} if recipe is None else {"seed": 43}
    suggestion = Suggestion(number, params, recipe=recipe)
    curve = {"val_accuracy": (0.1, value), "val_loss": (2.0, 1.0)}
    return Result(suggestion, TrialState.COMPLETE, value, curve=curve, epoch=2, engine="x", runner="y", stderr=0.01)


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    """Four trials, of which two were trained with another seed; the worse one came out better."""
    folder = SweepFolder(tmp_path / "digits")
    with StudyFile.create(folder, make_spec(), {"finalists": [CHOICE]}) as study:
        study.add(*(result(n, value) for n, value in enumerate((0.9, 0.89, 0.5, 0.8))))
        study.finalists().add(result(0, 0.95, recipe=1), result(1, 0.7, recipe=0))
    return folder


def test_a_finalist_comes_back_to_the_last_digit_with_its_recipe(folder: SweepFolder) -> None:
    with StudyFile.open(folder) as study:
        assert [one.number for one in study.results()] == [0, 1, 2, 3]
        assert study.finalists().results() == [result(0, 0.95, recipe=1), result(1, 0.7, recipe=0)]
        assert [one.finalists for one in study.load_results()[2:]] == [(), ()]
        assert all(not one.finalists for one in study.results())
    found = RecordedSweep.read(folder).results
    assert [one.final for one in found] == [True, True, False, False]
    assert found[1].finalists == (result(0, 0.95, recipe=1),)
    assert RecordedSweep.read(folder).best.number == 1


def test_it_is_begun_as_optuna_begins_a_study(folder: SweepFolder) -> None:
    storage = f"sqlite:///{folder.study}"
    optuna.create_study(storage=storage, study_name="by optuna", direction="maximize")
    with sqlite3.connect(folder.study) as connection:
        rows = connection.execute(
            "SELECT s.study_name, d.direction, d.objective FROM studies s JOIN study_directions d USING (study_id)"
        ).fetchall()
    connection.close()
    ours, theirs = (next(row[1:] for row in rows if row[0] == name) for name in ("digits finalists", "by optuna"))
    assert ours == theirs
    assert optuna.load_study(study_name="digits finalists", storage=storage).best_trial.number == 0
    assert len(optuna.load_study(study_name="digits", storage=storage).trials) == 4


def test_a_choice_among_fewer_trials_decides_nothing(folder: SweepFolder) -> None:
    with StudyFile.open(folder) as study:
        study.add(result(4, 0.1))
    assert not any(one.final for one in RecordedSweep.read(folder).results)
    assert RecordedSweep.read(folder).best.number == 0
    assert RecordedSweep.read(folder).results[1].finalists


def test_the_finalists_of_another_sweep_are_refused(folder: SweepFolder) -> None:
    change(folder, "UPDATE studies SET study_name = 'other finalists' WHERE study_name = 'digits finalists'")
    for read in (RecordedSweep.read, read_facts, StudyFile.open):
        with pytest.raises(RecordError, match="has the study 'other finalists' of another sweep"):
            read(folder)


def test_another_study_in_the_file_is_let_be(folder: SweepFolder) -> None:
    before = RecordedSweep.read(folder).results
    optuna.create_study(storage=f"sqlite:///{folder.study}", study_name="x", direction="minimize").add_trial(
        optuna.trial.create_trial(value=1.0)
    )
    assert same(RecordedSweep.read(folder).results, before)
    assert read_facts(folder).foreign == 0
    StudyFile.open(folder).close()


@pytest.mark.parametrize(
    "choices",
    [
        "[]",
        '[{"trials": 4, "recipes": [7, 900], "seeds": [43]}]',
        '[{"trials": 4, "recipes": [], "seeds": [43]}]',
        '[{"trials": 4, "recipes": [1, 1, 0], "seeds": [43, 43]}]',
    ],
)
def test_any_choice_of_the_right_types_can_be_read(folder: SweepFolder, choices: str) -> None:
    change(folder, f"UPDATE study_user_attributes SET value_json = '{choices}' WHERE key = 'finalists'")
    assert len(RecordedSweep.read(folder).results) == 4
    assert RecordedSweep.read(folder).best is not None


def test_a_finalist_of_a_trial_that_is_not_there_is_nobodys(folder: SweepFolder) -> None:
    with StudyFile.open(folder) as study:
        study.finalists().add(result(2, 0.99, recipe=77))
    assert sum(len(one.finalists) for one in RecordedSweep.read(folder).results) == 2


def test_the_sweep_is_what_is_imported_from_its_record(folder: SweepFolder) -> None:
    found = read_trials(str(folder.study))
    assert (found.name, len(found.results)) == ("digits", 4)
    assert len(read_trials(str(folder.study), study="digits finalists").results) == 2


def test_optuna_reads_the_seeds_of_finalists_from_all_that_there_may_be(folder: SweepFolder) -> None:
    study = optuna.load_study(study_name="digits finalists", storage=f"sqlite:///{folder.study}")
    seeds = optuna.distributions.IntDistribution(0, 2**32 - 1)
    assert study.trials
    assert {trial.distributions["seed"] for trial in study.trials} == {seeds}
