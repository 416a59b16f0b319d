"""Results as a sweep of the dense model gives them, made up by a seed."""

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_sweep.record.facts import Facts
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.sweep.events import SweepStarted
from keras_sweep.sweep.events import TestEvaluated as Evaluated
from keras_sweep.trial.result import Result, Seconds, Suggestion, TrialState
from keras_sweep.views.leaderboard.rows import LeaderboardRow, Ranking

ACCURACY = Objective("val_accuracy", Goal.MAXIMIZE)
LOSS = Objective("val_loss", Goal.MINIMIZE)


def result(number=0, value=0.85, *, state=TrialState.COMPLETE, stderr=0.0033, epochs=4, **more: Any) -> Result:
    """One result; its curve rises to `value`, if it has one. `params` and every other field may be given."""
    params = more.pop("params", {"optimizer": "adam", "learning_rate": 0.001, "epochs": epochs})
    generation = more.pop("generation", number // 8)
    fields: dict[str, Any] = {
        "curve": curve(value if value is not None else math.nan, epochs),
        "epoch": epochs if value is not None else None,
        "seconds": Seconds(0.002, 0.03, 0.05 * epochs, 0.002),
        "engine": "optuna/tpe",
        "runner": "compiled/jax",
        **more,
    }
    return Result(Suggestion(number, params, generation), state, value, stderr=stderr, **fields)


def looked(number=50, scores=None, stderrs=None, looks=1, per_class=None, **more: Any) -> Evaluated:
    seen: dict[str, Any] = {"scores": scores or {}, "stderrs": stderrs or {}, "per_class": per_class}
    return Evaluated(**{"rows": 1000, **seen, "number": number, "seed": None, "refit": False, "looks": looks, **more})


def recorded(results: Sequence[Result], objective: Objective = ACCURACY) -> RecordedSweep:
    """A sweep of them, as a record gives it."""
    return RecordedSweep(SweepFolder(Path("dense")), Facts(objective.name, objective.goal, 42, "", {}), results)


def ranking(ranked: Sequence[LeaderboardRow], rows=None, objective=ACCURACY, comparison=None) -> Ranking:
    """All rows of a leaderboard, or those that are shown of it."""
    return Ranking(objective, comparison, ranked, ranked if rows is None else rows)


def curve(value: float, epochs: int) -> dict[str, tuple[float, ...]]:
    """A validation accuracy that rises to `value` and a loss that falls."""
    accuracy = (*(value * (1 - 0.3 * math.exp(-epoch)) for epoch in range(1, epochs)), value)
    loss = tuple(2 * (1.02 - point) for point in accuracy)
    return {
        "accuracy": tuple(point + 0.005 for point in accuracy),
        "loss": tuple(point - 0.01 for point in loss),
        "val_accuracy": accuracy,
        "val_loss": loss,
    }


def dense_sweep(trials: int = 64, seed: int = 42) -> list[Result]:
    """A whole sweep: learning rates over four decades, some trials diverged, some pruned."""
    draw = random.Random(seed)
    results = []
    for number in range(trials):
        optimizer = draw.choice(["sgd", "rmsprop", "adam"])
        rate = 10 ** draw.uniform(-4, 0)
        epochs = draw.randint(1, 20)
        params = {"optimizer": optimizer, "learning_rate": rate, "epochs": epochs, "batch_size": 32}
        if optimizer == "sgd":
            params["momentum"] = draw.choice([0.0, 0.9])
        best = {"sgd": -1.0, "rmsprop": -3.1, "adam": -2.9}[optimizer]
        value = 0.857 - 0.015 * (math.log10(rate) - best) ** 2 - 0.03 * math.exp(-epochs / 4) + draw.gauss(0, 0.001)
        if optimizer != "sgd" and rate > 0.6:
            params_failed = {"params": params, "reason": "diverged", "state": TrialState.FAIL, "epochs": 2}
            results.append(result(number, None, stderr=None, **params_failed))
        elif draw.random() < 0.15 and epochs > 6:
            pruned = {"params": params, "reason": "pruned at epoch 3", "state": TrialState.PRUNED, "epochs": 3}
            results.append(result(number, value - 0.05, **pruned))
        else:
            stderr = math.sqrt(value * (1 - value) / 12000)
            results.append(result(number, value, params=params, epochs=epochs, stderr=stderr))
    return results


def started(**changes: Any) -> SweepStarted:
    """The event of a sweep as that of `dense_sweep`, which has 64 trials."""
    return SweepStarted(
        **{
            "name": "dense",
            "folder": "sweeps/dense",
            "engine": "optuna/tpe",
            "runner": "compiled/jax",
            "total": 64,
            "finished": (),
            "objective": ACCURACY,
            "space_size": 1e9,
            "parameters": ("learning_rate", "optimizer", "momentum", "epochs"),
            **changes,
        }
    )
