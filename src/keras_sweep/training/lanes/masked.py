"""Batches of other lengths in one program: rows past the trial's batch size get weight 0.

So trials of several batch sizes share a program, and so do whole batches and the short last one.
"""

from __future__ import annotations

from typing import Any

from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.row_values import ACCURACIES

# Numbers that a trial's further rows may compute: a fifth of a second, less than a program takes to compile.
EXTRA = 2e7
SHRINK = 4  # the next shorter step of a program, where that is too much

# Means over rows of a function of each: what a row counts can then be given to Keras as its weight.
ROW_LOSSES = frozenset(
    {"sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy"}
    | {"mean_squared_error", "mse", "mean_absolute_error", "mae"}
)


def means_over_rows(spec: SweepSpec) -> bool:
    """Whether loss and metrics of this sweep are known to be means of a function of each row."""
    return spec.loss in ROW_LOSSES and set(spec.metrics) <= ROW_LOSSES | ACCURACIES


def rows_a_step(batch_size: int, most: int, *, rows: int, epochs: int, outputs: int) -> int:
    """Rows a step of the program in which a trial trains, at least its batch: as `EXTRA` allows.

    Args:
        batch_size: the trial's.
        most: of any trial.
        rows: to train on.
        epochs: of the longest trial.
        outputs: numbers that the layers put out for a row.
    """
    step = min(most, rows)
    batch_size = min(batch_size, rows)
    while step > batch_size and epochs * -(-rows // batch_size) * (step - batch_size) * outputs > EXTRA:
        step = step // SHRINK
    return max(step, batch_size)


def updated_metrics(model: Any, metrics: Any, loss: Any, y: Any, outputs: Any, counted: Any) -> list[Any]:
    """Traced: the metrics after a batch of which only those rows count that are 1 in `counted`, [B].

    As Keras 3.15's `Model._update_metrics_variables` on JAX, which gives weights to no metric, and counts all rows.
    """
    import keras

    mapping = list(zip(model.metrics_variables, metrics, strict=True))
    with keras.StatelessScope(state_mapping=mapping) as scope:
        model._loss_tracker.update_state(loss, sample_weight=counted.sum())  # noqa: SLF001  # Keras 3.15: as above
        for metric in model._compile_metrics.metrics:  # noqa: SLF001  # Keras 3.15: those by name
            metric.update_state(y, outputs, sample_weight=counted)
    return [scope.get_current_value(variable) for variable, _ in mapping]
