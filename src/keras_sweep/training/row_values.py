"""What each validation row contributes to a metric, by Keras's own functions, in the form in which it is kept."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.arrays import Array, ravel_column
from keras_sweep.data.search_data import Rows
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.compiling import Effort
from keras_sweep.trial.row_scores import OF_ALL_ROWS, RowScores, from_outputs, from_values

ACCURACIES = frozenset({"accuracy", "acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"})
TOP_K = frozenset({"top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy"})
LOSSES = frozenset(
    {"sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy", "bce"}
    | {"categorical_focal_crossentropy", "binary_focal_crossentropy", "kl_divergence", "kld", "poisson"}
    | {"categorical_hinge", "hinge", "squared_hinge", "huber", "log_cosh"}
    | {"mean_squared_error", "mse", "mean_absolute_error", "mae", "mean_absolute_percentage_error", "mape"}
    | {"mean_squared_logarithmic_error", "msle", "cosine_similarity"}
)  # means over rows, each of its own output and label alone
LEAST_MISMATCH = 1e-2  # relative: no rounding, nor rows on the border of two classes, make so much
CLOSE = 1e-3  # relative: how far the mean of the rows may be from what was logged


def is_row_by_row(metric: str, loss: str) -> bool:
    """Whether the metric ("val_accuracy", "loss") is a mean over rows that `row_values` knows."""
    name = _metric_name(metric, loss)
    return name in ACCURACIES | TOP_K | LOSSES


def is_mean_over_rows(spec: SweepSpec, metric: str) -> bool:
    """Whether a metric of the sweep is such a mean; that of an output by its own loss, the sum by each of these."""
    if (output_metric := spec.output_of(metric)) is not None:
        return is_row_by_row(output_metric[1], spec.outputs[output_metric[0]].loss)
    return all(is_row_by_row(metric, loss) for loss in [output.loss for output in spec.outputs.values()] or [spec.loss])


def metrics_of_all_rows(spec: SweepSpec) -> tuple[str, ...]:
    """Metrics ("auc") that are no means over rows, if trials are ranked by one of them: of folds they are had anew."""
    if spec.outputs:
        return ()
    names = tuple(name for name in spec.metrics if "metrics" not in spec.own and not is_row_by_row(name, spec.loss))
    return names if spec.objective.name in {f"val_{name}" for name in names} else ()


def score_all_rows(metric: Any, rows: Rows, outputs: Array) -> float:
    """One of `metrics_of_all_rows` ("auc"), as `make_metric` has it; labels are [N] or [N, ...], outputs [N, ...]."""
    import keras

    metric_object = keras.metrics.get(metric)
    metric_object.update_state(_reshape_labels(rows.y, outputs), outputs, sample_weight=rows.weights)
    return float(keras.ops.convert_to_numpy(metric_object.result()).item())


RowFunction = Callable[[Any, Any], Any] | None


def row_values(
    metric: str, loss: str, rows: Rows, predict: Callable[[], Array], row_function: RowFunction = None
) -> npt.NDArray[np.float64] | None:
    """[N] what each row contributes, float64; None where the metric is no mean over rows that is known here.

    The metric is named as Keras logs it ("val_accuracy", "val_loss"); `loss` is what "loss" means. Labels are [N] or
    [N, ...]; `predict` gives the model's outputs, [N, ...], and is called only where they are needed. `of_row` is
    `make_row_function` of the metric. Where rows weigh unlike their values are `weighed`.
    """
    import keras

    name = _metric_name(metric, loss)
    if row_function is None and not is_row_by_row(metric, loss):
        return None
    outputs = np.asarray(predict(), np.float32)  # of a half, metrics are computed so, too
    outputs = outputs.reshape(-1, 1) if outputs.ndim == 1 else outputs
    function, y = row_function, rows.y
    if function is None:
        is_accuracy = name in ACCURACIES | TOP_K
        function = find_accuracy_function(name, y.shape, outputs.shape) if is_accuracy else keras.losses.get(name)
    function = _compile(function) if keras.backend.backend() == "jax" else function
    labels = y if row_function is not None and y.ndim == outputs.ndim else _reshape_labels(y, outputs)
    try:
        contributions = np.asarray(keras.ops.convert_to_numpy(function(labels, outputs)), np.float64)
    except Exception:  # one of the user's may take batches alone
        if row_function is None:
            raise
        return None
    if contributions.shape[:1] != outputs.shape[:1]:  # a number of all rows together
        return None
    if name == "cosine_similarity" and not metric.endswith("loss"):
        contributions = -contributions  # as a loss it is minimized: Keras turns its sign
    values: npt.NDArray[np.float64] = contributions.reshape(len(outputs), -1).mean(axis=1)
    return values if rows.weights is None else weigh_values(metric, values, rows.weights)


def weigh_values(metric: str, values: npt.NDArray[np.float64], weights: Array) -> npt.NDArray[np.float64]:
    """[N] values whose plain mean is what Keras has for rows of these values and weights.

    Of a loss Keras divides the weighted sum by the number of rows. A metric is the weighted mean m, a ratio of two
    sums: linearized, a row contributes m + w (v - m) / mean(w). So the plain standard error of what is returned is that
    of a weighted mean, and the same holds of differences of trials and of bags of rows. Cochran 1977, "Sampling
    techniques", chapter 6; Gatz and Smith 1995, "The standard error of a weighted mean concentration".
    """
    w = weights.astype(np.float64)
    if metric.removeprefix("val_") == "loss":
        return values * w
    mean = np.average(values, weights=w)
    return np.asarray(mean + w / w.mean() * (values - mean))


@cache
def _compile(function: Callable[[Any, Any], Any]) -> Any:
    """One program, where JAX would compile one for each operation."""
    import jax

    return jax.jit(function, compiler_options=Effort.LOW.options)


def find_accuracy_function(name: str, y: tuple[int, ...], outputs: tuple[int, ...]) -> Callable[[Any, Any], Any]:
    """Keras's function of labels and outputs; "accuracy" is one of three, chosen by their shapes as `compile` does."""
    import keras

    if name in ("accuracy", "acc"):
        is_sparse = len(y) < len(outputs) or (y[-1] == 1 and outputs[-1] > 1)
        name = (
            "binary_accuracy"
            if outputs[-1] == 1
            else "sparse_categorical_accuracy"
            if is_sparse
            else "categorical_accuracy"
        )
    function: Callable[[Any, Any], Any] = getattr(keras.metrics, name)
    return function


def row_scores(
    metric: str, loss: str, value: float, rows: Rows, predict: Callable[[], Array], row_function: RowFunction = None
) -> tuple[RowScores | None, float | None]:
    """The scores that are kept of a trial, None where the metric can't be had by rows, or they do not add up to it.

    Then what they say that it is, where that is by more than rounding another value. A loss may have a penalty on the
    weights beside what the rows contribute: that is the same for each of them.
    """
    if _metric_name(metric, loss) in OF_ALL_ROWS:
        return from_outputs(predict(), ravel_column(rows.y), *rows.arrays[2:]), None
    if (values := row_values(metric, loss, rows, predict, row_function)) is None:
        return None, None
    mean = float(values.mean())
    if (penalty := find_penalty(metric, value, mean)) is not None:
        return from_values(values + penalty), None
    is_mismatch = row_function is None and abs(value - mean) > LEAST_MISMATCH * max(abs(mean), abs(value))
    return None, mean if is_mismatch else None


def find_penalty(metric: str, value: float, mean: float) -> float | None:
    """What a loss that was logged has beside its rows, of this mean: 0 but for rounding; None: they don't add up."""
    penalty = value - mean
    if abs(penalty) <= CLOSE * max(abs(value), CLOSE):
        return 0.0
    return penalty if metric.removeprefix("val_") == "loss" and penalty > 0 else None


def _metric_name(metric: str, loss: str) -> str:
    name = metric.removeprefix("val_")
    return loss if name == "loss" else name


def _reshape_labels(y: Array, outputs: Array) -> Array:
    """Labels in the form of the outputs: [N] as [N, 1] beside [N, 1], [N, 1] as [N] beside [N, C]."""
    if y.size == outputs.size:
        return y.reshape(outputs.shape)
    return y.reshape(outputs.shape[:-1]) if y.size * outputs.shape[-1] == outputs.size else y


def right_rows(objective: str, y: Any, outputs: Any) -> Any:
    """Traced: [B] which rows of a batch are right; None where the objective is not the share of those that are."""
    name = objective.removeprefix("val_")
    is_share = name != objective and name in ACCURACIES | TOP_K
    if not is_share or getattr(outputs, "ndim", 0) != 2:  # a share of many outputs is no bit
        return None
    labels = y.reshape(outputs.shape) if y.size == outputs.size else y
    function = find_accuracy_function(name, labels.shape, outputs.shape)
    values = function(labels, outputs.astype("float32"))
    is_per_row = getattr(values, "shape", None) == outputs.shape[:1]
    return values > 0.5 if is_per_row and (outputs.shape[-1] == 1 or function.__name__ != "binary_accuracy") else None
