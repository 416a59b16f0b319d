"""Which runner trains a sweep: lanes where the model, the data and the backend allow it, else plain fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import UsageError
from keras_sweep.models.inspect_model import first_model
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.build_trial import brings_optimizer
from keras_sweep.training.runner import Runner

RUNNERS = ("compiled", "fit")


def choose_runner(
    spec: SweepSpec,
    data: SearchData,
    wanted: str | None,
    *,
    checkpoints: Path | None = None,
    notice: Callable[[str], None] | None = None,
) -> tuple[Runner, str | None]:
    """A runner, and one line that says why it is not the compiled one where nobody asked for the plain one.

    Args:
        spec: the sweep.
        data: what it trains on.
        wanted: "compiled", "fit", or None for the fastest that can be had.
        checkpoints: the folder where a runner may keep what still trains; None keeps nothing.
        notice: is called with what the user should know of a checkpoint.

    Raises:
        UsageError: the compiled runner is wanted, and can't be had.
    """
    from keras_sweep.training.fit.runner import FitRunner

    if wanted == "fit":
        return FitRunner(spec, data, checkpoints=checkpoints, notice=notice), None
    from keras_sweep.training.lanes.lane_support import why_not_lanes

    reason = _own_optimizer(spec, data) or why_not_lanes(spec, data)
    if reason is None:
        from keras_sweep.training.lanes.runner import CompiledRunner

        promotes = (spec.search.engine, spec.search.sampler) == ("keras-tuner", "hyperband")
        runner = CompiledRunner(spec, data, checkpoints=checkpoints, keep_states=promotes, notice=notice)
        return runner, None
    if wanted == "compiled":
        raise UsageError(f"the compiled runner can't be used: {reason}", hint="Leave out `--runner compiled`")
    plain = FitRunner(spec, data, checkpoints=checkpoints, notice=notice)
    return plain, f"trials train one by one with plain fit, since {reason}"


def _own_optimizer(spec: SweepSpec, data: SearchData) -> str | None:
    if spec.model.kind == "dense" or not brings_optimizer(spec, first_model(spec, data)):
        return None
    return "the model brings its own optimizer, whose numbers are constants of a program"
