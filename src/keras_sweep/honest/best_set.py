"""Find the best set: the models that may be the best of all, at 95 %. Estimate whether more trials could help.

In: the scores of K models on the same U units. Out: which models stay. The winner was chosen by the same units, so it
does not help to compare each model with the winner alone. Every model is compared with every other model, and a model
leaves the set if another model is better by more than chance explains in the largest of all these differences. Every
truly best model stays with 95 %.

Hansen, Lunde and Nason 2011, "The model confidence set", https://doi.org/10.3982/ECTA5771; Romano and Wolf 2005, "Exact
and approximate stepdown methods for multiple hypothesis testing" (the step-down max-t).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from keras_sweep.honest.scores import MeanScores, Places, Scores, draw_bags
from keras_sweep.honest.standard_error import LEVEL, Floats, quantile
from keras_sweep.trial.comparison import Behind, MoreTrials

DRAWS = 10_000  # of the largest t, for few models
FEWEST_DRAWS = 500  # for many models
MOST_PAIRS = 30_000_000  # draws times pairs of models
BLOCK_PAIRS = 100_000  # the pairs of a block of draws, so that a block fits into the processor's cache
BAGS = 500  # bags for a metric of all rows together
FEW_UNITS = 100  # below, the draws are bags of whole units, and each bag has errors of its own
LEAST_ERROR = 1 / 3  # of the error of all units: models that differ in a single unit have no error in bags without it
SMALL_STEP = 50  # steps end when a step removes at most 1 of 50 models; this leaves too many rather than too few
MOST_MODELS = 512  # for draws; with more models left, Bonferroni's bound decides

WINDOW = 32  # most last trials whose gain is measured
FEWEST = 16  # trials that an estimate needs
GOOD = 16  # best trials; their standard errors give the smallest visible difference

Mask: TypeAlias = npt.NDArray[np.bool_]
FindLimit: TypeAlias = Callable[[Sequence[Places]], float]  # the models left in each contest -> the limit of t
Largest: TypeAlias = Callable[[Sequence[Places]], Floats]  # the models left in each contest -> [B] the largest t


@dataclass(frozen=True)
class BestSet:
    """How K models compare with the best of them."""

    behind: Floats  # [K] distance behind the best model; above 0 is worse
    stderr: Floats  # [K] standard error of the distance, 0 for the best model, NaN if it is unknown
    members: Mask  # [K] whether the model may be the best of all
    reach: float  # the distance within which a model without scores can't be told from the best


class Contest:
    """M models that are compared in pairs. The comparison decides which `rivals` may be the best of all."""

    def __init__(self, scores: Scores, models: Places, rivals: Mask, seed: int, *, share: bool) -> None:
        self.models = models  # [M] the index of each model among all K
        self.rivals = rivals  # [M]
        self.values = scores.values  # [M]
        self.spread = measure_spread(scores, seed)
        are_right_or_wrong = share and isinstance(scores, MeanScores) and scores.are_binary
        # Half of Wilson's 68.3 % interval for two models that agree on every row.
        least = 0.5 / (scores.shape[1] + 1) if are_right_or_wrong else 0.0
        self.errors = np.maximum(_pair_errors(self.spread @ self.spread.T), least)  # [M, M] of the pairs' differences

    def measure_t(self, left: Places) -> Floats:
        """Return how far the models `left` are behind any other of them at most, in standard errors."""
        values = self.values[left]
        differences = values[None] - values[:, None]
        return np.asarray(_divide(differences, self.errors[np.ix_(left, left)]).max(1, initial=0.0))


def find_best_set(
    first: Scores, best: int, seed: int, *, share: bool, means: Scores | None = None, finalists: Sequence[int] = ()
) -> BestSet:
    """Find the models that may be the best of all, at 95 %.

    Args:
        first: scores of K models, of a seed each; larger is better (for a loss its negative).
        best: the index of the winner.
        seed: the seed of the random draws.
        share: whether each row's score is in [0, 1].
        means: scores of the finalists, F means over seeds. A finalist is compared with the other finalists by these
            means, any other model with all models by `first`.
        finalists: [F] the indices of the finalists.
    """
    count, units = first.shape
    if units < 2:  # a single unit can't tell models apart
        nothing = np.full(count, np.nan)
        return BestSet(first.values[best] - first.values, nothing, np.ones(count, bool), math.inf)
    is_final = np.isin(np.arange(count), finalists)
    with threadpool_limits(1):  # several threads wait for each other, and round by their number
        contests = [Contest(first, np.arange(count), ~is_final, seed, share=share)]
        if means is not None:
            every = np.ones(len(finalists), bool)
            contests.append(Contest(means, np.asarray(finalists, np.intp), every, seed, share=share))
        members, limit = _step_down(contests, units, np.random.default_rng([seed, 2]))
    behind, stderr = np.zeros(count), np.full(count, np.nan)
    for contest in contests:
        if best in contest.models:
            leader, rivals = int(np.flatnonzero(contest.models == best)[0]), contest.rivals
            behind[contest.models[rivals]] = (contest.values[leader] - contest.values)[rivals]
            stderr[contest.models[rivals]] = contest.errors[leader][rivals]
    members[best] = True
    known = stderr[np.isfinite(stderr)]
    stderr[best] = 0.0
    return BestSet(behind, stderr, members, limit * float(known.max()) if len(known) else math.inf)


def measure_spread(scores: Scores, seed: int) -> Floats:
    """Return [M, S], a matrix whose product with its transpose is the covariance of the scores of M models.

    What all models have in common is left out, since it is in no difference. For a mean over rows, S are the units. For
    a metric of all rows together, S are bags of units, and NaN if the metric has no value in them: a bag in which no
    model has a value, as the AUC without a positive row, says nothing. If most bags say nothing, all is NaN.
    """
    units = scores.shape[1]
    factor = math.sqrt(units / (units - 1))
    if isinstance(scores, MeanScores):
        parts = scores.parts.astype(np.float64)
        return np.asarray((parts - parts.mean(0)) * factor)
    bags = draw_bags(np.random.default_rng([seed, 2]), units, BAGS)
    values = np.concatenate([scores.evaluate(bag) for bag in bags]).astype(np.float64)
    values = values[np.isfinite(values).any(1)]
    if len(values) <= BAGS / 2:
        return np.full((values.shape[1], 1), np.nan)
    values -= np.nanmean(values, axis=1, keepdims=True)
    return np.asarray((values - values.mean(0)).T * factor / math.sqrt(len(values) - 1))


def _pair_errors(covariance: Floats) -> Floats:
    """Return the standard errors of the differences of all pairs, [M, M], from a covariance matrix."""
    variance = np.diag(covariance)
    sums = variance[:, None] + variance[None]
    squares = sums - 2 * covariance
    # Models that agree differ by rounding, about 1e-16 of the variances.
    return np.sqrt(np.where(squares <= 1e-13 * sums, 0.0, squares))


def _divide(differences: Floats, errors: Floats) -> Floats:
    """Return t values. Without an error, a difference above 0 is clear. An unknown error makes nothing clear."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(errors > 0, differences / errors, np.where(differences > 1e-9, np.inf, 0.0))
    return np.asarray(np.where(np.isnan(errors) | np.isnan(differences), -np.inf, t))


def _step_down(contests: Sequence[Contest], units: int, rng: np.random.Generator) -> tuple[Mask, float]:
    """Return which of K models the step-down max-t test over all pairs leaves, [K], and the last step's limit.

    A model's t is its largest difference from another model, in standard errors. A step removes the models whose t is
    above a limit, until a step removes hardly any. The limit is Bonferroni's bound at first, which is
    cheap and never too small. Then it is the 95 % quantile of the largest t that equal models would have.
    """
    members = np.ones(len(contests[0].models), bool)

    def find_left() -> list[Places]:
        return [np.flatnonzero(members[contest.models]) for contest in contests]

    def drop(find_limit: FindLimit) -> float:
        while True:
            left, before = find_left(), int(members.sum())
            limit = find_limit(left)
            for contest, places in zip(contests, left, strict=True):
                is_far = contest.rivals[places] & (contest.measure_t(places) > limit)
                members[contest.models[places[is_far]]] = False
            if before - int(members.sum()) <= before // SMALL_STEP:
                return limit

    def find_bonferroni(left: Sequence[Places]) -> float:
        pairs = sum(
            len(places) * int(contest.rivals[places].sum()) for contest, places in zip(contests, left, strict=True)
        )
        return quantile(1 - (1 - LEVEL) / max(pairs, 2), units)

    limit = drop(find_bonferroni)
    if members.sum() > MOST_MODELS:
        return members, limit
    is_bagged = units < FEW_UNITS and all(contest.spread.shape[1] == units for contest in contests)
    draw = _draw_in_bags if is_bagged else _draw_normal
    largest = draw(contests, find_left(), units, rng)
    return members, drop(lambda left: float(np.quantile(largest(left), LEVEL, method="higher")))


def _draw_normal(contests: Sequence[Contest], left: Sequence[Places], units: int, rng: np.random.Generator) -> Largest:
    """Return a function that gives the largest t, [B], of equal models with normal scores, whose errors are known as
    well as `units` units tell. The draws are common to all contests. They are for the models `left`, or some of them.
    """
    rounds = int(np.clip(MOST_PAIRS // sum(len(places) ** 2 for places in left), FEWEST_DRAWS, DRAWS))
    spread = np.concatenate([contest.spread[places] for contest, places in zip(contests, left, strict=True)])
    spread = np.nan_to_num(spread)
    values, vectors = np.linalg.eigh(spread @ spread.T)
    normal = rng.standard_normal((rounds, len(spread))) @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
    chi = np.sqrt(rng.chisquare(units - 1, rounds) / (units - 1))
    draws = []
    for contest, places, part in zip(contests, left, np.split(normal, [len(left[0])], axis=1), strict=False):
        draws.append(np.zeros((rounds, len(contest.models)), np.float32))
        draws[-1][:, places] = part

    def largest(left: Sequence[Places]) -> Floats:
        result = np.zeros(rounds)
        for contest, draw, places in zip(contests, draws, left, strict=True):
            rivals = places[contest.rivals[places]]
            if not len(rivals):
                continue
            errors = contest.errors[np.ix_(rivals, places)]
            inverse = np.where(errors > 0, 1 / np.where(errors > 0, errors, 1.0), 0.0).astype(np.float32)
            step = max(BLOCK_PAIRS // inverse.size, 1)
            for start in range(0, rounds, step):
                block = draw[start : start + step]
                t = block[:, None, places] - block[:, rivals, None]
                t *= inverse
                result[start : start + step] = np.maximum(result[start : start + step], t.reshape(len(t), -1).max(1))
        return result / chi

    return largest


def _draw_in_bags(contests: Sequence[Contest], left: Sequence[Places], units: int, rng: np.random.Generator) -> Largest:
    """Return a function that gives the largest t, [B], of equal models in bags of whole units, by errors of each bag.

    The normal distribution says too little about few units: a bag with an unusual difference has an unusual error.
    """
    bags = np.concatenate(list(draw_bags(rng, units, FEWEST_DRAWS)))
    del left

    def largest(left: Sequence[Places]) -> Floats:
        result = np.zeros(len(bags))
        for contest, places in zip(contests, left, strict=True):
            rivals = contest.rivals[places]
            if not rivals.any():
                continue
            parts, least = contest.spread[places], LEAST_ERROR * contest.errors[np.ix_(places, places)]
            for index, bag in enumerate(bags):
                means = parts @ bag / units
                centred = (parts - means[:, None]) * np.sqrt(bag)
                errors = np.maximum(_pair_errors(centred @ centred.T), least)
                sums = means * math.sqrt(units * (units - 1))  # `spread` has the factor sqrt(U / (U - 1))
                result[index] = max(result[index], _divide(sums[None] - sums[:, None], errors)[rivals].max())
        return result

    return largest


def more_trials(values: Sequence[float], behind: Mapping[int, Behind]) -> MoreTrials | None:
    """Estimate the gain of more trials: at most the gain of the last trials, since gains shrink.

    `values` are the scores of trials that could win, in order of trial number; larger is better. `behind` maps a
    trial's number to its comparison with the best. Return None for fewer than 16 values, or without standard errors.
    """
    errors = sorted((trial.behind, trial.stderr) for trial in behind.values() if trial.stderr)
    if len(values) < FEWEST or not errors:
        return None
    window = min(WINDOW, len(values) // 2)
    gain = max(values) - max(values[:-window])
    return MoreTrials(window, gain, 1.96 * median(stderr for _, stderr in errors[:GOOD]))
