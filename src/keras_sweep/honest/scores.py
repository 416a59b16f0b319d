"""Scores of K models on the same n rows, and what they come to on bags of those rows. Larger is better, throughout.

The order of the models must not depend on their scores (by trial number, say): where two are equal on a bag the first
is taken, and an order by rank would let the best win more often than chance, a bias of 0.4 standard errors.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating]
Places: TypeAlias = npt.NDArray[np.intp]  # of models
Metric: TypeAlias = Callable[[Floats], Floats]  # [B, n] weights of rows -> [B] values; NaN where it has none

BLOCK = 100  # bags at once: memory stays small


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
