"""Whose weights are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from keras_sweep.record.saved import saved_trials
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.trial.result import TrialState
from tests.helpers.records import DENSE, SPEC, new_study
from tests.helpers.results import result


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
