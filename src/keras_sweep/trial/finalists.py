"""Finalists: the best recipes trained again with new seeds, so that no recipe wins by the luck of one seed.

Which ones is a pure function of the trials of the search, so that a sweep that was stopped comes to the same.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from keras_sweep.space.search_space import Objective
from keras_sweep.trial.ranking import can_win, has_value, imported, mean, order_key, trained_epochs
from keras_sweep.trial.result import Result, Suggestion

if TYPE_CHECKING:  # who only reads results does without what checks a space file
    from keras_sweep.space.sweep_spec import SweepSpec

SHARE = 0.25  # of the search's epochs, which finalists that nobody asked for may take
LEADING = 10  # trials of which the finalists are chosen: those whose weights are kept
CHANGES = 5  # of a curve, the last ones, whose spread foretells the spread over seeds
SEEDS = 2**32  # of `keras.utils.set_random_seed`


@dataclass(frozen=True, slots=True)
class Choice:
    """Which recipes are trained again, each with which seeds."""

    trials: int  # of the search when it was made: among more it decides nothing
    recipes: tuple[int, ...] = ()  # numbers of trials of the search, the most promising first; none, or at least two
    seeds: tuple[int, ...] = ()

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Each training as (recipe, seed), a seed at a time."""
        return ((recipe, seed) for seed in self.seeds for recipe in self.recipes)

    def __len__(self) -> int:
        return len(self.recipes) * len(self.seeds)


def chosen(spec: SweepSpec, results: Sequence[Result]) -> Choice:
    """The finalists of a search that has ended with these trials.

    Where the space file does not ask for them, they take at most a quarter of the search's epochs: first there are
    fewer recipes, then fewer seeds; there is nothing to decide below two recipes with one seed.
    """
    wanted = spec.finalists
    if wanted is None:
        return Choice(len(results))
    leading = _candidates(results, spec.objective)[: wanted.top]
    own = trained_epochs(results) - sum(one.epochs for one in results if imported(one))
    most = math.inf if spec.finalists_asked else SHARE * own
    recipes, seeds = affordable([one.epochs for one in leading], wanted.seeds, most)
    numbers = tuple(one.number for one in leading[:recipes])
    return Choice(len(results), numbers, tuple((spec.search.seed + 1 + n) % SEEDS for n in range(seeds)))


def affordable(epochs: Sequence[float], seeds: int, most: float) -> tuple[int, int]:
    """How many of the recipes that train for so many epochs, and how many seeds, take no more than `most` epochs."""
    for each in range(seeds, 0, -1):
        for recipes in range(len(epochs), 1, -1):
            if each * sum(epochs[:recipes]) <= most:
                return recipes, each
    return 0, 0


def generation(
    choice: Choice, index: int, seeds: Collection[int], search: Mapping[int, Result], trained: Sequence[Result]
) -> list[Suggestion]:
    """The trainings of these seeds of a choice, those that were trained for an earlier choice included.

    `index` is the choice's, counted from 0 within the sweep; `search` has the trials of the search by number, `trained`
    all finalists so far, in the order of their numbers.
    """
    numbers = {(one.recipe, one.finalist_seed): one.number for one in trained}
    for pair in choice:
        numbers.setdefault(pair, len(numbers))
    known = {one.number: one.suggestion for one in trained}
    return [
        known.get(number)
        or Suggestion(number, {**search[recipe].params, "seed": seed}, generation=index, recipe=recipe)
        for recipe, seed in choice
        if seed in seeds
        for number in [numbers[recipe, seed]]
    ]


def with_finalists(results: Sequence[Result], trained: Sequence[Result], choice: Choice, trials: int) -> list[Result]:
    """Trials of the search, each with the trainings of its recipe with other seeds; `trials` is how many there are.

    These decide once all that were chosen among so many trials are there.
    """
    by_pair = {(one.recipe, one.finalist_seed): one for one in trained}
    decided = choice.trials == trials and len(choice) > 0 and all(pair in by_pair for pair in choice)
    of_recipe: dict[int, list[Result]] = {}
    for one in trained:
        if not decided or one.recipe not in choice.recipes or one.finalist_seed in choice.seeds:
            of_recipe.setdefault(one.recipe, []).append(one)
    return [
        replace(one, finalists=tuple(of_recipe[one.number]), final=decided and one.number in choice.recipes)
        if one.number in of_recipe
        else one
        for one in results
    ]


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


def _candidates(results: Sequence[Result], objective: Objective) -> list[Result]:
    """The trials that lead, most promising first: those that tie with the best by how steady their curves are."""
    plain = [replace(one, finalists=(), final=False) for one in results if one.is_whole]
    ranked = sorted((one for one in plain if can_win(one, objective)), key=lambda one: order_key(one, objective))
    leading = ranked[:LEADING]
    # Trials tie whose values lie within one standard error, the larger one of the two.
    tied = [
        one
        for one in leading
        if abs((one.value or 0.0) - (leading[0].value or 0.0)) <= max(one.stderr or 0.0, leading[0].stderr or 0.0)
    ]
    return [*sorted(tied, key=lambda one: unsteadiness(one, objective)), *(one for one in leading if one not in tied)]


def unsteadiness(result: Result, objective: Objective) -> float:
    """The standard deviation of the last changes of the curve, up to the scored epoch; infinite for a short one."""
    curve = result.curve.get(objective.name, ())[: result.epoch][-CHANGES - 1 :]
    changes = [after - before for before, after in pairwise(curve)]
    return _deviation(changes) if len(changes) > 1 else math.inf


def _deviation(values: Sequence[float]) -> float:
    """The sample's standard deviation; infinite where a value is."""
    centre = mean(values)
    squares = [(value - centre) ** 2 for value in values]
    return math.sqrt(math.fsum(squares) / (len(values) - 1)) if math.isfinite(centre) else math.inf
