"""Compute what each validation row contributes to a metric, with Keras's own functions."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.arrays import Array
from keras_sweep.data.labels import LOSS_NEEDS
from keras_sweep.data.search_data import Rows
from keras_sweep.process.compiling import Effort
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.losses import MEAN, SUM, WEIGHTED_MEAN

ACCURACIES = frozenset({"accuracy", "acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"})
TOP_K = frozenset({"top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy"})
# Means over rows: a row's value depends only on its own output and label. The two others mix rows.
LOSSES = frozenset(LOSS_NEEDS) - {"dice", "tversky"}
LEAST_MISMATCH = 1e-2  # smallest relative difference that neither rounding nor ties between classes explain
CLOSE = 1e-3  # maximal relative difference between the mean over rows and the logged value


def is_row_by_row(metric: str, loss: str) -> bool:
    """Return whether `row_values` can compute the metric ("val_accuracy", "loss"). `loss`: the loss's name."""
    return _metric_name(metric, loss) in ACCURACIES | TOP_K | LOSSES


def is_mean_over_rows(spec: SweepSpec, metric: str) -> bool:
    """Return whether a metric is a mean over rows. A sum of outputs' losses is a mean if each loss is a mean."""
    if (place := spec.find_output(metric)) is not None:
        return is_row_by_row(place[1], spec.outputs[place[0]].loss)
    return all(is_row_by_row(metric, loss) for loss in [output.loss for output in spec.outputs.values()] or [spec.loss])


def find_pooled_metrics(spec: SweepSpec) -> tuple[str, ...]:
    """Return the metrics that need all rows at once ("auc"), if the objective is among them; otherwise ()."""
    if spec.outputs:
        return ()
    names = tuple(name for name in spec.metrics if "metrics" not in spec.own and not is_row_by_row(name, spec.loss))
    return names if spec.objective.name in {f"val_{name}" for name in names} else ()


def score_all_rows(metric: Any, rows: Rows, outputs: Array) -> float:
    """Compute a metric (Keras's name or a metric object) over all rows at once. `outputs` are [N, ...]."""
    import keras

    metric_object = keras.metrics.get(metric)
    metric_object.update_state(_reshape_labels(rows.y, outputs), outputs, sample_weight=rows.weights)
    return float(keras.ops.convert_to_numpy(metric_object.result()).item())


PerRow = Callable[[Any, Any], Any] | None


def row_values(
    metric: str,
    loss: str,
    rows: Rows,
    predict: Callable[[], Array],
    row_function: PerRow = None,
    *,
    reduction: str = MEAN,
    batches: Array | None = None,
    mask: Array | None = None,
) -> npt.NDArray[np.float64] | None:
    """Return [N] float64, the contribution of each row to a metric; None if the metric is no known mean over rows.

    `metric` is the name in Keras's logs ("val_accuracy", "val_loss"), `loss` the loss's name. `predict()` returns
    outputs [N, ...]. `row_function` is from `make_row_function`. `contribute` describes the other arguments.
    """
    import keras

    name = _metric_name(metric, loss)
    if row_function is None and not is_row_by_row(metric, loss):
        return None
    outputs = np.asarray(predict(), np.float32)  # Keras computes metrics of half-precision outputs in float32, too
    outputs = outputs.reshape(-1, 1) if outputs.ndim == 1 else outputs
    function, y = row_function, rows.y
    if function is None:
        is_accuracy = name in ACCURACIES | TOP_K
        function = find_accuracy_function(name, y.shape, outputs.shape) if is_accuracy else keras.losses.get(name)
    function = _compile(function) if keras.backend.backend() == "jax" else function
    labels = y if row_function is not None and y.ndim == outputs.ndim else _reshape_labels(y, outputs)
    try:
        values = np.asarray(keras.ops.convert_to_numpy(function(labels, outputs)), np.float64)
    except Exception:  # a user's function may only accept batches
        if row_function is None:
            raise
        return None
    if values.shape[:1] != outputs.shape[:1]:  # a single number for all rows
        return None
    is_loss = metric.removeprefix("val_") == "loss"
    if name == "cosine_similarity" and not is_loss:
        values = -values  # Keras flips the sign of the loss, which is minimized
    if not is_loss:
        reduction, batches = WEIGHTED_MEAN, None
    if mask is not None and mask.shape[values.ndim :] == (1,):
        mask = mask[..., 0]
    if mask is not None and mask.shape != values.shape[: mask.ndim]:  # not of this metric's labels
        return None
    return contribute(values, rows.weights, reduction=reduction, batches=batches, mask=mask)


def contribute(
    values: npt.NDArray[np.float64],
    weights: Array | None = None,
    *,
    reduction: str = MEAN,
    batches: Array | None = None,
    mask: Array | None = None,
) -> npt.NDArray[np.float64]:
    """Return what each row contributes to a loss or metric, [N]. The plain mean is the value that Keras logs.

    A loss is computed in each batch, and batches count by their rows. In a batch, it is the weighted sum of `values`
    divided by their number, not masked; by nothing for the reduction "sum"; by the sum of weights for
    "mean_with_sample_weight" (keras/src/losses/loss.py). A metric is "mean_with_sample_weight" of all rows.

    A ratio A/D of sums over rows is linearized: a row with the parts a and d contributes A/D + (a - d A/D) n / D. The
    plain standard error of these values is the ratio's, also for differences of trials and for bootstrap samples.
    Sources: Cochran 1977, "Sampling techniques", chapter 6; Gatz and Smith 1995, "The standard error of a weighted mean
    concentration".

    Args:
        values: [N, ...] of each label.
        weights: [N] sample weights, or None.
        reduction: the loss's `reduction`.
        batches: [N] the number of each row's batch; None: all rows are in a batch.
        mask: [N, ...] which labels count; None: all.
    """
    flat = values.reshape(len(values), -1)
    counts: npt.NDArray[np.float64] = np.ones_like(flat)
    if mask is not None:
        labels = mask.reshape(*mask.shape, *[1] * (values.ndim - mask.ndim))
        counts = np.broadcast_to(labels, values.shape).reshape(flat.shape).astype(np.float64)
    weighted = counts if weights is None else counts * weights.astype(np.float64).reshape(-1, 1)
    above, below = (weighted * flat).sum(1), counts.sum(1) if reduction == MEAN else weighted.sum(1)
    batch = np.zeros(len(flat), np.intp) if batches is None else batches
    rows = np.bincount(batch)[batch]
    if reduction == SUM:
        return np.asarray(above * rows)
    if below.min() == below.max() > 0:  # a plain mean, without rounding
        return np.asarray(above / below)
    total = np.bincount(batch, below)[batch]
    divisor = np.where(total > 0, total, 1.0)
    mean = np.where(total > 0, np.bincount(batch, above)[batch] / divisor, 0.0)
    return np.asarray(mean + np.where(total > 0, rows / divisor, 0.0) * (above - below * mean))


@cache
def _compile(function: Callable[[Any, Any], Any]) -> Any:
    """Compile the function as a single program. Otherwise JAX would compile each of its operations separately."""
    import jax

    return jax.jit(function, compiler_options=Effort.LOW.options)


def find_accuracy_function(name: str, y: tuple[int, ...], outputs: tuple[int, ...]) -> Callable[[Any, Any], Any]:
    """Return Keras's function for the accuracy `name`. For "accuracy", the shapes `y` (labels) and `outputs` decide."""
    import keras

    if name in ("accuracy", "acc"):
        ids = len(y) < len(outputs) or (y[-1] == 1 and outputs[-1] > 1)
        name = (
            "binary_accuracy" if outputs[-1] == 1 else "sparse_categorical_accuracy" if ids else "categorical_accuracy"
        )
    function: Callable[[Any, Any], Any] = getattr(keras.metrics, name)
    return function


def _metric_name(metric: str, loss: str) -> str:
    name = metric.removeprefix("val_")
    return loss if name == "loss" else name


def _reshape_labels(y: Array, outputs: Array) -> Array:
    """Reshape labels to outputs: [N] to [N, 1] for outputs [N, 1], and [N, 1] to [N] for outputs [N, C]."""
    if y.size == outputs.size:
        return y.reshape(outputs.shape)
    return y.reshape(outputs.shape[:-1]) if y.size * outputs.shape[-1] == outputs.size else y


def right_rows(objective: str, y: Any, outputs: Any) -> Any:
    """Return [rows], whether each row is predicted right; None if `objective` is no accuracy with one label per row."""
    name = objective.removeprefix("val_")
    is_share = name != objective and name in ACCURACIES | TOP_K
    if not is_share or getattr(outputs, "ndim", 0) != 2:  # with more dimensions, a row can be partly right
        return None
    labels = y.reshape(outputs.shape) if y.size == outputs.size else y
    function = find_accuracy_function(name, labels.shape, outputs.shape)
    values = function(labels, outputs.astype("float32"))
    is_per_row = getattr(values, "shape", None) == outputs.shape[:1]
    return values > 0.5 if is_per_row and (outputs.shape[-1] == 1 or function.__name__ != "binary_accuracy") else None
