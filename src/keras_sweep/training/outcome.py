"""From what was trained to a result: the same few rules for every runner."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Sequence

from keras_sweep.data.search_data import Array
from keras_sweep.space.objective import Objective
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.standard_error import standard_error
from keras_sweep.training.transient_failure import is_transient
from keras_sweep.trial.result import Curve, Result, Seconds, Suggestion, TrialState, Weights

TRACEBACK_LIMIT = 20_000  # characters kept, the last ones


def diverged(logs: Sequence[float]) -> bool:
    """Whether any metric of an epoch is NaN or infinite."""
    return not all(math.isfinite(value) for value in logs)


def best_epoch(objective: Objective, values: Sequence[float]) -> int:
    """The epoch with the best value, counted from 1; the first of equals."""
    return min(range(len(values)), key=lambda index: objective.key(values[index])) + 1


def scored(
    spec: SweepSpec,
    suggestion: Suggestion,
    *,
    curve: Curve,
    weights: Weights,
    seconds: Seconds,
    runner: str,
    y: Array,
    predict: Callable[[], Array],
    pruned_at: int | None = None,
) -> Result:
    """The result of a trial that ran to its end or was pruned.

    Args:
        spec: says which metric counts, and whether the last or the best epoch.
        suggestion: what was asked.
        curve: at least one epoch.
        weights: of the scored epoch.
        seconds: its timing.
        runner: the runner's name.
        y: labels of the validation rows.
        predict: outputs of the model with `weights` on the validation rows; called only where they are needed.
        pruned_at: the epoch after which the engine stopped it.
    """
    values = curve[spec.objective.name]
    epoch = best_epoch(spec.objective, values) if spec.take_best else len(values)
    return Result(
        suggestion,
        TrialState.COMPLETE if pruned_at is None else TrialState.PRUNED,
        values[epoch - 1],
        curve=curve,
        epoch=epoch,
        seconds=seconds,
        reason=None if pruned_at is None else f"pruned at epoch {pruned_at}",
        weights=weights,
        runner=runner,
        stderr=standard_error(spec.objective.name, spec.loss, values[epoch - 1], y, predict),
    )


def failed(
    suggestion: Suggestion,
    reason: str,
    *,
    runner: str,
    curve: Curve | None = None,
    seconds: Seconds | None = None,
    error: BaseException | None = None,
) -> Result:
    """The result of a trial that diverged, or whose code raised."""
    text = "".join(traceback.format_exception(error))[-TRACEBACK_LIMIT:] if error is not None else None
    return Result(
        suggestion,
        TrialState.FAIL,
        None,
        curve=curve or {},
        seconds=seconds or Seconds(sampler=suggestion.sampler_seconds),
        reason=reason,
        traceback=text,
        runner=runner,
        is_transient=error is not None and is_transient(error),
    )
