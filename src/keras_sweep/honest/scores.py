"""Scores of K models on the same rows, and on bootstrap bags of their U units. Larger is always better.

The order of the models must not depend on their scores, so order them by trial number. If two models are equal on a
bag, the first counts as best. An order by rank would bias this by 0.4 standard errors.

A metric of all rows together, like AUC, is a function of row weights, so that it can be computed again on a bag. These
metrics follow Keras 3 (keras/src/metrics), including its thresholds, with row weights as `sample_weight`. Where Keras
divides 0 by 0, they have Keras's value: a model that predicts no positive has the precision 0.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from keras_sweep.honest.standard_error import Floats, standard_errors, unit_parts
from keras_sweep.trial.units import Units

Places: TypeAlias = npt.NDArray[np.intp]  # indices of models
Metric: TypeAlias = Callable[[Floats], Floats]  # [B, N] row weights -> [B] values; NaN if undefined on these rows

BLOCK, BLOCK_BYTES = 100, 80_000_000  # bags at once, and their bytes
THRESHOLDS = 200  # the default of `keras.metrics.AUC`


@dataclass(frozen=True)
class MeanScores:
    """Scores of K models by a mean over rows, like accuracy."""

    sums: Floats  # [K, U] float32, sums over the rows of each unit
    sizes: Floats | None = None  # [U] the number of each unit's rows; None: a row each

    @classmethod
    def from_rows(cls, rows: Floats, units: Units) -> "MeanScores":
        """Build scores from values per row, [K, N]."""
        return cls(units.sum(rows), None if units.are_rows else np.bincount(units.codes).astype(np.float32))

    @property
    def shape(self) -> tuple[int, int]:
        return self.sums.shape[0], self.sums.shape[1]  # K, U

    @cached_property
    def values(self) -> Floats:
        """The models' scores on all rows, [K] float64."""
        rows = self.shape[1] if self.sizes is None else self.sizes.sum(dtype=np.float64)
        return np.asarray(self.sums.sum(1, dtype=np.float64) / rows)

    @property
    def parts(self) -> Floats:
        """Each unit's part in how far the scores are from the truth, [K, U]."""
        return unit_parts(self.sums, np.ones(self.shape[1]) if self.sizes is None else self.sizes)

    @cached_property
    def errors(self) -> Floats:
        """The standard errors of the scores, [K]."""
        return standard_errors(self.parts)

    @property
    def are_binary(self) -> bool:
        """Whether each unit is a row, and each row is right (1) or wrong (0)."""
        return self.sizes is None and bool(((self.sums == 0) | (self.sums == 1)).all())

    def take(self, models: Places) -> "MeanScores":
        """Return the scores of the models with these indices."""
        return MeanScores(self.sums[models], self.sizes)

    def evaluate(self, weights: Floats) -> Floats:
        """Return the means of K models in B bags [B, K], NaN if all weights are 0. `weights`: [B, U] unit weights."""
        total = weights.sum(1) if self.sizes is None else weights @ self.sizes
        with np.errstate(invalid="ignore"):
            return np.asarray((weights @ self.sums.T) / total[:, None])


@dataclass(frozen=True)
class MetricScores:
    """Scores of K models by a metric of all rows together, like AUC, which is computed again on each bootstrap bag."""

    metrics: Sequence[Sequence[Metric]]  # [K][seeds]; a model's score is the mean over its seeds
    units: Units
    sign: float = 1.0  # -1 for a metric whose least value is best

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.metrics), self.units.count  # K, U

    @cached_property
    def values(self) -> Floats:
        """The models' scores on all rows, [K] float64."""
        return np.asarray(self.evaluate(np.ones((1, self.units.count), np.float32))[0], np.float64)

    def take(self, models: Places) -> "MetricScores":
        """Return the scores of the models with these indices."""
        return MetricScores([self.metrics[model] for model in models], self.units, self.sign)

    def evaluate(self, weights: Floats) -> Floats:
        """Return the metric of K models in B bags [B, K], NaN if it is undefined. `weights`: [B, U] unit weights."""
        row_weights = weights[:, self.units.codes]
        with np.errstate(invalid="ignore", divide="ignore"):
            values = [np.mean([metric(row_weights) for metric in seeds], axis=0) for seeds in self.metrics]
        return np.asarray(self.sign * np.stack(values, axis=1))


Scores: TypeAlias = MeanScores | MetricScores


def draw_bags(rng: np.random.Generator, units: int, rounds: int, draws: int | None = None) -> Iterator[Floats]:
    """Yield `rounds` bootstrap samples of `draws` units (None: `units`) in blocks [B, U]: how often a unit is drawn."""
    block = max(min(BLOCK, BLOCK_BYTES // (4 * units)), 1)
    for start in range(0, rounds, block):
        bags = np.empty((min(block, rounds - start), units), np.float32)
        for bag in bags:
            bag[:] = np.bincount(rng.integers(units, size=draws or units, dtype=np.int32), minlength=units)
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

    def evaluate(weights: Floats) -> Floats:
        above, below = weights @ numerators, weights @ denominators
        return np.asarray(np.where(below > 0, above / np.where(below > 0, below, 1.0), 0.0))

    return evaluate


# Names in a space file -> metrics
METRICS: Mapping[str, Callable[[Floats, Floats], Metric]] = {
    "auc": auc,
    "precision": precision,
    "recall": recall,
    "r2_score": r2_score,
    "root_mean_squared_error": root_mean_squared_error,
}
