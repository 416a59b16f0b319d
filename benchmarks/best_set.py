"""The marked trials hold the best of all in 95 % of sweeps, and the interval of the expected score holds the truth.

    python benchmarks/best_set.py [--quick] [--sweeps 300] [--only NAME]

Sweeps are simulated, so that the truth is known. The sweep's own functions mark the trials and estimate the score. In
most cases all models are equal: then all are truly best, and a sweep that marks all but one of them counts as a miss.
"left out" is the share of sweeps that leave out some truly best model; 5 % are promised. "covered" is the share of
sweeps whose interval holds the winner's true score; 95 % are promised. "marked" is the mean number of marked trials.
"counting rows" is what the same functions do if they take each row for a unit.

Two cores of an AMD EPYC, 2026-12-06, 300 sweeps a row:

    24 models, if not named otherwise     left out  covered  marked  counting rows
    4 equal models, 2,000 rows               4.7 %   97.3 %     3.9
    24 equal models, 2,000 rows              4.7 %   98.0 %    23.9
    64 equal models, 2,000 rows              5.0 %   98.3 %    63.9
    24 equal models, 50 rows                 0.0 %   99.3 %    24.0
    24 models, one best, 2,000 rows          0.3 %   97.0 %    15.1
    40 groups of 50 rows                     3.7 %   96.0 %    24.0   97.7 %, 42.7 %
    200 groups of 10 rows                    5.3 %   96.7 %    23.9   35.7 %, 83.0 %
    15 groups of 50 rows                     1.7 %   96.3 %    24.0   99.0 %, 45.3 %
    losses, 40 groups of 50 rows             3.0 %   95.0 %    24.0  100.0 %, 35.0 %
    a series of 2,000 times                  6.3 %   96.3 %    23.9  100.0 %, 40.3 %
    a series of 500 times                    5.3 %   95.7 %    23.9  100.0 %, 36.0 %
    50 rows of 144 labels                    3.7 %   97.0 %    24.0
    weights from 0.1 to 10, 2,000 rows       6.0 %   97.7 %    23.9
    5 folds, 200 groups of 10 rows           4.7 %   97.7 %    23.9   38.0 %, 83.7 %
    precision, 5 % positive of 4,000 rows    4.3 %   97.3 %    11.9

The interval of 64 equal models, and of 24 with 50 rows, is a little too wide: it holds the truth in over 98 %.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads wait for each other on a busy machine

import numpy as np
from printed import print_machine, print_table

from keras_sweep.honest.best_set import find_best_set
from keras_sweep.honest.estimate import estimate_winner
from keras_sweep.honest.scores import METRICS, MeanScores, MetricScores, Scores
from keras_sweep.training.row_values import WEIGHTED_MEAN, contribute
from keras_sweep.trial.units import Units

NORMAL = NormalDist()
SHARED = 0.6  # how alike the rows of a group are, against 1 for a row's own difficulty
OWN = 0.5  # how much models differ in the rows that they find hard


@dataclass(frozen=True)
class Simulated:
    """A simulated sweep."""

    scores: Scores  # of K models; larger is better
    units: Units
    truth: np.ndarray  # [K] true scores
    share: bool = True
    rows: np.ndarray | None = None  # [K, N] values per row, to count rows instead


Draw = Callable[[np.random.Generator], Simulated]


def rights(models: int, groups: int, per: int, *, shared: float = 0.0, spread: float = 0.0) -> Draw:
    """Right or wrong rows, in groups that share a difficulty. Models are equal, or have offsets of `spread`."""

    def draw(rng: np.random.Generator) -> Simulated:
        unit = np.repeat(np.arange(groups), per)
        offset = -np.abs(rng.normal(0, spread, models)) if spread else np.zeros(models)
        values = (1 + offset[:, None] + difficulties(rng, models, unit, groups, shared)) > 0
        deviation = math.sqrt((1 + shared**2) * (1 + OWN**2))
        truth = np.array([NORMAL.cdf((1 + value) / deviation) for value in offset])
        units = Units.from_rows(groups) if per == 1 else Units.from_groups(unit)
        return from_rows(values.astype(np.float32), units, truth)

    return draw


def difficulties(rng: np.random.Generator, models: int, unit: np.ndarray, groups: int, shared: float) -> np.ndarray:
    """[K, N]: what a row adds to the logit of a right answer. Part of it is common to all models, part to a group."""
    common = rng.normal(size=len(unit)) + shared * rng.normal(size=groups)[unit]
    own = rng.normal(size=(models, len(unit))) + shared * rng.normal(size=(models, groups))[:, unit]
    return common + OWN * own


def from_rows(values: np.ndarray, units: Units, truth: np.ndarray, *, share: bool = True) -> Simulated:
    """A sweep whose score is the mean of `values`, [K, N]."""
    return Simulated(MeanScores.from_rows(values, units), units, truth, share, values)


def losses(models: int, groups: int, per: int) -> Draw:
    """Losses of rows in groups: log(1 + exp(-logit))."""
    rng = np.random.default_rng(0)
    logits = 1 + rng.normal(0, math.sqrt((1 + SHARED**2) * (1 + OWN**2)), 4_000_000)
    true = -float(np.log1p(np.exp(-logits)).mean())

    def draw(rng: np.random.Generator) -> Simulated:
        unit = np.repeat(np.arange(groups), per)
        logit = 1 + difficulties(rng, models, unit, groups, SHARED)
        values = -np.log1p(np.exp(-logit)).astype(np.float32)
        return from_rows(values, Units.from_groups(unit), np.full(models, true), share=False)

    return draw


def series(models: int, times: int, correlation: float) -> Draw:
    """Errors of forecasts whose neighbours are alike: autoregressive, in part common to all models."""
    from scipy.signal import lfilter

    def draw(rng: np.random.Generator) -> Simulated:
        noise = rng.normal(size=(models + 1, times + 200)) * math.sqrt(1 - correlation**2)
        walks = lfilter([1.0], [1.0, -correlation], noise, axis=1)[:, 200:]
        values = -(walks[0] + OWN * walks[1:]).astype(np.float32)
        return from_rows(values, Units.from_times(np.arange(times)), np.zeros(models), share=False)

    return draw


def many_labels(models: int, rows: int, labels: int) -> Draw:
    """Rows with many labels: pictures whose pixels are right or wrong. A picture is hard for all its pixels."""

    def draw(rng: np.random.Generator) -> Simulated:
        row = difficulties(rng, models, np.arange(rows), rows, 0.0)
        right = 1 + 0.3 * row[:, :, None] + rng.normal(size=(models, rows, labels)) > 0
        truth = NORMAL.cdf(1 / math.sqrt(1 + 0.09 * (1 + OWN**2)))
        return from_rows(right.mean(2, dtype=np.float32), Units.from_rows(rows), np.full(models, truth))

    return draw


def weighted(models: int, rows: int) -> Draw:
    """Rows with weights from 0.1 to 10. Heavy rows are harder."""
    rng = np.random.default_rng(0)
    exponents = rng.uniform(-1, 1, 4_000_000)
    chance = np.array([NORMAL.cdf(x) for x in np.linspace(-2, 4, 601)])
    true = np.average(
        np.interp((1 - 0.3 * exponents) / math.sqrt(1 + OWN**2), np.linspace(-2, 4, 601), chance), weights=10**exponents
    )

    def draw(rng: np.random.Generator) -> Simulated:
        exponent = rng.uniform(-1, 1, rows)
        right = 1 - 0.3 * exponent + difficulties(rng, models, np.arange(rows), rows, 0.0) > 0
        weights = (10**exponent).astype(np.float32)
        values = [contribute(row.astype(np.float64), weights, reduction=WEIGHTED_MEAN) for row in right]
        return from_rows(np.float32(values), Units.from_rows(rows), np.full(models, true))

    return draw


def folds(models: int, groups: int, per: int, count: int) -> Draw:
    """Rows of all folds, split by groups. Each fold has its own model, a little better or worse than the others."""

    def draw(rng: np.random.Generator) -> Simulated:
        unit = np.repeat(np.arange(groups), per)
        offsets = rng.normal(0, 0.05, count)
        fold = rng.permutation(groups)[unit] % count
        values = (1 + offsets[fold] + difficulties(rng, models, unit, groups, SHARED)) > 0
        deviation = math.sqrt((1 + SHARED**2) * (1 + OWN**2))
        truth = np.mean([NORMAL.cdf((1 + value) / deviation) for value in offsets])
        return from_rows(values.astype(np.float32), Units.from_groups(unit), np.full(models, truth))

    return draw


def precision(models: int, rows: int, positives: float) -> Draw:
    """Precision where few rows are positive: no mean over rows, so the metric is computed again on bags."""
    threshold = 2.0  # in standard deviations of a negative row's output
    chance_negative, chance_positive = 1 - NORMAL.cdf(threshold), 1 - NORMAL.cdf(threshold - 2)
    true = positives * chance_positive / (positives * chance_positive + (1 - positives) * chance_negative)

    def draw(rng: np.random.Generator) -> Simulated:
        labels = (rng.random((rows, 1)) < positives).astype(np.float32)
        common, own = rng.normal(size=(rows, 1)), rng.normal(size=(models, rows, 1))
        outputs = 2 * labels + (common + OWN * own) / math.sqrt(1 + OWN**2)
        metrics = [[METRICS["precision"]((output > threshold).astype(np.float32), labels)] for output in outputs]
        units = Units.from_rows(rows)
        return Simulated(MetricScores(metrics, units), units, np.full(models, true))

    return draw


CASES: dict[str, Draw] = {
    "4 equal models, 2,000 rows": rights(4, 2000, 1),
    "24 equal models, 2,000 rows": rights(24, 2000, 1),
    "64 equal models, 2,000 rows": rights(64, 2000, 1),
    "24 equal models, 50 rows": rights(24, 50, 1),
    "24 models, one best, 2,000 rows": rights(24, 2000, 1, spread=0.1),
    "40 groups of 50 rows": rights(24, 40, 50, shared=SHARED),
    "200 groups of 10 rows": rights(24, 200, 10, shared=SHARED),
    "15 groups of 50 rows": rights(24, 15, 50, shared=SHARED),
    "losses, 40 groups of 50 rows": losses(24, 40, 50),
    "a series of 2,000 times": series(24, 2000, 0.8),
    "a series of 500 times": series(24, 500, 0.8),
    "50 rows of 144 labels": many_labels(24, 50, 144),
    "weights from 0.1 to 10, 2,000 rows": weighted(24, 2000),
    "5 folds, 200 groups of 10 rows": folds(24, 200, 10, 5),
    "precision, 5 % positive of 4,000 rows": precision(12, 4000, 0.05),
}
HEADS = ("24 models, if not named otherwise", "left out", "covered", "marked", "counting rows: left out", "covered")


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="20 sweeps of each case")
    parser.add_argument("--sweeps", type=int, default=300, help="of each case")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    options = parser.parse_args()
    count = 20 if options.quick else options.sweeps
    print_machine("at the start")
    rows = []
    for name, draw in CASES.items():
        if options.only in name:
            rows.append([name, *measure(draw, count)])
            print("  ".join(rows[-1]), flush=True)
    print_table(f"{count} simulated sweeps each", HEADS, rows, ["Promised: left out in 5 %, covered in 95 %."])
    print_machine("at the end")


def measure(draw: Draw, count: int) -> list[str]:
    """A row of the table."""
    left, covered, marked, left_rows, covered_rows = np.array(list(outcomes(draw, count)), float).T
    cells = [f"{100 * left.mean():.1f} %", f"{100 * covered.mean():.1f} %", f"{marked.mean():.1f}"]
    if np.isnan(left_rows).all():
        return [*cells, "", ""]
    return [*cells, f"{100 * left_rows.mean():.1f} %", f"{100 * covered_rows.mean():.1f} %"]


def outcomes(draw: Draw, count: int) -> Iterator[tuple[float, ...]]:
    """Of each sweep: whether a best model is left out, whether the truth is covered, how many models are marked. Then
    the first two again, with each row as a unit."""
    for index in range(count):
        sweep = draw(np.random.default_rng([index, 7]))
        by_units = outcome(sweep.scores, sweep.units, sweep, index)
        if sweep.rows is None or sweep.units.are_rows:
            yield (*by_units, math.nan, math.nan)
        else:
            rows = Units.from_rows(sweep.rows.shape[1])
            yield (*by_units, *outcome(MeanScores.from_rows(sweep.rows, rows), rows, sweep, index)[:2])


def outcome(scores: Scores, units: Units, sweep: Simulated, seed: int) -> tuple[float, float, float]:
    """Mark and estimate as a sweep does."""
    best = int(scores.values.argmax())
    members = find_best_set(scores, best, seed, share=sweep.share).members
    naive = float(scores.values[best])
    estimate = estimate_winner(scores, best, units, seed, naive=naive, share=sweep.share)
    is_left_out = not members[sweep.truth == sweep.truth.max()].all()
    covered = estimate is not None and estimate.low <= sweep.truth[best] <= estimate.high
    return is_left_out, covered, members.sum()


if __name__ == "__main__":
    main()
