"""Estimate the winner's expected score on new rows: its score minus the optimism of choosing the best of K models.

In: the scores of K models on n units, like validation rows. Out: an estimate with a 95 % interval. The idea is to
repeat the choice on bootstrap bags of units, and to measure how much of the chosen model's score is luck.

Tsamardinos, Greasidou and Borboudakis 2018, "Bootstrapping the out-of-sample predictions for efficient and accurate
cross-validation" (BBC), https://doi.org/10.1007/s10994-018-5714-4: choose in the bag, score out of the bag, average. In
a bag of n units the noise has twice the variance of the noise in the real choice. If the models differ, BBC therefore
subtracts too much, up to 1.5 times the optimism. So bags here are LARGER times as large, and the luck of a chosen model
counts LARGER times: Oliveira, Lei and Tibshirani 2021, "Unbiased risk estimation in the normal means problem via
coupled bootstrap techniques", https://arxiv.org/abs/2111.09447. With bags of n units this is BBC.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from keras_sweep.honest.scores import MeanScores, Places, Scores, draw_bags
from keras_sweep.honest.standard_error import LEVEL, Floats, effective_rows, quantile, wilson_interval
from keras_sweep.trial.comparison import Estimate
from keras_sweep.trial.ranking import LEADING
from keras_sweep.trial.units import Units

ROUNDS = 500  # bags
LARGER = 2  # units of a bag divided by n: larger bags have less bias, but more variance


@dataclass(frozen=True, slots=True)
class FirstChoice:
    """The search's choice of finalists, which comes before the choice of the winner by the mean over seeds.

    New seeds remove the luck of the first seed, but not the luck of the rows. So both choices are repeated in each bag,
    a bootstrap sample of the units. A model's luck in a bag is its score in the bag minus its score on all rows.

    A bag may choose a configuration that was no finalist and has no mean over seeds. This mean is estimated by the
    score with the first seed, plus the finalists' average change by new seeds. Its luck in a bag is the finalists'
    average luck, plus a regression's prediction from the luck with the first seed, plus a random residual.
    """

    scores: Scores  # K trials of the search, with a seed each
    errors: Floats  # [K] standard errors of the scores
    unsteady: Floats  # [K] how unsteady the trials' curves are
    places: Sequence[int]  # [F] indices of the finalists, at least two
    seeds: int  # number of seeds of the winner's mean, including the search's seed

    def finalists(self, values: Floats) -> Places:
        """Return [B, F] indices of the finalists that `choose_finalists` would choose by the [B, K] scores `values`."""
        order: Places = np.argsort(-values, axis=1, kind="stable")[:, :LEADING]
        leading = np.take_along_axis(values, order, axis=1)
        tied = leading[:, :1] - leading <= np.maximum(self.errors[order], self.errors[order[:, :1]])
        steadiness_rank: Places = np.argsort(np.argsort(self.unsteady, kind="stable"))
        place = np.where(tied, steadiness_rank[order], len(steadiness_rank) + np.arange(order.shape[1]))
        return np.take_along_axis(order, np.argsort(place, axis=1)[:, : len(self.places)], axis=1)

    def winners(
        self, first: Floats, early: Floats, whole: Floats, luck: Floats, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """Choose finalists, then a winner, in each of B bags. Return the winners' [B] scores on all rows and [B] luck.

        Args:
            first: [K] scores with the search's seed on all rows.
            early: [B, K] luck with the search's seed: the score in a bag minus `first`.
            whole: [F] means over seeds of the finalists, on all rows.
            luck: [B, F] luck in the means over seeds: the mean in a bag minus `whole`.
            rng: draws residuals, for the luck of configurations that were no finalists.
        """
        if not len(luck):  # no bag gives all finalists a score
            return np.zeros(0), np.zeros(0)
        places, count = list(self.places), len(self.places)
        early_luck = early[:, places]
        early_shared, shared = early_luck.mean(1, keepdims=True), luck.mean(1, keepdims=True)
        early_apart, apart = early_luck - early_shared, luck - shared
        spread = float((early_apart**2).sum())
        slope = float((early_apart * apart).sum()) / spread if spread > 0 else 0.0
        residuals = (apart - slope * early_apart).ravel() * math.sqrt(count / (count - 1))
        mean_luck = shared + slope * (early - early_shared) + rng.choice(residuals, early.shape)
        mean_luck[:, places] = luck
        scores = first + (whole - first[places]).mean()
        scores[places] = whole
        candidates = self.finalists(first + early)
        in_bag = np.take_along_axis(scores + mean_luck, candidates, axis=1)
        bag = np.arange(len(luck))
        winner = candidates[bag, np.where(np.isnan(in_bag), -np.inf, in_bag).argmax(1)]
        return scores[winner], mean_luck[bag, winner]


def estimate_winner(
    scores: Scores,
    best: int,
    units: Units,
    seed: int,
    *,
    naive: float,
    share: bool,
    maximize: bool = True,
    after: FirstChoice | None = None,
) -> Estimate | None:
    """Estimate the winner's expected score on new rows, with its 95 % interval; None if the units allow no interval.

    Args:
        scores: all models that could have won; larger is better (for a loss its negative).
        best: the index of the winner.
        units: the units of the rows, for the words of `Estimate.method`.
        seed: the seed of the bags, bootstrap samples of the units.
        naive: the winner's score on these rows, in the metric's own direction.
        share: whether the metric, like accuracy, is in [0, 1]. For a mean over rows the interval is Wilson's.
        maximize: whether a larger metric is better. The estimate is in the metric's direction.
        after: the choice of finalists, if any. Then `scores` are their means over seeds, ordered as `after.places`.
    """
    models, count = scores.shape
    if count < 2:
        return None
    sign = 1.0 if maximize else -1.0
    optimism, spread = _optimism(scores, best, seed, after, share=share)
    value = sign * naive - optimism
    extra = max(optimism, 0.0) / 2  # half of the correction counts as uncertainty too
    if (bounds := _interval(scores, best, value, extra, spread, share=share)) is None:
        return None
    least, most = _metric_range(scores, share=share, maximize=maximize)
    value, low, high = (min(max(sign * number, least), most) for number in (value, *bounds[:: int(sign)]))
    words = "Wilson's" if share and isinstance(scores, MeanScores) else "normal"
    chosen = "" if after is None else f" (means over {after.seeds} seeds, chosen among {after.scores.shape[0]} trials)"
    method = (
        f"bootstrap bias corrected over {models} of the models{chosen}, {words} interval at 95 %, {units.describe()}"
    )
    return Estimate(value, low, high, naive, method)


def _metric_range(scores: Scores, *, share: bool, maximize: bool) -> tuple[float, float]:
    """Return a metric's (least, greatest) value: (0, 1) if `share`, (0, inf) for errors >= 0, else (-inf, inf)."""
    if share:
        return 0.0, 1.0
    values = scores.sums if isinstance(scores, MeanScores) else scores.values
    return (0.0 if not maximize and bool((values <= 0).all()) else -math.inf), math.inf


def _optimism(scores: Scores, best: int, seed: int, after: FirstChoice | None, *, share: bool) -> tuple[float, float]:
    """Return (optimism: the luck in the winner's score, standard deviation of the score over samples of n units).

    Each bag, a bootstrap sample of LARGER * n units, chooses its best model (if `after`, finalists first). A model's
    luck is its score in the bag minus its score on all rows. Its worth is its score on all rows minus LARGER times its
    luck. The optimism is the mean over bags of the winner's worth minus the chosen model's worth: 0 for a single model.
    """
    units = scores.shape[1]
    score_sets = [scores] if after is None else [scores, after.scores]
    wholes = [models.values for models in score_sets]
    blocks = [
        [models.evaluate(bag).astype(np.float64) - whole for models, whole in zip(score_sets, wholes, strict=True)]
        for bag in draw_bags(np.random.default_rng([seed, 1]), units, ROUNDS, LARGER * units)
    ]
    luck, *early = (np.concatenate(parts) for parts in zip(*blocks, strict=True))  # [bags, models] each
    whole, best_luck, candidates = wholes[0], luck[:, best].copy(), score_sets[-1]
    widths = _luck_widths(candidates) if share and isinstance(candidates, MeanScores) else 1.0
    if after is None:
        luck *= widths
        in_bag = whole + luck
        bag_index, choice = np.arange(len(luck)), np.where(np.isnan(in_bag), -np.inf, in_bag).argmax(1)
        score, luck_of_choice = whole[choice], luck[bag_index, choice]
    else:
        first = early[0] * widths
        finite = np.isfinite(luck).all(1) & np.isfinite(first[:, after.places]).all(1)
        luck = luck[finite]
        score, luck_of_choice = after.winners(wholes[1], first[finite], whole, luck, np.random.default_rng([seed, 2]))
    differences = whole[best] - score + LARGER * (luck_of_choice - luck[:, best])
    differences = differences[np.isfinite(differences)]
    optimism = float(differences.mean()) if len(differences) else 0.0
    # If all rows are right, bags show no luck. Then the estimate goes at most down to the mean of all models.
    if share and whole[best] == 1.0:
        optimism = min(optimism, 1.0 - float(wholes[-1].mean()))
    return optimism, math.sqrt(LARGER) * float(np.nanstd(best_luck)) if np.isfinite(best_luck).any() else math.nan


def _luck_widths(scores: MeanScores) -> Floats:
    """Return [K] factors to enlarge the models' luck in bags. `scores` are shares, in [0, 1].

    If a model is lucky, its mean is closer to 1 than its true mean, so its rows vary too little from bag to bag. For
    equal models, the mean of all models estimates the true mean better and gives the factors. The more the models
    differ, the closer the factors are to 1. If the models differ by four standard errors or more, the factors are 1.
    """
    models, count = scores.shape
    values = np.clip(scores.values, 0, 1)
    variance, chance, wider = values * (1 - values), 0.0, count / (count - 1)
    if models > 1:  # the variance that chance alone gives to the scores of equal models
        parts = scores.parts
        apart = parts - parts.mean(0)
        chance = float(np.einsum("ku,ku->k", apart, apart, dtype=np.float64).mean()) * models / (models - 1) * wider
    if not chance > 0:
        return np.ones(models)
    observed = float(values.var(ddof=1))
    excess = (observed / chance - 1) / math.sqrt(2 / (models - 1))
    centre = values.mean() + max(1 - chance / max(observed, chance), 0.0) * (values - values.mean())
    factors = np.sqrt(centre * (1 - centre) * wider / np.where(variance > 0, variance, np.inf))
    return np.asarray(1 + min(max((4 - excess) / 3, 0.0), 1.0) * (np.where(variance > 0, factors, 1.0) - 1))


def _interval(
    scores: Scores, best: int, value: float, extra: float, spread: float, *, share: bool
) -> tuple[float, float] | None:
    units, z = scores.shape[1], NormalDist().inv_cdf((1 + LEVEL) / 2)
    t = quantile((1 + LEVEL) / 2, units)
    if not isinstance(scores, MeanScores):
        # For a metric of all rows together, the spread over bags is the standard error.
        centre, half = value, t * spread * math.sqrt(units / (units - 1))
    elif share:
        # Wilson's interval knows the variance of right and wrong rows. Otherwise the variance is estimated.
        factor = z if scores.are_binary else t
        effective = effective_rows(float(scores.values[best]), float(scores.errors[best]), units)
        centre, half = wilson_interval(min(max(value, 0.0), 1.0), effective, factor)
    else:
        centre, half = value, t * float(scores.errors[best])
    width = math.hypot(half, z * extra)
    return (centre - width, centre + width) if half > 0 else None
