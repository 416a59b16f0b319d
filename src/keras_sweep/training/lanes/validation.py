"""How many validation rows are taken at once: many where the numbers do not depend on it, else as `fit` takes them.

A layer or a loss may look at the whole batch (its statistics, a norm over it), and a layer may count its calls. So the
model is tried: where a few rows at once leave the same metrics as the same rows in two batches, with other weights too,
and nothing else changes, then each row stands alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_sweep.data.search_data import Array, Rows
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.lanes.effort import Effort
from keras_sweep.training.lanes.masked import ROW_LOSSES
from keras_sweep.training.lanes.template import Template, layer_outputs
from keras_sweep.training.row_values import ACCURACIES

ROWS = 2048  # at most: enough for speed
BYTES = 256 << 20  # of what the layers put out for these rows in all lanes, at most

TRIED = 16  # rows
CUT = 6  # of them are the first batch: batches of two lengths, since a mean of means is another mean
CLOSE = 2e-5  # relative: sums of float32 in another order

_OF_A_BATCH = frozenset({"circle", "ctc", "dice", "tversky"})  # where they come out as means over rows, it is by chance
_COUNTING = frozenset({"auc", "precision", "recall"})  # of keras.metrics: made of counts of rows, which add up


def validation_batch(template: Template, *, row_by_row: bool, rows: int, lanes: int) -> int:
    """Rows a batch, of so many rows in all: a divisor of them if there is a fair one, since a short last batch is slow.

    The trial's own batch size where rows do not stand alone.
    """
    if not row_by_row:
        return template.signature.batch_size
    most = max(min(ROWS, BYTES // (4 * lanes * layer_outputs(template.model))), 1)
    divisor = max(size for size in range(1, most + 1) if rows % size == 0)
    return divisor if divisor * 4 >= most else most


def row_by_row(spec: SweepSpec, template: Template, rows: Rows) -> bool:
    """Whether validation may take any number of rows at once and comes to the same numbers.

    Args:
        spec: the sweep; for the dense model under a usual loss the answer is known.
        template: a model of it.
        rows: what it is tried with: rows of the training data.
    """
    import jax
    import keras

    model = template.model
    known = spec.loss in ROW_LOSSES and set(spec.metrics) <= ROW_LOSSES | ACCURACIES | _COUNTING
    if spec.model.kind == "dense" and known:
        return True
    if spec.loss.lower() in _OF_A_BATCH:
        return False
    own = type(model)
    if own.compute_loss is not keras.Model.compute_loss or own.compute_metrics is not keras.Model.compute_metrics:
        return False
    count = min(TRIED, len(rows.y))
    if count < 4:
        return False

    def tested(trainable: Any, other: Any, metrics: Any, x: Any, y: Any) -> Any:
        return model.test_step((trainable, other, metrics), (x, y))[1][2]

    def both(trainable: Any, other: Any, metrics: Any, x: Any, y: Any) -> Any:
        cut = count * CUT // TRIED
        first = tested(trainable, other, metrics, x[:cut], y[:cut])
        return tested(trainable, other, metrics, x, y), tested(trainable, other, first, x[cut:], y[cut:])

    with template.tracing:
        if changes_state(template, rows):
            return False
        traced = jax.jit(both).lower(*_arguments(template, rows, range(count)))
        compare = traced.compile(Effort.LOW.options)
    for places, weights in zip(_choices(rows, count), _weights(template), strict=True):
        _, _, metrics, x, y = _arguments(template, rows, places)
        whole, parts = compare(*weights, metrics, x, y)
        if not all(_close(one, other) for one, other in zip(whole, parts, strict=True)):
            return False
    return True


def changes_state(template: Template, rows: Rows) -> bool:
    """Whether a step of validation changes any variable but the metrics': a count of calls, the seed of a noise.

    Traces the model, so its lock must be held.
    """
    import jax

    trainable, other, metrics, x, y = _arguments(template, rows, range(min(TRIED, len(rows.y))))

    def step(other: Any) -> Any:
        return template.model.test_step((trainable, other, metrics), (x, y))[1][1]

    program = jax.make_jaxpr(step)(other).jaxpr
    return any(before is not after for before, after in zip(program.invars, program.outvars, strict=True))


def _arguments(template: Template, rows: Rows, places: Sequence[int]) -> tuple[Any, Any, Any, Array, Array]:
    chosen = np.asarray(places)
    return list(template.trainable), list(template.other), list(template.metrics), rows.x[chosen], rows.y[chosen]


def _choices(rows: Rows, count: int) -> Iterator[Any]:
    """Places of rows from all over; and so that the two batches differ as far as they can, in labels and in inputs."""
    ends = np.r_[:count] - count * CUT // TRIED  # the first are the lowest, the rest the highest
    labels = np.asarray(rows.y, np.float64).reshape(len(rows.y), -1)
    yield np.linspace(0, len(rows.y) - 1, count).astype(int)
    yield np.argsort(labels @ np.arange(1, labels.shape[1] + 1), kind="stable")[-ends - 1]
    yield np.argsort(np.asarray(rows.x, np.float64).reshape(len(rows.y), -1).sum(1), kind="stable")[-ends - 1]


def _weights(template: Template) -> Iterator[tuple[list[Any], list[Any]]]:
    """Trainable and other variables: the initial ones, then others, since what begins at zero hides what it weighs."""
    yield list(template.trainable), list(template.other)
    random = np.random.default_rng(0)
    for _ in range(2):
        trainable = [_moved(value, random.normal(size=value.shape)) for value in template.trainable]
        # a moving variance stays above zero
        yield trainable, [_moved(value, np.abs(random.normal(size=value.shape))) for value in template.other]


def _moved(value: Any, noise: Any) -> Any:
    if value.dtype.kind in "biu":  # counts, seeds
        return value
    return (np.asarray(value, np.float32) * (1 + 0.3 * noise) + 0.05 * noise).astype(value.dtype)


def _close(one: Any, other: Any) -> bool:
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    return bool(np.isfinite(one).all() and np.allclose(one, other, rtol=CLOSE, atol=1e-6))
