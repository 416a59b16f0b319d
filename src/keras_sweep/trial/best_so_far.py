"""How a search came to its best value: trial by trial, and second by second."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from keras_sweep.space.search_space import Objective
from keras_sweep.trial.ranking import can_win
from keras_sweep.trial.result import Result


def spent_seconds(results: Mapping[int, Result]) -> dict[int, float]:
    """Trial -> what it and all before it took of sampling, compiling and training, one after the other."""
    spent, total = {}, 0.0
    for number in sorted(results):
        took = results[number].seconds.total
        total += took if math.isfinite(took) and took > 0 else 0.0
        spent[number] = total
    return spent


def improvements(
    results: Iterable[Result], objective: Objective, *, counts: Callable[[Result, Objective], bool] = can_win
) -> list[Result]:
    """The trials that were the best of those that count when they ended, in the order of their numbers."""
    found: list[Result] = []
    for result in sorted(results, key=lambda each: each.number):
        if not counts(result, objective) or result.value is None:
            continue
        if not found or objective.better(result.value, found[-1].value or 0.0):
            found.append(result)
    return found


def trained_epochs(results: Sequence[Result]) -> int:
    """The epochs of all trials together; those that a promoted trial took over count once."""
    known: dict[int | None, int] = {result.number: result.epochs for result in results}
    return sum(result.epochs - known.get(result.suggestion.continues, 0) for result in results)
