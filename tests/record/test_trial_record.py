"""Whose weights are kept."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from keras_sweep.files.arrays import write_arrays
from keras_sweep.record.saved import list_numbered_files
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.trial_record import TrialRecord, list_waiting
from keras_sweep.trial.result import Result, TrialState
from keras_sweep.trial.row_scores import arrays_digest, from_values
from tests.helpers.records import DENSE, SPEC, identical, new_study, same, saved_trials
from tests.helpers.results import dense_sweep, result


def test_the_best_that_can_win_are_kept_in_the_order_of_the_leaderboard(tmp_path: Path) -> None:
    pruned = TrialState.PRUNED
    some = [
        result(0, 1.0, engine="import/optuna"),
        result(1, 1.0, curve={"val_accuracy": (1.0,), "val_loss": (0.9,)}, epoch=1),
        result(2, 1.0, curve={"val_accuracy": (1.0,), "val_loss": (0.1,)}, epoch=1),
        result(3, 0.7),
        result(4, 0.9, state=pruned, reason="pruned at epoch 2"),
    ]
    best_epoch = replace(SPEC.objective, take_best=True)
    for objective, wanted in ((SPEC.objective, [2, 1, 3]), (best_epoch, [2, 1, 4])):
        with new_study(tmp_path / str(objective.take_best)) as study:
            record = TrialRecord(study, objective, kept=3)
            for one in some:
                record.add(replace(one, weights=DENSE))
            assert record.best == wanted
            assert saved_trials(study.folder) == sorted(wanted)


@pytest.fixture
def study(tmp_path: Path) -> Iterator[StudyFile]:
    with new_study(tmp_path) as study:
        yield study


def trials() -> list[Result]:
    """Of every state, with weights where there are some."""
    results = dense_sweep(40)
    assert {one.state for one in results} == set(TrialState)
    digest = arrays_digest(DENSE)
    complete = TrialState.COMPLETE
    return [replace(one, weights=DENSE, weights_digest=digest) if one.state is complete else one for one in results]


def waits(study: StudyFile, some: Sequence[Result]) -> TrialRecord:
    record = TrialRecord(study, SPEC.objective)
    for one in some:
        record.wait(one)
    return record


def test_what_waits_comes_back_to_the_last_bit(study: StudyFile) -> None:
    waits(study, trials())
    again = TrialRecord(study, SPEC.objective)
    assert list(again.waiting(range(41))) == list(range(40))
    for one in trials():
        (read,) = again.waiting([one.number, 40]).values()
        assert same([read], [one])
        assert (read.weights is None) == (one.weights is None)
        assert one.weights is None or identical(read.weights or (), one.weights)


def test_what_the_record_has_is_removed_when_it_is_opened_again(study: StudyFile) -> None:
    waits(study, trials()[:6])
    study.add(*dense_sweep(4))
    assert list(TrialRecord(study, SPEC.objective).waiting(range(6))) == [4, 5]
    assert [path.name for path in sorted(study.folder.spool.iterdir())] == ["000004.npz", "000005.npz"]


def test_an_empty_spool_is_not_left_behind(study: StudyFile) -> None:
    record = waits(study, [])
    record.close()
    record.wait(trials()[0])
    record.close()
    assert study.folder.spool.is_dir()
    record.discard(0)
    record.close()
    assert not study.folder.spool.exists()


DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "altered": lambda path: path.write_bytes(path.read_bytes().replace(b'"value": ', b'"value": 9', 1)),
    "empty": lambda path: path.write_bytes(b""),
    "weights alone": lambda path: write_arrays(path, DENSE),
    "another text": lambda path: write_arrays(path, (), text='{"state": 1}'),
    "no text": lambda path: write_arrays(path, (np.frombuffer(b"\xff[", np.uint8),)),
    "nothing in it": lambda path: write_arrays(path, ()),
    "another's": lambda path: shutil.copy(path.with_name("000002.npz"), path),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_named_and_set_aside(study: StudyFile, damage: str) -> None:
    waits(study, trials()[1:3])
    DAMAGES[damage](study.folder.spool / "000001.npz")
    told: list[str] = []
    assert set(TrialRecord(study, SPEC.objective, notice=told.append).waiting([1, 2])) == {2}
    (said,) = told
    assert "000001.npz is damaged" in said
    assert "renamed to 000001.npz~1, and trial 1 is trained again" in said
    assert list(TrialRecord(study, SPEC.objective).waiting([1, 2])) == [2]


def test_trials_that_optuna_wrote_are_told_of_once_they_have_a_study_of_their_own(study: StudyFile) -> None:
    told: list[str] = []
    record = TrialRecord(study, SPEC.objective, notice=told.append)
    record.add(trials()[0])
    storage = f"sqlite:///{study.folder.study}"
    optuna.load_study(study_name="dense", storage=storage).add_trial(optuna.trial.create_trial(value=1.0))
    for one in trials()[1:3]:
        record.add(one)
    assert told == [
        "skipped 1 trial that Optuna wrote into the record, from number 1; "
        "they are in the study 'dense from Optuna' now, which `sweep import` reads"
    ]
    assert same(study.results(), [one.light() for one in trials()[:3]])


def test_what_waits_keeps_its_weights_where_it_may_be_among_the_best_once_it_is_recorded(study: StudyFile) -> None:
    record = TrialRecord(study, SPEC.objective, kept=3)
    for number, value in enumerate((0.7, 0.2, 0.6, 0.1, 0.5)):
        record.add(replace(result(number, value), weights=DENSE))
    assert (record.best, saved_trials(study.folder)) == ([0, 2, 4], [0, 2, 4])
    for number, value, is_kept in ((5, 0.55, True), (6, 0.3, False), (7, 0.5, False), (8, None, False)):
        state = TrialState.FAIL if value is None else TrialState.COMPLETE
        record.wait(replace(result(number, value, state=state), weights=DENSE, weights_digest=arrays_digest(DENSE)))
        assert (record.waiting([number])[number].weights is not None) is is_kept, number


def test_while_few_trials_are_recorded_any_that_waits_keeps_its_weights(study: StudyFile) -> None:
    record = TrialRecord(study, SPEC.objective, kept=2)
    record.add(result(0, 0.7))
    record.wait(replace(result(1, 0.1), weights=DENSE, weights_digest=arrays_digest(DENSE)))
    assert record.waiting([1])[1].weights is not None


def test_trials_that_wait_are_those_after_the_record_and_below_the_total(study: StudyFile) -> None:
    waits(study, trials()[:5])
    assert list_waiting(study.folder, 2, 4) == [2, 3]
    assert list_waiting(study.folder, 0, None) == [0, 1, 2, 3, 4]
    assert list_waiting(study.folder, 5, None) == []


def test_what_can_not_win_keeps_no_scores(study: StudyFile) -> None:
    record, scores = TrialRecord(study, SPEC.objective), from_values(np.ones(9))
    for number, state in enumerate((TrialState.COMPLETE, TrialState.PRUNED)):
        record.wait(replace(result(number, 0.5, state=state), scores=scores, scores_digest=scores.digest))
    assert [one.scores is not None for one in record.waiting(range(2)).values()] == [True, False]
    for number, state in enumerate((TrialState.COMPLETE, TrialState.PRUNED)):
        record.add(replace(result(number, 0.5, state=state), scores=scores, scores_digest=scores.digest))
    assert list(list_numbered_files(study.folder.scores)) == [0]
