"""Which models the rows can't tell from the best, and whether more trials are worth it for what they can tell.

Ties are found by paired differences on the same rows, all comparisons together.

Romano and Wolf 2005, "Exact and approximate stepdown methods for multiple hypothesis testing" (the step-down max-t);
Hansen, Lunde and Nason 2011, "The model confidence set", https://doi.org/10.3982/ECTA5771.
"""

from collections.abc import Mapping, Sequence
from statistics import NormalDist, median
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from keras_sweep.honest.estimate import LEVEL
from keras_sweep.honest.scores import Floats, MeanScores, Places, Scores, bags
from keras_sweep.trial.comparison import Behind, MoreTrials

ROUNDS = 10_000  # draws of the largest t
BAGS = 500  # where the metric must be computed anew

WINDOW = 32  # trials that are looked back at, and forward to
FEWEST = 16  # trials before anything is said
GOOD = 16  # trials whose errors say what the rows resolve

Mask: TypeAlias = npt.NDArray[np.bool_]


def find_ties(scores: Scores, best: int | Places, seed: int, *, share: bool = False) -> tuple[Floats, Floats, Mask]:
    """How far each of K models is behind the best, the standard error of that, and whether it is a tie: [K] each.

    Args:
        scores: larger is better (a loss: its negative).
        best: the model that the others are compared with, or [K] one for each; a model is a tie of itself.
        seed: of the draws.
        share: whether each row's score lies in [0, 1]: then no error is 0, however alike two models are.
    """
    rng = np.random.default_rng([seed, 2])
    models, rows = scores.shape
    each = np.arange(models)
    against = np.broadcast_to(best, models)
    if isinstance(scores, MeanScores):
        behind, stderr, centred = _paired(scores.rows, against)
    else:
        behind, stderr, centred = _over_bags(scores, against, rng)
    if rows < 2:  # one row tells none of them apart
        return behind, np.full(models, np.nan), np.ones(models, bool)
    if share:  # half of Wilson's 68.3 % interval where no row differs
        stderr = np.maximum(stderr, 0.5 / (rows + 1))
    mask = ~(behind > 0) | np.isnan(stderr)  # where no error is known nothing is told apart
    mask[against == each] = True
    live = np.flatnonzero((stderr > 0) & (against != each))
    live = _step_down(live, behind, stderr, centred, rows - 1, rng)
    mask[live] = True
    stderr[against == each] = 0.0
    return behind, stderr, mask


def _paired(rows: Floats, against: Places) -> tuple[Floats, Floats, Floats]:
    count = rows.shape[1]
    differences = rows[against] - rows
    behind = differences.mean(1, dtype=np.float64)
    centred = differences - behind[:, None].astype(np.float32)
    squares = np.einsum("kn,kn->k", centred, centred, dtype=np.float64)
    return behind, np.sqrt(squares / max(count - 1, 1) / count), centred


def _over_bags(scores: Scores, against: Places, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    rows = scores.shape[1]
    whole = scores.on(np.ones((1, rows), np.float32))[0].astype(np.float64)
    values = np.concatenate([scores.on(bag) for bag in bags(rng, rows, BAGS)])
    values = values[np.isfinite(values).all(1)].astype(np.float64)
    if len(values) < 2:  # no bag has the metric, as R2 of labels that are all equal: no error is known
        return whole[against] - whole, np.full(len(whole), np.nan), np.zeros((len(whole), 1))
    differences = values[:, against] - values
    centred = (differences - differences.mean(0)).T
    return whole[against] - whole, np.asarray(differences.std(0, ddof=1)), centred


def _step_down(
    live: Places, behind: Floats, stderr: Floats, centred: Floats, freedom: int, rng: np.random.Generator
) -> Places:
    """Those that are not behind for certain. Each step compares with the largest t of those that are left."""
    t = behind / np.where(stderr > 0, stderr, 1.0)
    # The largest of K is below Bonferroni's bound at that level: what is above goes in the first step, undrawn.
    while len(live):
        bound = 1.2 * NormalDist().inv_cdf(1 - (1 - LEVEL) / len(live)) if freedom >= 30 else np.inf
        kept = live[t[live] <= bound]
        if len(kept) == len(live):
            break
        live = kept
    if not len(live):
        return live
    draws = _largest_draws(centred[live], freedom, rng)
    names = np.arange(len(live))
    while len(names):
        kept = names[t[live[names]] <= np.quantile(draws[:, names].max(1), LEVEL)]
        if len(kept) == len(names):
            break
        names = kept
    return live[names]


def _largest_draws(centred: Floats, freedom: int, rng: np.random.Generator) -> Floats:
    """[ROUNDS, K] draws of the t of each difference if there were none: a multiplier bootstrap with normal weights."""
    lengths = np.linalg.norm(centred.astype(np.float64), axis=1, keepdims=True)
    unit = (centred / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    values, vectors = np.linalg.eigh((unit @ unit.T).astype(np.float64))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    normal = rng.standard_normal((ROUNDS, len(centred))) @ root.T
    return np.asarray(normal / np.sqrt(rng.chisquare(freedom, (ROUNDS, 1)) / freedom))


def more_trials(values: Sequence[float], behind: Mapping[int, Behind]) -> MoreTrials | None:
    """What as many trials as the last would gain at most, since gains shrink; None where there are too few to say.

    Args:
        values: of trials that could win, in the order of their numbers; larger is better.
        behind: every trial against the best, by number.
    """
    errors = sorted((one.behind, one.stderr) for one in behind.values() if one.stderr)
    if len(values) < FEWEST or not errors:
        return None
    window = min(WINDOW, len(values) // 2)
    gain = max(values) - max(values[:-window])
    return MoreTrials(window, gain, 1.96 * median(stderr for _, stderr in errors[:GOOD]))
