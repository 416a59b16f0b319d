"""The winner's true score: that of the best of K models, less what choosing it added.

Tsamardinos, Greasidou and Borboudakis 2018, "Bootstrapping the out-of-sample predictions for efficient and accurate
cross-validation" (BBC), https://doi.org/10.1007/s10994-018-5714-4: choose in the bag, score out of the bag, average.
A bag of n rows chooses by twice the variance of noise that the winner was chosen by, which takes off too much where the
models differ, up to half as much again. So bags are larger here, and what they choose is scored less their own luck as
often as makes up for that: Oliveira, Lei and Tibshirani 2021, "Unbiased risk estimation in the normal means problem via
coupled bootstrap techniques", https://arxiv.org/abs/2111.09447. With bags of n rows that is BBC.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from keras_sweep.honest.scores import Floats, MeanScores, Places, Scores, bags
from keras_sweep.trial.comparison import Estimate
from keras_sweep.trial.ranking import LEADING

ROUNDS = 500  # bags
LARGER = 2  # times as many rows as there are, in a bag: larger ones are less biased, but scatter more
LEVEL = 0.95  # of the interval, and of all comparisons with the winner together


@dataclass(frozen=True, slots=True)
class FirstChoice:
    """What finalists were chosen by, before the winner was chosen by the mean over seeds.

    New seeds are free of the luck of the first seed, but not of the luck of the rows, which are the same. So each bag
    makes both choices anew. A recipe that it chooses, and that was no finalist, has no mean: its luck is estimated from
    that of its one seed. What all finalists share is its share, too; of its own, new seeds repeat as much as those of
    finalists do (the slope of a regression over bags), and the rest is drawn from theirs. Its score loses by new seeds
    what theirs did.
    """

    scores: Scores  # of K models, a trial of the search each, with its one seed
    errors: Floats  # [K] standard errors of their scores
    unsteady: Floats  # [K] how unsteady their curves are
    places: Sequence[int]  # [F] which of them became finalists; at least two
    seeds: int  # over how many the winner's mean is, the search's own included

    def finalists(self, values: Floats) -> Places:
        """[B, K] scores -> [B, F] whom a search with such scores had chosen, as `choose_finalists` does."""
        order: Places = np.argsort(-values, axis=1, kind="stable")[:, :LEADING]
        leading = np.take_along_axis(values, order, axis=1)
        tied = leading[:, :1] - leading <= np.maximum(self.errors[order], self.errors[order[:, :1]])
        steadiest: Places = np.argsort(np.argsort(self.unsteady, kind="stable"))
        place = np.where(tied, steadiest[order], len(steadiest) + np.arange(order.shape[1]))
        return np.take_along_axis(order, np.argsort(place, axis=1)[:, : len(self.places)], axis=1)

    def winners(
        self, first: Floats, early: Floats, whole: Floats, luck: Floats, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """The score on all rows of the model that each bag ends with, and its luck there: both [B].

        Args:
            first: [K] scores with the search's seed on all rows.
            early: [B, K] what bags add to them.
            whole: [F] means over seeds of the finalists.
            luck: [B, F] what bags add to those.
            rng: of the part of the luck that is not foretold.
        """
        if not len(luck):  # no bag on which all finalists have a score
            return np.zeros(0), np.zeros(0)
        places, count = list(self.places), len(self.places)
        own = early[:, places]
        common, shared = own.mean(1, keepdims=True), luck.mean(1, keepdims=True)
        apart, after = own - common, luck - shared
        spread = float((apart**2).sum())
        slope = float((apart * after).sum()) / spread if spread > 0 else 0.0
        rest = (after - slope * apart).ravel() * math.sqrt(count / (count - 1))
        foretold = shared + slope * (early - common) + rng.choice(rest, early.shape)
        foretold[:, places] = luck
        scores = first + (whole - first[places]).mean()
        scores[places] = whole
        candidates = self.finalists(first + early)
        inside = np.take_along_axis(scores + foretold, candidates, axis=1)
        each = np.arange(len(luck))
        chosen = candidates[each, np.where(np.isnan(inside), -np.inf, inside).argmax(1)]
        return scores[chosen], foretold[each, chosen]


def estimate_winner(
    scores: Scores,
    best: int,
    seed: int,
    *,
    naive: float,
    share: bool,
    maximize: bool = True,
    after: FirstChoice | None = None,
) -> Estimate | None:
    """The bootstrap bias corrected score of the winner, with its 95 % interval; None where rows say nothing of it.

    Args:
        scores: of all models that could have won, larger is better (a loss: its negative).
        best: which of them won.
        seed: of the bags.
        naive: the winner's score, in the metric's own direction.
        share: whether scores lie in [0, 1], and so does the interval: where rows are right or wrong it is Wilson's.
        maximize: the metric's own direction, in which the estimate is given.
        after: the choice of finalists, whose means over seeds are `scores`, in its order.
    """
    models, rows = scores.shape
    if rows < 2:
        return None
    sign = 1.0 if maximize else -1.0
    lost, spread = _optimism(scores, best, seed, after, share=share)
    value = sign * naive - lost
    extra = max(lost, 0.0) / 2  # half of the correction counts as uncertainty, too
    if (bounds := _bounds(scores, best, value, extra, spread, share=share)) is None:
        return None
    least, most = _range(scores, share=share, maximize=maximize)
    value, low, high = (min(max(sign * each, least), most) for each in (value, *bounds[:: int(sign)]))
    words = "Wilson's" if share and isinstance(scores, MeanScores) else "normal"
    chosen = "" if after is None else f" (means over {after.seeds} seeds, chosen among {after.scores.shape[0]} trials)"
    method = f"bootstrap bias corrected over {models} of the models{chosen}, {words} interval at 95 %, {rows} rows"
    return Estimate(value, low, high, naive, method)


def _range(scores: Scores, *, share: bool, maximize: bool) -> tuple[float, float]:
    """Between which values the metric lies: a share in [0, 1], and an error that no row has below 0 is none, either."""
    if share:
        return 0.0, 1.0
    rows = scores.rows if isinstance(scores, MeanScores) else scores.on(np.ones((1, scores.shape[1]), np.float32))
    return (0.0 if not maximize and bool((rows <= 0).all()) else -math.inf), math.inf


def _optimism(scores: Scores, best: int, seed: int, after: FirstChoice | None, *, share: bool) -> tuple[float, float]:
    """How much of the best one's score is luck of its choice; the spread of its score over samples of these rows.

    What a bag chooses is worth its score less LARGER times its luck in that bag, and the best likewise, so that the
    difference is exact where there is nothing to choose, and steadier elsewhere.
    """
    rows = scores.shape[1]
    every = [scores] if after is None else [scores, after.scores]
    wholes = [each.on(np.ones((1, rows), np.float32))[0].astype(np.float64) for each in every]
    blocks = [
        [each.on(bag).astype(np.float64) - whole for each, whole in zip(every, wholes, strict=True)]
        for bag in bags(np.random.default_rng([seed, 1]), rows, ROUNDS, LARGER * rows)
    ]
    luck, *early = (np.concatenate(each) for each in zip(*blocks, strict=True))
    whole, own, candidates = wholes[0], luck[:, best].copy(), every[-1]
    widths = _widths(candidates.rows, wholes[-1]) if share and isinstance(candidates, MeanScores) else 1.0
    if after is None:
        luck *= widths
        inside = whole + luck
        each, chosen = np.arange(len(luck)), np.where(np.isnan(inside), -np.inf, inside).argmax(1)
        worth, its = whole[chosen], luck[each, chosen]
    else:
        first = early[0] * widths
        known = np.isfinite(luck).all(1) & np.isfinite(first[:, after.places]).all(1)
        luck = luck[known]
        worth, its = after.winners(wholes[1], first[known], whole, luck, np.random.default_rng([seed, 2]))
    lost = whole[best] - worth + LARGER * (its - luck[:, best])
    lost = lost[np.isfinite(lost)]
    optimism = float(lost.mean()) if len(lost) else 0.0
    if share and whole[best] == 1.0:  # bags show no luck of a score without a fault: then by no more than to the mean
        optimism = min(optimism, 1.0 - float(wholes[-1].mean()))
    return optimism, math.sqrt(LARGER) * float(np.nanstd(own)) if np.isfinite(own).any() else math.nan


def _widths(rows: Floats, whole: Floats) -> Floats:
    """[K] how much wider than in bags the luck of each share is, where the models differ by no more than chance.

    A lucky share lies closer to 1 than the true one, so a bag of its rows scatters less. Equal models have one true
    share, which all of them tell. It counts the less, the more they differ: at four standard errors not at all.
    """
    models, count = rows.shape
    own, apart = whole * (1 - whole), 0.0
    if models > 1:  # the variance that chance alone gives the scores of equal models
        apart = float((rows - rows.mean(0)).var(1, dtype=np.float64).mean()) * models / (models - 1) / (count - 1)
    if not apart > 0:
        return np.ones(models)
    differ = float(whole.var(ddof=1))
    excess = (differ / apart - 1) / math.sqrt(2 / (models - 1))
    centre = whole.mean() + max(1 - apart / max(differ, apart), 0.0) * (whole - whole.mean())
    wider = np.sqrt(centre * (1 - centre) * count / (count - 1) / np.where(own > 0, own, np.inf))
    return np.asarray(1 + min(max((4 - excess) / 3, 0.0), 1.0) * (np.where(own > 0, wider, 1.0) - 1))


def _bounds(
    scores: Scores, best: int, value: float, extra: float, spread: float, *, share: bool
) -> tuple[float, float] | None:
    rows = scores.shape[1]
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    if not isinstance(scores, MeanScores):  # the spread over bags is its standard error
        return _around(value, z * spread, z * extra) if spread > 0 else None
    own = scores.rows[best].astype(np.float64)
    if share:
        mean, variance = float(own.mean()), float(own.var())
        # So many rows of right and wrong say as much: more than there are where scores are means of several trainings,
        # fewer where rows weigh unlike, whose scores leave [0, 1].
        least = 1.0 if own.max() <= 1 else 0.0
        effective = len(own) * max(mean * (1 - mean) / variance, least) if variance > 0 else len(own)
        centre, half = wilson(min(max(value, 0.0), 1.0), effective, z)
        return _around(centre, half, z * extra)
    deviation = float(own.std(ddof=1))
    if not deviation > 0:
        return None
    from scipy.special import stdtrit

    students_t = float(stdtrit(rows - 1, (1 + LEVEL) / 2))
    return _around(value, students_t * deviation / math.sqrt(rows), z * extra)


def _around(centre: float, half: float, extra: float) -> tuple[float, float]:
    width = math.hypot(half, extra)
    return centre - width, centre + width


def wilson(share: float, rows: float, z: float) -> tuple[float, float]:
    """Centre and half width of Wilson's interval, which is never empty: not where all rows are right, either.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    spread = z * z / rows
    centre = (share + spread / 2) / (1 + spread)
    return centre, math.sqrt(share * (1 - share) * spread + spread * spread / 4) / (1 + spread)
