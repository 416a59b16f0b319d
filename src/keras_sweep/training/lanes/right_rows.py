"""Which validation rows a lane gets right, out of the program that validates it anyway. B rows a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.row_values import ACCURACIES, TOP_K, accuracy_function
from keras_sweep.trial.result import Weights

Right = Callable[[Any, Any], Any]  # traced: labels and outputs of a batch -> [B] bool; None where there are none


def right_rows(spec: SweepSpec) -> Right:
    """What tells right from wrong, where the objective is the share of rows that are right."""
    name = spec.objective.name
    known = name.startswith("val_") and name.removeprefix("val_") in ACCURACIES | TOP_K

    def right(y: Any, outputs: Any) -> Any:
        if not known or getattr(outputs, "ndim", 0) != 2:  # a share of many outputs is no bit
            return None
        labels = y.reshape(outputs.shape) if y.size == outputs.size else y
        function = accuracy_function(name.removeprefix("val_"), labels.shape, outputs.shape)
        each = function(labels, outputs.astype("float32"))
        whole = getattr(each, "shape", None) == outputs.shape[:1]
        return each > 0.5 if whole and (outputs.shape[-1] == 1 or function.__name__ != "binary_accuracy") else None

    return right


@contextmanager
def outputs_seen(model: Any) -> Iterator[list[Any]]:
    """Inside, the outputs that a step of the model hands to its metrics are listed; a user's own step may have none."""
    seen: list[Any] = []
    update = model._update_metrics_variables  # noqa: SLF001  # Keras 3.15: what its `test_step` calls on JAX

    def noted(metrics: Any, loss: Any, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        seen.append(y_pred)
        return update(metrics, loss, x, y, y_pred, sample_weight)

    object.__setattr__(model, "_update_metrics_variables", noted)  # past Keras's own tracking of attributes
    try:
        yield seen
    finally:
        object.__delattr__(model, "_update_metrics_variables")


def packed(right: Any) -> Weights:
    """[N] bool as the array that a training state carries; nothing without it."""
    return () if right is None else (np.packbits(right),)


def unpacked(carried: Weights, rows: int) -> Any:
    """[N] bool of what `packed` gave; None where it was nothing."""
    return np.unpackbits(np.asarray(carried[0], np.uint8), count=rows).astype(bool) if carried else None
