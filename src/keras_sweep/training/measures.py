"""What further goals need of a trial's model: how large it is, and how long it takes to predict."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from keras_sweep.data.arrays import Arrays, cut
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.trial.result import Weights

ROWS = 32  # that are predicted at once
CALLS, FIRST_CALLS = 50, 3  # the first ones compile


def measured(spec: SweepSpec, weights: Weights, model: Callable[[], tuple[Any, Arrays]]) -> dict[str, float]:
    """Each of `parameters` and `predict_seconds` that is a goal.

    `weights` are those of the trial, with folds of all of its models, over which the count is the mean; `model` gives
    the Keras model, with folds that of the first, and rows for it.
    """
    wanted, found = {goal.name for goal in spec.objective.further}, {}
    if "parameters" in wanted:  # as `keras.Model.count_params` counts them
        found["parameters"] = sum(array.size for array in weights) / max(spec.data.split.folds, 1)
    if "predict_seconds" in wanted:
        found["predict_seconds"] = predict_seconds(*model())
    return found


def predict_seconds(model: Any, x: Arrays) -> float:
    """What a call of `predict_on_batch` on the first rows takes on this machine, the median of many."""
    rows, took = cut(x, 0, ROWS), []
    for _ in range(FIRST_CALLS + CALLS):
        started = time.perf_counter()
        model.predict_on_batch(rows)
        took.append(time.perf_counter() - started)
    return statistics.median(took[FIRST_CALLS:])
