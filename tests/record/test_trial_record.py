"""Whose weights are kept."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keras_sweep.record.saved import save_weights, saved_trials
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.record.trial_record import Spool, TrialRecord
from keras_sweep.trial.result import Result, TrialState
from keras_sweep.trial.row_scores import arrays_digest
from tests.helpers.records import DENSE, SPEC, identical, new_study, same
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
def folder(tmp_path: Path) -> SweepFolder:
    folder = SweepFolder(tmp_path / "dense")
    folder.make()
    return folder


def spool(folder: SweepFolder, told: list[str] | None = None, following: int = 0) -> Spool:
    return Spool(folder, following=following, notice=(told if told is not None else []).append)


def trials() -> list[Result]:
    """Of every state, with weights where there are some."""
    results = dense_sweep(40)
    assert {one.state for one in results} == set(TrialState)
    digest = arrays_digest(DENSE)
    complete = TrialState.COMPLETE
    return [replace(one, weights=DENSE, weights_digest=digest) if one.state is complete else one for one in results]


def test_what_is_kept_comes_back_to_the_last_bit(folder: SweepFolder) -> None:
    kept = spool(folder)
    for one in trials():
        kept.keep(one)
    again = spool(folder)
    assert again.numbers == list(range(40))
    for one in trials():
        read = again.read(one.number)
        assert read is not None
        assert same([read], [one])
        assert (read.weights is None) == (one.weights is None)
        assert one.weights is None or identical(read.weights, one.weights)


def test_what_the_record_has_is_removed_when_it_is_opened_again(folder: SweepFolder) -> None:
    kept = spool(folder)
    for one in trials()[:6]:
        kept.keep(one)
    assert spool(folder, following=4).numbers == [4, 5]
    assert [path.name for path in sorted(folder.spool.iterdir())] == ["000004.npz", "000005.npz"]


def test_an_empty_folder_is_not_left_behind(folder: SweepFolder) -> None:
    kept = spool(folder)
    kept.close()
    kept.keep(trials()[0])
    kept.close()
    assert folder.spool.is_dir()
    kept.remove(0)
    kept.close()
    assert not folder.spool.exists()


DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "altered": lambda path: path.write_bytes(path.read_bytes().replace(b'"value": ', b'"value": 9', 1)),
    "empty": lambda path: path.write_bytes(b""),
    "weights alone": lambda path: save_weights(path, DENSE),
    "another text": lambda path: save_weights(path, (np.frombuffer(b'{"version": 1}', np.uint8),)),
    "no text": lambda path: save_weights(path, (np.frombuffer(b"\xff[", np.uint8),)),
    "nothing in it": lambda path: save_weights(path, ()),
    "another's": lambda path: shutil.copy(path.with_name("000002.npz"), path),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_named_and_set_aside(folder: SweepFolder, damage: str) -> None:
    kept = spool(folder)
    for one in trials()[1:3]:
        kept.keep(one)
    DAMAGES[damage](folder.spool / "000001.npz")
    told: list[str] = []
    again = spool(folder, told)
    assert again.read(1) is None
    (said,) = told
    assert "000001.npz is damaged" in said
    assert "it is 000001.npz~1 now, and trial 1 is trained again" in said
    assert again.read(2) is not None
    assert spool(folder).numbers == [2]
