"""Scores of K models on the same n rows, and on bootstrap bags of these rows. Larger is always better.

The order of the models must not depend on their scores, so order them by trial number. If two models are equal on a
bag, the first counts as best. An order by rank would bias this by 0.4 standard errors.

A metric of all rows together, like AUC, is a function of row weights, so that it can be computed again on a bag. These
metrics follow Keras 3 (keras/src/metrics), including its thresholds, with row weights as `sample_weight`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating]
Places: TypeAlias = npt.NDArray[np.intp]  # indices of models
Metric: TypeAlias = Callable[[Floats], Floats]  # [B, n] row weights -> [B] values; NaN if undefined on these rows

BLOCK, BLOCK_BYTES = 100, 80_000_000  # bags at once, and their bytes
THRESHOLDS = 200  # the default of `keras.metrics.AUC`


@dataclass(frozen=True)
class MeanScores:
    """Scores of K models by a mean over rows, like accuracy. `rows`: values per row [K, n], averaged over seeds."""

    rows: Floats  # [K, n] float32

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.shape[0], self.rows.shape[1]  # K, n

    def evaluate(self, weights: Floats) -> Floats:
        """Return the means of K models in B bags [B, K], NaN if all weights are 0. `weights`: [B, n] row weights."""
        with np.errstate(invalid="ignore"):
            return np.asarray((weights @ self.rows.T) / weights.sum(1, keepdims=True))


@dataclass(frozen=True)
class MetricScores:
    """Scores of K models by a metric of all rows together, like AUC, which is computed again on each bootstrap bag."""

    metrics: Sequence[Sequence[Metric]]  # [K][seeds]; a model's score is the mean over its seeds
    rows: int
    sign: float = 1.0  # -1 for a metric whose least value is best

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.metrics), self.rows  # K, n

    def evaluate(self, weights: Floats) -> Floats:
        """Return the metric of K models in B bags [B, K], NaN if it is undefined. `weights`: [B, n] row weights."""
        with np.errstate(invalid="ignore", divide="ignore"):
            values = [np.mean([metric(weights) for metric in seeds], axis=0) for seeds in self.metrics]
        return np.asarray(self.sign * np.stack(values, axis=1))


Scores: TypeAlias = MeanScores | MetricScores


def draw_bags(rng: np.random.Generator, rows: int, rounds: int, draws: int | None = None) -> Iterator[Floats]:
    """Yield `rounds` bootstrap samples of `draws` rows (None: `rows`) in blocks [B, rows]: how often a row is drawn."""
    block = max(min(BLOCK, BLOCK_BYTES // (4 * rows)), 1)
    for start in range(0, rounds, block):
        bags = np.empty((min(block, rounds - start), rows), np.float32)
        for bag in bags:
            bag[:] = np.bincount(rng.integers(rows, size=draws or rows, dtype=np.int32), minlength=rows)
        yield bags


def auc(outputs: Floats, labels: Floats) -> Metric:
    """Return Keras's `AUC()` as a function of row weights [B, n]: the area under the ROC curve with 200 thresholds."""
    p, y = outputs.reshape(len(outputs), -1), labels.reshape(len(outputs), -1)
    columns = p.shape[1]
    # keras/src/metrics/metrics_utils.py sorts outputs into buckets: p exceeds the thresholds before its bucket.
    steps = np.clip(p, 0, 1).astype(np.float32) * np.float32(THRESHOLDS - 1)
    bucket = np.maximum(np.ceil(steps) - 1, 0).astype(int)
    cells = (bucket + THRESHOLDS * (y > 0)).ravel()
    order = np.argsort(cells, kind="stable")
    filled, starts = np.unique(cells[order], return_index=True)
    rows = order // columns

    def evaluate(weights: Floats) -> Floats:
        totals = np.zeros((len(weights), 2 * THRESHOLDS))
        totals[:, filled] = np.add.reduceat(weights[:, rows], starts, axis=1)
        negative, positive = totals[:, :THRESHOLDS], totals[:, THRESHOLDS:]
        # The weight above each bucket. Its share is NaN if a class has no weight.
        above = (np.cumsum(part[:, ::-1], axis=1)[:, ::-1] for part in (negative, positive))
        x, y = (part / part[:, :1] for part in above)
        return np.asarray(((x[:, :-1] - x[:, 1:]) * (y[:, :-1] + y[:, 1:]) / 2).sum(1))

    return evaluate


def precision(outputs: Floats, labels: Floats) -> Metric:
    """Return Keras's `Precision()` as a function of row weights [B, n]: the share of outputs > 0.5 with label 1."""
    predicted = outputs > 0.5
    return _ratio(predicted & (labels.reshape(outputs.shape) > 0), predicted)


def recall(outputs: Floats, labels: Floats) -> Metric:
    """Return Keras's `Recall()` as a function of row weights [B, n]: the share of labels 1 with an output > 0.5."""
    positive = labels.reshape(outputs.shape) > 0
    return _ratio(positive & (outputs > 0.5), positive)


def r2_score(outputs: Floats, labels: Floats) -> Metric:
    """Return Keras's `R2Score()`, the mean over columns, as a function of row weights: [B, n] -> [B]."""
    p = outputs.reshape(len(outputs), -1).astype(np.float64)
    y = labels.reshape(p.shape).astype(np.float64)
    # Centred, so that a large mean costs no digits.
    y_centred = y - y.mean(0)
    squared_errors = (y - p) ** 2

    def evaluate(weights: Floats) -> Floats:
        weights = weights.astype(np.float64)
        count = weights.sum(1, keepdims=True)
        total = weights @ y_centred**2 - (weights @ y_centred) ** 2 / count
        return np.asarray((1 - (weights @ squared_errors) / np.where(total > 0, total, np.nan)).mean(1))

    return evaluate


def root_mean_squared_error(outputs: Floats, labels: Floats) -> Metric:
    """Return Keras's `RootMeanSquaredError()` as a function of row weights: [B, n] -> [B]."""
    p = outputs.reshape(len(outputs), -1).astype(np.float64)
    squared_errors = ((labels.reshape(p.shape) - p) ** 2).mean(1)
    return lambda weights: np.asarray(np.sqrt(weights @ squared_errors / weights.sum(1)))


def _ratio(above: npt.NDArray[np.bool_], below: npt.NDArray[np.bool_]) -> Metric:
    numerators, denominators = (part.reshape(len(part), -1).sum(1).astype(np.float64) for part in (above, below))
    return lambda weights: np.asarray((weights @ numerators) / (weights @ denominators))


# Names in a space file -> metrics
METRICS: Mapping[str, Callable[[Floats, Floats], Metric]] = {
    "auc": auc,
    "precision": precision,
    "recall": recall,
    "r2_score": r2_score,
    "root_mean_squared_error": root_mean_squared_error,
}
