"""What further goals need of a trial's model: how large it is, and how much work and time it takes to predict."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from keras_sweep.data.arrays import Arrays, cut
from keras_sweep.errors import ModelError, UsageError
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.trial.result import Weights

ROWS = 32  # that are predicted at once
CALLS, FIRST_CALLS = 50, 3  # the first ones compile
INSTEAD = "Take `parameters` or `predict_seconds` as a goal in their place"


def measured(spec: SweepSpec, weights: Weights, model: Callable[[], tuple[Any, Arrays]]) -> dict[str, float]:
    """Each of `parameters`, `flops` and `predict_seconds` that is a goal.

    `weights` are those of the trial, with folds of all of its models, over which the count is the mean; `model` gives
    the Keras model, with folds that of the first, and rows for it.
    """
    wanted, found = {goal.name for goal in spec.objective.further}, {}
    if "parameters" in wanted:  # as `keras.Model.count_params` counts them
        found["parameters"] = sum(array.size for array in weights) / max(spec.data.split.folds, 1)
    if "flops" in wanted:
        found["flops"] = flops(*model())
    if "predict_seconds" in wanted:
        found["predict_seconds"] = predict_seconds(*model())
    return found


def flops(model: Any, x: Arrays) -> float:
    """The floating-point operations of a prediction of one row, as XLA counts them before it compiles.

    Source: https://docs.jax.dev/en/latest/aot.html

    Raises UsageError where there is no such count.
    """
    import jax
    import keras

    if (backend := keras.backend.backend()) != "jax":
        raise UsageError(f"`flops` are counted by XLA, on JAX alone, and this is {backend}", hint=INSTEAD)
    call = jax.jit(lambda *variables: model.stateless_call(*variables, training=False)[0])
    values = ([one.value for one in held] for held in (model.trainable_variables, model.non_trainable_variables))
    program = call.lower(*values, cut(x, 0, 1))
    if "stablehlo.while" in program.as_text():
        raise ModelError("XLA counts the `flops` of a loop, such as a recurrent layer's, for one step", hint=INSTEAD)
    count = program.cost_analysis()
    if not isinstance(count, Mapping) or "flops" not in count:  # JAX keeps its form open
        raise UsageError(f"this version of JAX, {jax.__version__}, counts no `flops`", hint=INSTEAD)
    return float(count["flops"])


def predict_seconds(model: Any, x: Arrays) -> float:
    """What a call of `predict_on_batch` on the first rows takes on this machine, the median of many."""
    rows, took = cut(x, 0, ROWS), []
    for _ in range(FIRST_CALLS + CALLS):
        started = time.perf_counter()
        model.predict_on_batch(rows)
        took.append(time.perf_counter() - started)
    return statistics.median(took[FIRST_CALLS:])
