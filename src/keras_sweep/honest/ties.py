"""Find the models that are tied with the best, and estimate whether more trials could bring a visible gain.

Models are compared by paired differences on the same rows, at 95 % for all comparisons together.

Romano and Wolf 2005, "Exact and approximate stepdown methods for multiple hypothesis testing" (the step-down max-t);
Hansen, Lunde and Nason 2011, "The model confidence set", https://doi.org/10.3982/ECTA5771.
"""

from collections.abc import Mapping, Sequence
from statistics import NormalDist, median
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from keras_sweep.honest.estimate import LEVEL
from keras_sweep.honest.scores import Floats, MeanScores, Places, Scores, draw_bags
from keras_sweep.trial.comparison import Behind, MoreTrials

ROUNDS = 10_000  # draws of the largest t
BAGS = 500  # bags for a metric of all rows together

WINDOW = 32  # most last trials whose gain is measured
FEWEST = 16  # trials that an estimate needs
GOOD = 16  # best trials; their standard errors give the smallest visible difference

Mask: TypeAlias = npt.NDArray[np.bool_]


def find_ties(scores: Scores, best: int | Places, seed: int, *, share: bool = False) -> tuple[Floats, Floats, Mask]:
    """Compare K models with the best. Return (distances behind the best, standard errors, whether tied), [K] each.

    Args:
        scores: larger is better (for a loss its negative).
        best: the index of the best model, or [K] the index to compare each model with. A model is tied with itself.
        seed: the seed of the test's random draws.
        share: whether each row's score is in [0, 1]. Then two models have a standard error above 0 even if they agree.
    """
    rng = np.random.default_rng([seed, 2])
    models, rows = scores.shape
    indices = np.arange(models)
    against = np.broadcast_to(best, models)
    if isinstance(scores, MeanScores):
        behind, stderr, centred = _compare_rows(scores.rows, against)
    else:
        behind, stderr, centred = _compare_bags(scores, against, rng)
    if rows < 2:  # a single row can't tell models apart
        return behind, np.full(models, np.nan), np.ones(models, bool)
    # Half of Wilson's 68.3 % interval for two models that agree on every row.
    if share:
        stderr = np.maximum(stderr, 0.5 / (rows + 1))
    # A model without a standard error can't be told from the best.
    is_tied = ~(behind > 0) | np.isnan(stderr)
    is_tied[against == indices] = True
    candidates = np.flatnonzero((stderr > 0) & (against != indices))
    candidates = _step_down(candidates, behind, stderr, centred, rows - 1, rng)
    is_tied[candidates] = True
    stderr[against == indices] = 0.0
    return behind, stderr, is_tied


def _compare_rows(rows: Floats, against: Places) -> tuple[Floats, Floats, Floats]:
    count = rows.shape[1]
    centred = rows[against]
    centred -= rows
    behind = centred.mean(1, dtype=np.float64)
    centred -= behind[:, None].astype(np.float32)
    squares = np.einsum("kn,kn->k", centred, centred, dtype=np.float64)
    return behind, np.sqrt(squares / max(count - 1, 1) / count), centred


def _compare_bags(scores: Scores, against: Places, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    rows = scores.shape[1]
    whole = scores.evaluate(np.ones((1, rows), np.float32))[0].astype(np.float64)
    values = np.concatenate([scores.evaluate(bag) for bag in draw_bags(rng, rows, BAGS)])
    values = values[np.isfinite(values).all(1)].astype(np.float64)
    # A metric may be undefined on every bag, like R2 of equal labels. Then there is no standard error.
    if len(values) < 2:
        return whole[against] - whole, np.full(len(whole), np.nan), np.zeros((len(whole), 1))
    differences = values[:, against] - values
    centred = (differences - differences.mean(0)).T
    return whole[against] - whole, np.asarray(differences.std(0, ddof=1)), centred


def _step_down(
    candidates: Places, behind: Floats, stderr: Floats, centred: Floats, freedom: int, rng: np.random.Generator
) -> Places:
    """Return the candidates (indices of models) that are tied, by the step-down max-t test.

    A candidate's t is `behind / stderr`. Each step draws the largest t of equal models from `_draw_t(centred, freedom,
    rng)`, and removes the candidates above its 95 % quantile. The steps end when a step removes no candidate.
    """
    t = behind / np.where(stderr > 0, stderr, 1.0)
    # The largest t of K is below Bonferroni's bound, so candidates far above it go without draws.
    while len(candidates):
        bound = 1.2 * NormalDist().inv_cdf(1 - (1 - LEVEL) / len(candidates)) if freedom >= 30 else np.inf
        rest = candidates[t[candidates] <= bound]
        if len(rest) == len(candidates):
            break
        candidates = rest
    if not len(candidates):
        return candidates
    draws = _draw_t(centred[candidates], freedom, rng)
    columns = np.arange(len(candidates))
    while len(columns):
        rest = columns[t[candidates[columns]] <= np.quantile(draws[:, columns].max(1), LEVEL)]
        if len(rest) == len(columns):
            break
        columns = rest
    return candidates[columns]


def _draw_t(centred: Floats, freedom: int, rng: np.random.Generator) -> Floats:
    """Draw [ROUNDS, K] t values of equal models (`freedom` degrees) by a bootstrap of differences `centred` [K, n]."""
    lengths = np.array([np.linalg.norm(row.astype(np.float64), axis=1) for row in centred[:, None]])
    unit = (centred / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    with threadpool_limits(1):  # several threads wait for each other, and round by their number
        values, vectors = np.linalg.eigh((unit @ unit.T).astype(np.float64))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    normal = rng.standard_normal((ROUNDS, len(centred))) @ root.T
    return np.asarray(normal / np.sqrt(rng.chisquare(freedom, (ROUNDS, 1)) / freedom))


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
