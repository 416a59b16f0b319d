"""The order of trials, the same wherever they are ranked: winner, leaderboard, live board, weights, SQLite."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeAlias

from keras_sweep.space.objective import Objective
from keras_sweep.trial.result import Result, TrialState

IMPORTED = "import/"  # begins the engine's name of a trial that another program trained

Order: TypeAlias = tuple[int, float, float, int, int]  # of one trial; the smallest is the best


def order_key(result: Result, objective: Objective) -> Order:
    """Sorts trials best first: by value; equal values by the loss on the same rows, by fewer epochs, by number.

    Where a trial is scored after its last epoch, pruned trials rank below all complete ones: their values are of
    earlier epochs. Where its best epoch counts (`take: best`), theirs compare, and they rank among the others. Trials
    without a finite value are last.
    """
    if not has_value(result):
        return 2, 0.0, 0.0, 0, result.number
    assert result.value is not None
    group = 1 if result.state is TrialState.PRUNED and not objective.take_best else 0
    return group, objective.key(result.value), _loss(result, objective), result.epochs, result.number


def has_value(result: Result) -> bool:
    """Whether the trial has a score that can be compared."""
    return result.state is not TrialState.FAIL and result.value is not None and math.isfinite(result.value)


def imported(result: Result) -> bool:
    """Whether another program trained it."""
    return result.engine.startswith(IMPORTED)


def can_win(result: Result, objective: Objective) -> bool:
    """Whether it was trained here and its value compares: an imported trial guides a search, but has no weights."""
    return has_value(result) and not imported(result) and order_key(result, objective)[0] == 0


def winner(results: Iterable[Result], objective: Objective) -> Result | None:
    """The first in order of those that can win; None without one."""
    candidates = (result for result in results if can_win(result, objective))
    return min(candidates, key=lambda result: order_key(result, objective), default=None)


def loss_name(objective: Objective) -> str:
    """The loss on the rows that the objective is taken over."""
    return "val_loss" if objective.name.startswith("val_") else "loss"


def _loss(result: Result, objective: Objective) -> float:
    """At the scored epoch; infinite where there is none."""
    curve = result.curve.get(loss_name(objective), ())
    if result.epoch is None or not 0 < result.epoch <= len(curve):
        return math.inf
    loss = curve[result.epoch - 1]
    return math.inf if math.isnan(loss) else loss
