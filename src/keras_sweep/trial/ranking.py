"""Rank trials, in the same order for all readers, and show how a search reached its best value."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeAlias

from keras_sweep.space.constraint import parse_constraint
from keras_sweep.space.search_space import Objective
from keras_sweep.trial.result import Result, TrialState

IMPORTED = "import/"  # prefix of the engine's name, for trials of another program
LEADING = 10  # best trials, whose weights are kept and which may become finalists
CHANGES = 5  # last changes of a curve; their spread estimates the spread over seeds
ADDED = "added"  # in place of the engine's name, for trials that the user added

Order: TypeAlias = tuple[int, int, float, float, int, int]  # of a trial; the smallest is the best


def order_key(result: Result, objective: Objective) -> Order:
    """Return a sort key that puts the best trial first. Equal trials are sorted by loss, then epochs, then number.
    First are the finalists, once all their seeds ended, by fewer failed seeds, then by the mean over seeds. Complete
    trials follow, by value. Pruned trials come after them, since their values are of earlier epochs; with `take: best`
    they rank like complete trials. Trials without a finite value are last."""
    if not has_value(result):
        return 2, 0, 0.0, 0.0, 0, result.number
    assert result.value is not None
    if result.final:
        ended = [part for part in (result, *result.finalists) if has_value(part)]
        failed = 1 + len(result.finalists) - len(ended)
        value, loss = mean([part.value or 0.0 for part in ended]), mean([_loss(part, objective) for part in ended])
        return -1, failed, objective.key(value), loss, result.epochs, result.number
    is_below = result.state is TrialState.PRUNED and not objective.take_best
    return int(is_below), 0, objective.key(result.value), _loss(result, objective), result.epochs, result.number


def has_value(result: Result) -> bool:
    """Check whether a trial did not fail and has a finite value."""
    return result.state is not TrialState.FAIL and result.value is not None and math.isfinite(result.value)


def is_imported(result: Result) -> bool:
    """Check whether another program trained the trial."""
    return result.engine.startswith(IMPORTED)


def is_searched(result: Result) -> bool:
    """Check whether an engine of this sweep suggested the trial: it was not imported, and the user did not add it."""
    return not is_imported(result) and result.engine != ADDED


def comparable(result: Result, objective: Objective) -> bool:
    """Check whether a trial can be compared by value: the value is finite, and the trial was not pruned.
    With `take: best`, pruned trials count too, since the best epoch of each trial is compared."""
    return has_value(result) and (result.final or objective.take_best or result.state is not TrialState.PRUNED)


def can_win(result: Result, objective: Objective) -> bool:
    """Check whether a trial is `comparable`, meets `objective.where` and is not imported, so that it has weights."""
    return (
        comparable(result, objective) and not is_imported(result) and (not objective.where or _meets(result, objective))
    )


def _meets(result: Result, objective: Objective) -> bool:
    condition, goals = parse_constraint(objective.where), (objective, *objective.further)
    values = {goal.name: value for goal in goals if (value := result.goal(goal.name)) is not None}
    try:
        return condition.names <= values.keys() and condition.is_met(values)
    except (ArithmeticError, TypeError, ValueError):
        return False


def good_enough(results: Iterable[Result], objective: Objective, value: float) -> Result | None:
    """Return the first trial that can win and is at least as good as `value`, or None."""
    good = (
        trial for trial in results if can_win(trial, objective) and not objective.is_better(value, trial.value or 0.0)
    )
    return next(good, None)


def winner(results: Iterable[Result], objective: Objective) -> Result | None:
    """Return the best trial that can win, or None if no trial can win."""
    candidates = (result for result in results if can_win(result, objective))
    return min(candidates, key=lambda result: order_key(result, objective), default=None)


def front(results: Iterable[Result], objective: Objective) -> frozenset[int]:
    """Return the numbers of trials on the Pareto front: no other trial is better in a goal and as good in all others.
    Each trial counts with its value for the search's seed. With a single goal the front is empty."""
    if not objective.further:
        return frozenset()

    def key(goal: Objective, value: float | None) -> float:
        return math.inf if value is None or math.isnan(value) else goal.key(value)

    keys = {
        result.number: (objective.key(result.value), *(key(goal, result.goal(goal.name)) for goal in objective.further))
        for result in results
        if comparable(result, objective) and not is_imported(result) and result.value is not None
    }
    pareto: dict[int, tuple[float, ...]] = {}
    # In sorted order, a trial comes after all trials that are better in all goals.
    for number, values in sorted(keys.items(), key=lambda item: item[1]):
        rivals = pareto.values()
        if not any(all(a <= b for a, b in zip(rival, values, strict=True)) and rival != values for rival in rivals):
            pareto[number] = values
    return frozenset(pareto)


def best_training(result: Result, objective: Objective) -> Result:
    """Return the training whose model is exported: of the best seed if finalists decide, else `result` itself.
    The loss decides between seeds of equal value."""
    if not result.final:
        return result
    trainings = (training for training in (result, *result.finalists) if has_value(training))
    return min(trainings, key=lambda training: (objective.key(training.value or 0.0), _loss(training, objective)))


def loss_name(objective: Objective) -> str:
    """Return "val_loss" if the objective is measured on validation rows, else "loss"."""
    return "val_loss" if objective.name.startswith("val_") else "loss"


def _loss(result: Result, objective: Objective) -> float:
    curve = result.curve.get(loss_name(objective), ())
    if result.epoch is None or not 0 < result.epoch <= len(curve):
        return math.inf
    loss = curve[result.epoch - 1]
    return math.inf if math.isnan(loss) else loss


def mean(values: Sequence[float]) -> float:
    """Return the mean, with the same rounding in any order of `values`; infinity if a value is infinite."""
    return math.fsum(values) / len(values) if math.inf not in values else math.inf


def sum_seconds(results: Iterable[Result]) -> dict[int, float]:
    """Return trial number -> seconds of sampling, compiling and training, summed over this trial and all before it."""
    seconds = {result.number: result.seconds.total for result in sorted(results, key=lambda trial: trial.number)}
    finite = (duration if math.isfinite(duration) and duration > 0 else 0.0 for duration in seconds.values())
    return dict(zip(seconds, accumulate(finite), strict=True))


def improvements(
    results: Iterable[Result], objective: Objective, *, counts: Callable[[Result, Objective], bool] = can_win
) -> list[Result]:
    """Return the trials that are better than all trials before them, in order of number.
    Only trials for which `counts(trial, objective)` is true take part."""
    leaders: list[Result] = []
    for result in sorted(results, key=lambda trial: trial.number):
        if not counts(result, objective) or result.value is None:
            continue
        if not leaders or objective.is_better(result.value, leaders[-1].value or 0.0):
            leaders.append(result)
    return leaders


def count_epochs(results: Sequence[Result]) -> int:
    """Count the epochs that all trials trained. If a trial continues an earlier trial, only the added epochs count."""
    epochs: dict[int | None, int] = {result.number: result.epochs for result in results}
    return sum(result.epochs - epochs.get(result.suggestion.continues, 0) for result in results)


@dataclass(frozen=True, slots=True)
class SeedScores:
    """The scores of a configuration over its seeds, including the search's seed."""

    count: int  # number of seeds
    mean: float  # over the seeds that did not fail
    stderr: float | None  # standard error of the mean; None for a single value or equal values
    unstable: bool  # whether the seeds differ by more than chance in the rows explains, or a seed failed
    exported: int | None = None  # the seed of the exported model; None if it was not looked up


def seed_scores(result: Result) -> SeedScores | None:
    """Return the scores of a trial over its seeds, or None if the trial has no value or only the search's seed."""
    if not result.finalists or not has_value(result):
        return None
    values = [part.value for part in (result, *result.finalists) if has_value(part) and part.value is not None]
    count = 1 + len(result.finalists)
    if len(values) < 2:
        return SeedScores(count, mean(values), None, unstable=True)
    spread = _deviation(values)
    # Values that differ by the standard error of their rows alone have a spread below the 95th percentile of
    # chi-squared, here by Wilson and Hilferty (1931).
    term = 2 / (9 * (len(values) - 1))
    chance_spread = (result.stderr or math.inf) * (1 - term + 1.645 * math.sqrt(term)) ** 1.5
    is_unstable = len(values) < count or spread > chance_spread
    # Accuracies have coarse steps: a few equal values do not show that the error is zero.
    are_equal = len(set(values)) == 1
    return SeedScores(count, mean(values), None if are_equal else spread / math.sqrt(len(values)), is_unstable)


def score(result: Result) -> tuple[float | None, float | None]:
    """Return (value, standard error) by which a trial is ranked: a mean over seeds if finalists decide."""
    scores = seed_scores(result) if result.final else None
    return (result.value, result.stderr) if scores is None else (scores.mean, scores.stderr)


def unsteadiness(result: Result, objective: Objective) -> float:
    """Return the standard deviation of the objective's last 5 changes from epoch to epoch, up to the scored epoch.
    Returns infinity if there are fewer than 2 changes."""
    curve = result.curve.get(objective.name, ())[: result.epoch][-CHANGES - 1 :]
    changes = [after - before for before, after in pairwise(curve)]
    return _deviation(changes) if len(changes) > 1 else math.inf


def _deviation(values: Sequence[float]) -> float:
    centre = mean(values)
    squares = [(value - centre) ** 2 for value in values]
    return math.sqrt(math.fsum(squares) / (len(values) - 1)) if math.isfinite(centre) else math.inf
