"""The order of trials, the same wherever they are ranked, and how a search came to its best value."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeAlias

from keras_sweep.space.constraint import constraint
from keras_sweep.space.search_space import Objective
from keras_sweep.trial.result import Result, TrialState

IMPORTED = "import/"  # begins the engine's name of a trial that another program trained
LEADING = 10  # best trials whose weights are kept, and of which the finalists are chosen
CHANGES = 5  # of a curve, the last ones, whose spread foretells the spread over seeds
ADDED = "added"  # stands for it of a trial whose point the user named

Order: TypeAlias = tuple[int, int, float, float, int, int]  # of one trial; the smallest is the best


def order_key(result: Result, objective: Objective) -> Order:
    """Sorts trials best first: by value; equal values by the loss on the same rows, by fewer epochs, by number.

    Recipes that were trained with other seeds, too, come first, by the mean over seeds: those of which no seed failed
    first. Pruned trials rank below complete ones, whose values are of later epochs, but where the best epoch counts
    (`take: best`). Trials without a finite value are last.
    """
    if not has_value(result):
        return 2, 0, 0.0, 0.0, 0, result.number
    assert result.value is not None
    if result.final:
        ended = [one for one in (result, *result.finalists) if has_value(one)]
        failed = 1 + len(result.finalists) - len(ended)
        value, loss = mean([one.value or 0.0 for one in ended]), mean([_loss(one, objective) for one in ended])
        return -1, failed, objective.key(value), loss, result.epochs, result.number
    below = result.state is TrialState.PRUNED and not objective.take_best
    return int(below), 0, objective.key(result.value), _loss(result, objective), result.epochs, result.number


def has_value(result: Result) -> bool:
    """Whether the trial has a score that can be compared."""
    return result.state is not TrialState.FAIL and result.value is not None and math.isfinite(result.value)


def is_imported(result: Result) -> bool:
    """Whether another program trained it."""
    return result.engine.startswith(IMPORTED)


def is_searched(result: Result) -> bool:
    """Whether an engine of this sweep asked for it."""
    return not is_imported(result) and result.engine != ADDED


def comparable(result: Result, objective: Objective) -> bool:
    """Whether its value is of as many epochs as those of other trials."""
    return order_key(result, objective)[0] <= 0


def can_win(result: Result, objective: Objective) -> bool:
    """Whether it was trained here and its value compares: an imported trial guides a search, but has no weights.

    Where the winner must meet something, it must, too.
    """
    return (
        comparable(result, objective) and not is_imported(result) and (not objective.where or _meets(result, objective))
    )


def _meets(result: Result, objective: Objective) -> bool:
    wanted, goals = constraint(objective.where), (objective, *objective.further)
    values = {one.name: value for one in goals if (value := result.goal(one.name)) is not None}
    try:
        return wanted.names <= values.keys() and wanted.holds(values)
    except (ArithmeticError, TypeError, ValueError):
        return False


def good_enough(results: Iterable[Result], objective: Objective, value: float) -> Result | None:
    """The first trial that can win and has the value, or a better one."""
    good = (one for one in results if can_win(one, objective) and not objective.better(value, one.value or 0.0))
    return next(good, None)


def winner(results: Iterable[Result], objective: Objective) -> Result | None:
    """The first in order of those that can win; None without one."""
    candidates = (result for result in results if can_win(result, objective))
    return min(candidates, key=lambda result: order_key(result, objective), default=None)


def front(results: Iterable[Result], objective: Objective) -> frozenset[int]:
    """The trials than which no other is as good in all goals and better in one (Pareto); none where there is one goal.

    Each trial counts as it was trained with the seed of the search, which all have in common.
    """
    if not objective.further:
        return frozenset()

    def key(goal: Objective, value: float | None) -> float:
        return math.inf if value is None or math.isnan(value) else goal.key(value)

    keys = {
        one.number: (objective.key(one.value), *(key(goal, one.goal(goal.name)) for goal in objective.further))
        for one in results
        if comparable(one, objective) and not is_imported(one) and one.value is not None
    }
    found: dict[int, tuple[float, ...]] = {}
    for number, own in sorted(keys.items(), key=lambda item: item[1]):  # who is better than another comes before it
        others = found.values()
        if not any(all(a <= b for a, b in zip(other, own, strict=True)) and other != own for other in others):
            found[number] = own
    return frozenset(found)


def best_training(result: Result, objective: Objective) -> Result:
    """The training whose model stands for a recipe: that of its best seed; equals as trials rank."""
    if not result.final:
        return result
    ended = (one for one in (result, *result.finalists) if has_value(one))
    return min(ended, key=lambda one: (objective.key(one.value or 0.0), _loss(one, objective)))


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


def mean(values: Sequence[float]) -> float:
    """The mean, the same in whichever order the values come; infinite where one of them is."""
    return math.fsum(values) / len(values) if math.inf not in values else math.inf


def sum_seconds(results: Iterable[Result]) -> dict[int, float]:
    """Trial -> what it and all before it took of sampling, compiling and training, one after the other."""
    took = {one.number: one.seconds.total for one in sorted(results, key=lambda each: each.number)}
    finite = (seconds if math.isfinite(seconds) and seconds > 0 else 0.0 for seconds in took.values())
    return dict(zip(took, accumulate(finite), strict=True))


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


def count_epochs(results: Sequence[Result]) -> int:
    """The epochs of all trials together; those that a promoted trial took over count once."""
    known: dict[int | None, int] = {result.number: result.epochs for result in results}
    return sum(result.epochs - known.get(result.suggestion.continues, 0) for result in results)


@dataclass(frozen=True, slots=True)
class SeedScores:
    """A recipe's value over its seeds, the search's own included."""

    count: int  # of seeds
    mean: float  # of those that did not fail
    stderr: float | None  # standard error of the mean; None where they do not tell it: one value, or equal ones
    unstable: bool  # whether the seeds differ by more than chance in the rows explains, or one failed
    exported: int | None = None  # the seed whose model stands for the recipe; None where nobody asked


def seed_scores(result: Result) -> SeedScores | None:
    """The scores of a trial of the search; None where its recipe was trained with no other seed, or it has no value."""
    if not result.finalists or not has_value(result):
        return None
    values = [one.value for one in (result, *result.finalists) if has_value(one) and one.value is not None]
    count = 1 + len(result.finalists)
    if len(values) < 2:
        return SeedScores(count, mean(values), None, unstable=True)
    spread = _deviation(values)
    # Values that differ by the standard error of their rows alone have a spread below the 95th percentile of
    # chi-squared, here by Wilson and Hilferty (1931).
    part = 2 / (9 * (len(values) - 1))
    by_chance = (result.stderr or math.inf) * (1 - part + 1.645 * math.sqrt(part)) ** 1.5
    unstable = len(values) < count or spread > by_chance
    equal = len(set(values)) == 1  # by the coarse steps of a share: that few seeds agree shows no error of zero
    return SeedScores(count, mean(values), None if equal else spread / math.sqrt(len(values)), unstable)


def score(result: Result) -> tuple[float | None, float | None]:
    """The value by which a trial is ranked, and its standard error."""
    scores = seed_scores(result) if result.final else None
    return (result.value, result.stderr) if scores is None else (scores.mean, scores.stderr)


def unsteadiness(result: Result, objective: Objective) -> float:
    """The standard deviation of the last changes of the curve, up to the scored epoch; infinite for a short one."""
    curve = result.curve.get(objective.name, ())[: result.epoch][-CHANGES - 1 :]
    changes = [after - before for before, after in pairwise(curve)]
    return _deviation(changes) if len(changes) > 1 else math.inf


def _deviation(values: Sequence[float]) -> float:
    centre = mean(values)
    squares = [(value - centre) ** 2 for value in values]
    return math.sqrt(math.fsum(squares) / (len(values) - 1)) if math.isfinite(centre) else math.inf
