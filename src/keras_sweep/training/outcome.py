"""Make a trial's result from the finished training, by the same rules for every runner, and measure further goals."""

from __future__ import annotations

import errno
import math
import statistics
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from keras_sweep.data.arrays import Array, Arrays, cut
from keras_sweep.data.search_data import Rows
from keras_sweep.errors import ModelError, SweepError, UsageError
from keras_sweep.process.user_code import describe_error
from keras_sweep.space.search_space import Objective
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import strip_styles
from keras_sweep.training.logged_metric import LoggedMetric
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import OUT_OF_MEMORY, Curve, Result, Seconds, Suggestion, TrialState, Weights

ROWS = 32  # per call of `predict_on_batch`
CALLS, FIRST_CALLS = 50, 3  # the first calls compile and are not counted
INSTEAD = "Use the goal `parameters` or `predict_seconds` instead"


def has_diverged(row: Mapping[str, float]) -> bool:
    """Return whether any metric of an epoch is NaN or infinite."""
    return not all(map(math.isfinite, row.values()))


def find_best_epoch(objective: Objective, values: Sequence[float]) -> int:
    """Return the epoch (from 1) with the best value, the first if several are equal. NaN marks a missing value."""
    indices = [index for index, value in enumerate(values) if not math.isnan(value)]
    # If `epochs` is read off the curve, epochs below the parameter's range count only if no other epoch has a value.
    indices = [index for index in indices if index + 1 >= objective.epochs_from] or indices
    return min(indices, key=lambda index: objective.key(values[index])) + 1


def find_scored_epoch(objective: Objective, values: Sequence[float], restored: int | None = None) -> int:
    """Return the scored epoch (from 1): with `objective.take_best` the best, else `restored` if set, else the last."""
    return find_best_epoch(objective, values) if objective.take_best else restored or len(values)


def trial_objective(objective: Objective, suggestion: Suggestion) -> Objective:
    """Return the objective, with `take_best` off for a finalist whose `epochs` come from an earlier trial's curve."""
    reads_epochs = objective.epochs_from > 0 and suggestion.recipe is not None
    return replace(objective, take_best=False) if reads_epochs else objective


def make_curve(rows: Sequence[Mapping[str, float]]) -> Curve:
    """Turn a dict of metrics per epoch into metric name -> values per epoch. A missing value becomes NaN."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: tuple(row.get(name, math.nan) for row in rows) for name in names}


def read_numbers(logs: Mapping[str, Any]) -> dict[str, float]:
    """Return the logged metrics that are single numbers. A metric with several numbers has no curve."""
    return {name: float(np.asarray(value).item()) for name, value in logs.items() if np.size(value) == 1}


def make_result(
    spec: SweepSpec,
    suggestion: Suggestion,
    *,
    curve: Curve,  # at least one epoch
    epoch: int,  # from `find_scored_epoch`
    weights: Weights,  # after that epoch
    seconds: Seconds,
    rows: Rows,  # the validation rows
    predict: Callable[[], Array],  # the model's outputs on these rows; called at most once
    model: Callable[[], tuple[Any, Arrays]],  # (Keras model with these weights, input rows), for `measure_goals`
    is_validation_score: bool = True,  # whether a completed trial's value is the model's score on these rows
    reason: str | None = None,  # what to know about the end of a completed trial
    right: Array | None = None,  # [N] whether each row was predicted correctly at that epoch, if the runner knows
    pruned_at: int | None = None,  # the epoch after which the pruner stopped the trial
    **row_facts: Any,  # of `LoggedMetric`: `batches`, `mask`, `added`
) -> Result:
    """Return the result of a completed or pruned trial; a FAIL if a goal besides the objective has no finite value."""
    name, scores, rows_value = spec.objective.name, None, None
    value = curve[name][epoch - 1]
    can_win = pruned_at is None or spec.objective.take_best
    arguments = training_plan(spec, suggestion.params).loss_arguments
    logged = LoggedMetric.from_spec(spec, arguments, name, value, rows, cache(predict), right=right, **row_facts)
    is_validation_score = (
        name.startswith("val_") and not spec.function and (is_validation_score or pruned_at is not None)
    )
    if logged.has_right_rows or (can_win and is_validation_score):
        with suppress(Exception):  # calling a user's layer again may raise anything; the trial then has no row scores
            scores, rows_value = logged.row_scores()
    scores = scores and scores.average(spec.search.seeds)
    try:
        measured = measure_goals(spec, weights, model) if spec.objective.further and not spec.function else {}
    except Exception as error:  # a user's layer may raise anything
        return make_failure(suggestion, Failure.from_error(error), curve, seconds)
    result = Result(
        suggestion,
        TrialState.COMPLETE if pruned_at is None else TrialState.PRUNED,
        value,
        curve=curve,
        epoch=epoch,
        seconds=seconds,
        reason=reason if pruned_at is None else f"pruned at epoch {pruned_at}",
        weights=weights or None,  # an objective function has none
        scores=scores,
        rows_value=rows_value,
        stderr=logged.standard_error() if is_validation_score and rows_value is None else None,
        measured=measured,
        reads_epochs=spec.objective.epochs_from > 0 and suggestion.recipe is None,
    )
    for goal in (further.name for further in spec.objective.further):
        if (reached := result.goal(goal)) is None or not math.isfinite(reached):
            failure = Failure(f"the goal {goal!r} has no finite value; logged were {sorted(curve)}")
            return make_failure(suggestion, failure, curve, seconds)
    return result


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a trial failed, in a form that any process can unpickle."""

    reason: str
    traceback: str | None = None
    is_transient: bool = False  # the machine failed, so another try may succeed
    is_out_of_memory: bool = False  # the trial needs more memory than there is, so another try fails, too

    @classmethod
    def from_error(cls, error: BaseException) -> Failure:
        if isinstance(error, TrialFailed):
            return error.failure
        reason = strip_styles(str(error)) if isinstance(error, SweepError) else describe_error(error)
        text = strip_styles("".join(traceback.format_exception(error)))[-20_000:]
        return cls(reason, text, is_transient(error), is_out_of_memory(error))


class TrialFailed(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def make_failure(
    suggestion: Suggestion, failure: Failure, curve: Curve | None = None, seconds: Seconds | None = None
) -> Result:
    return Result(
        suggestion,
        TrialState.FAIL,
        None,
        curve=curve or {},
        seconds=seconds or Seconds(sampler=suggestion.sampler_seconds),
        reason=f"{OUT_OF_MEMORY}: {failure.reason}" if failure.is_out_of_memory else failure.reason,
        traceback=failure.traceback,
        is_transient=failure.is_transient,
    )


_ERRNOS = frozenset(
    {errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.EAGAIN}
    | {errno.EBUSY, errno.ETIMEDOUT, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENOLCK}
)
# What XLA, CUDA, PyTorch and TensorFlow write. A user's own words, in an error of another class, do not count.
_MEMORY = (
    *("resource_exhausted", "out of memory", "out_of_memory", "oom when allocating", "can't allocate memory"),
    *("cannot allocate memory", "not enough memory", "status_alloc_failed"),
)
_PACKAGES = ("jax", "jaxlib", "torch", "tensorflow")


def is_transient(error: BaseException) -> bool:
    """Return whether disk or network caused the error. A missing or forbidden file is not transient."""
    return any(
        isinstance(cause, ConnectionError | TimeoutError) or (isinstance(cause, OSError) and cause.errno in _ERRNOS)
        for cause in _list_causes(error)
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether the processor's or the accelerator's memory was too small: as a rule a fact of the trial."""
    for cause in _list_causes(error):
        kind = type(cause)
        if isinstance(cause, MemoryError) or kind.__name__ in ("ResourceExhaustedError", "OutOfMemoryError"):
            return True
        if isinstance(cause, OSError) and cause.errno == errno.ENOMEM:
            return True
        if isinstance(cause, RuntimeError) or kind.__module__.partition(".")[0] in _PACKAGES:
            message = str(cause).lower()
            if any(words in message for words in _MEMORY):
                return True
    return False


def _list_causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def measure_goals(spec: SweepSpec, weights: Weights, model: Callable[[], tuple[Any, Arrays]]) -> dict[str, float]:
    """Return goal -> value for those of `parameters`, `flops`, `predict_seconds` that the space has as further goals.

    `model()` returns (Keras model, input rows), with folds the first fold's. `parameters` is then a mean over folds.
    """
    names, values = {goal.name for goal in spec.objective.further}, {}
    if "parameters" in names:  # counted as by `keras.Model.count_params`
        values["parameters"] = sum(array.size for array in weights) / max(spec.data.split.folds, spec.search.seeds)
    if "flops" in names:
        values["flops"] = count_flops(*model())
    if "predict_seconds" in names:
        values["predict_seconds"] = measure_predict_seconds(*model())
    return values


def count_flops(model: Any, x: Arrays) -> float:
    """Return the number of floating-point operations to predict a row, as XLA counts before compilation.

    Source: https://docs.jax.dev/en/latest/aot.html. Raises UsageError or ModelError if XLA can't count them.
    """
    import jax
    import keras

    if (backend := keras.backend.backend()) != "jax":
        raise UsageError(f"the goal `flops` needs the JAX backend, but got {backend}", hint=INSTEAD)
    call = jax.jit(lambda *variables: model.stateless_call(*variables, training=False)[0])
    values = ([item.value for item in group] for group in (model.trainable_variables, model.non_trainable_variables))
    program = call.lower(*values, cut(x, 0, 1))
    if "stablehlo.while" in program.as_text():
        raise ModelError("XLA can't count the `flops` of a model with a loop, like a recurrent layer", hint=INSTEAD)
    count = program.cost_analysis()
    if not isinstance(count, Mapping) or "flops" not in count:  # JAX does not specify the form of the answer
        raise UsageError(f"JAX {jax.__version__} can't count `flops`", hint=INSTEAD)
    return float(count["flops"])


def measure_predict_seconds(model: Any, x: Arrays) -> float:
    """Return the median seconds of `predict_on_batch` on the first 32 rows, on this machine."""
    rows, durations = cut(x, 0, ROWS), []
    for _ in range(FIRST_CALLS + CALLS):
        started = time.perf_counter()
        model.predict_on_batch(rows)
        durations.append(time.perf_counter() - started)
    return statistics.median(durations[FIRST_CALLS:])
