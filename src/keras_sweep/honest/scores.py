"""Scores of K models on the same n rows, and what they come to on bags of those rows. Larger is better, throughout.

The order of the models must not depend on their scores (by trial number, say): where two are equal on a bag the first
is taken, and an order by rank would let the best win more often than chance, a bias of 0.4 standard errors.

Metrics of all rows together are functions of weights of rows, so that they can be computed anew on a bag. They are
Keras 3's own, thresholds and all (keras/src/metrics), with a weight a row in place of `sample_weight`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating]
Places: TypeAlias = npt.NDArray[np.intp]  # of models
Metric: TypeAlias = Callable[[Floats], Floats]  # [B, n] weights of rows -> [B] values; NaN where it has none

BLOCK = 100  # bags at once: memory stays small
THRESHOLDS = 200  # of `keras.metrics.AUC`


@dataclass(frozen=True)
class MeanScores:
    """A metric that is the mean over rows: accuracy, a loss. For a recipe trained with several seeds, of their mean."""

    rows: Floats  # [K, n] float32

    @property
    def shape(self) -> tuple[int, int]:
        """K and n."""
        return self.rows.shape[0], self.rows.shape[1]

    def on(self, weights: Floats) -> Floats:
        """[B, n] weights of rows -> [B, K] weighted means; NaN where all weights are 0."""
        with np.errstate(invalid="ignore"):
            return np.asarray((weights @ self.rows.T) / weights.sum(1, keepdims=True))


@dataclass(frozen=True)
class MetricScores:
    """A metric of all rows together, as AUC: computed anew on each bag."""

    metrics: Sequence[Sequence[Metric]]  # [K] models, each the mean of one or several trainings
    rows: int
    sign: float = 1.0  # -1 for a metric of which less is better

    @property
    def shape(self) -> tuple[int, int]:
        """K and n."""
        return len(self.metrics), self.rows

    def on(self, weights: Floats) -> Floats:
        """[B, n] weights of rows -> [B, K] values of the metric; NaN where it has none on these rows."""
        with np.errstate(invalid="ignore", divide="ignore"):
            values = [np.mean([metric(weights) for metric in each], axis=0) for each in self.metrics]
        return np.asarray(self.sign * np.stack(values, axis=1))


Scores: TypeAlias = MeanScores | MetricScores  # of K models on n rows


def bags(rng: np.random.Generator, rows: int, rounds: int, draws: int | None = None) -> Iterator[Floats]:
    """Bootstrap bags in blocks: [B, n], how often each row was drawn of n, or `draws`, drawn with replacement."""
    for start in range(0, rounds, BLOCK):
        size = min(BLOCK, rounds - start)
        drawn = rng.integers(rows, size=(size, draws or rows), dtype=np.int32)
        drawn += (np.arange(size, dtype=np.int32) * rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * rows).reshape(size, rows).astype(np.float32)


def auc(outputs: Floats, labels: Floats) -> Metric:
    """`keras.metrics.AUC()`: the area under the ROC curve through 200 thresholds, by trapezoids."""
    p, y = outputs.reshape(len(outputs), -1), labels.reshape(len(outputs), -1)
    columns = p.shape[1]
    # as keras/src/metrics/metrics_utils.py buckets evenly spaced thresholds: p lies above those before its bucket
    steps = np.clip(p, 0, 1).astype(np.float32) * np.float32(THRESHOLDS - 1)
    bucket = np.maximum(np.ceil(steps) - 1, 0).astype(int)
    cells = (bucket + THRESHOLDS * (y > 0)).ravel()
    order = np.argsort(cells, kind="stable")
    filled, starts = np.unique(cells[order], return_index=True)
    rows = order // columns

    def on(weights: Floats) -> Floats:
        totals = np.zeros((len(weights), 2 * THRESHOLDS))
        totals[:, filled] = np.add.reduceat(weights[:, rows], starts, axis=1)
        negative, positive = totals[:, :THRESHOLDS], totals[:, THRESHOLDS:]
        # by bucket, what lies above: the share of it is NaN where there is none at all
        above = (np.cumsum(part[:, ::-1], axis=1)[:, ::-1] for part in (negative, positive))
        x, y = (part / part[:, :1] for part in above)
        return np.asarray(((x[:, :-1] - x[:, 1:]) * (y[:, :-1] + y[:, 1:]) / 2).sum(1))

    return on


def precision(outputs: Floats, labels: Floats) -> Metric:
    """`keras.metrics.Precision()`: of what is called 1, the share that is."""
    called = outputs > 0.5
    return _ratio(called & (labels.reshape(outputs.shape) > 0), called)


def recall(outputs: Floats, labels: Floats) -> Metric:
    """`keras.metrics.Recall()`: of what is 1, the share that is called so."""
    right = labels.reshape(outputs.shape) > 0
    return _ratio(right & (outputs > 0.5), right)


def r2_score(outputs: Floats, labels: Floats) -> Metric:
    """`keras.metrics.R2Score()`: one less the share of the variance that is left, the mean over columns."""
    p = outputs.reshape(len(outputs), -1).astype(np.float64)
    y = labels.reshape(p.shape).astype(np.float64)
    y_centred = y - y.mean(0)  # so that no digits are lost to a large mean
    left = (y - p) ** 2

    def on(weights: Floats) -> Floats:
        weights = weights.astype(np.float64)
        count = weights.sum(1, keepdims=True)
        total = weights @ y_centred**2 - (weights @ y_centred) ** 2 / count
        return np.asarray((1 - (weights @ left) / np.where(total > 0, total, np.nan)).mean(1))

    return on


def root_mean_squared_error(outputs: Floats, labels: Floats) -> Metric:
    """`keras.metrics.RootMeanSquaredError()`."""
    p = outputs.reshape(len(outputs), -1).astype(np.float64)
    squared = ((labels.reshape(p.shape) - p) ** 2).mean(1)

    def on(weights: Floats) -> Floats:
        return np.asarray(np.sqrt(weights @ squared / weights.sum(1)))

    return on


def _ratio(above: npt.NDArray[np.bool_], below: npt.NDArray[np.bool_]) -> Metric:
    numerators, denominators = (part.reshape(len(part), -1).sum(1).astype(np.float64) for part in (above, below))

    def on(weights: Floats) -> Floats:
        return np.asarray((weights @ numerators) / (weights @ denominators))

    return on


METRICS: Mapping[str, Callable[[Floats, Floats], Metric]] = {
    "auc": auc,
    "precision": precision,
    "recall": recall,
    "r2_score": r2_score,
    "root_mean_squared_error": root_mean_squared_error,
}  # by the name that a space file gives them
