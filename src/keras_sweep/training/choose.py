"""Choose the runner of a sweep: compiled lanes if model, data and backend allow them, otherwise plain `fit`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import UsageError
from keras_sweep.models.inspect_model import draw_models
from keras_sweep.models.own_compile import plain_parts
from keras_sweep.process.backend import DISTRIBUTION, LIMITS, how_to_set, keras_config
from keras_sweep.search.engines import find_sampler
from keras_sweep.space.plugins import Plugins
from keras_sweep.space.sweep_spec import SCHEDULE, SweepSpec
from keras_sweep.space.variants import get_data_space
from keras_sweep.training.build_trial import brings_optimizer, fits_itself
from keras_sweep.training.row_values import find_pooled_metrics, is_mean_over_rows
from keras_sweep.training.runner import Runner
from keras_sweep.training.workers.pool import Pool

PACED_RULES = ("halving", "hyperband", "successive_halving")  # compare values at a rung alone


class MakeRunner(Protocol):
    """A callable that creates a runner. If you register it as "fit", its runners' `name` must begin with "fit"."""

    def __call__(
        self,
        spec: SweepSpec,
        data: SearchData,
        *,
        checkpoints: Path | None = None,  # the folder for checkpoints; None writes none
        notice: Callable[[str], None] = lambda _: None,  # receives a sentence for the user
        workers: Pool | None = None,  # passed only if the user asks for workers; None trains in this process
    ) -> Runner:
        """Create a runner. Raises UsageError if the runner can't train the sweep; SweepError if the workers can't."""


def choose_runner(spec: SweepSpec, data: SearchData, choice: str | None, **options: Any) -> tuple[Runner, str | None]:
    """Return (runner, reason). `reason` says why `fit` was chosen; None if trials train compiled or `choice` is set.

    `choice` is a name in `RUNNERS`; None uses the compiled runner if it can train the sweep, else `fit`. `options` are
    keyword arguments of `MakeRunner`. An option that is None is left out, because a plugin's runner may not know it.
    Raises UsageError if the chosen runner can't train the sweep, or the folds' objectives can't be combined.
    """
    name = spec.objective.name
    if data.folds and not is_mean_over_rows(spec, name) and not find_pooled_metrics(spec):
        raise UsageError(
            f"with `folds`, trials can't be ranked by {name}: its values on the folds can't be combined",
            hint="Rank by a metric of `metrics`, or leave out `folds`",
        )
    reason = _why_not_compiled(spec, data) if choice is None else None
    make = _make_lane_runner if choice is None and reason is None else RUNNERS.find(choice or "fit")
    options = {name: value for name, value in options.items() if value is not None}
    runner = make(spec, data.with_seeds(spec.search.seeds), **options)
    runner.generation = spec.search.generation or runner.generation
    if spec.search.pace and (obstacle := why_no_pace(spec, runner)) is not None:
        raise UsageError(f"`search.pace` can't be used: {obstacle}", hint="Leave it out")
    return runner, None if reason is None or spec.function else f"trials train one by one with `fit`: {reason}"


def why_no_pace(spec: SweepSpec, runner: Runner) -> str | None:
    rule = spec.early_terminate.type if spec.early_terminate is not None else ""
    obstacles = {
        f"`sampler: {spec.search.sampler}` waits for all results": not find_sampler(spec.search).draws_early,
        f"`type: {rule}` compares with trials that have ended": rule not in ("", *PACED_RULES),
        "`search.stop` looks at whole generations": spec.search.stop is not None,
        "`where` limits `parameters`, and models can't be counted while others train": spec.space.limits_weights,
        "trials differ in their data": get_data_space(spec.space).size > 1,
        f"trials train by {runner.name}": not runner.joins,
    }
    return next((words for words, is_so in obstacles.items() if is_so), None)


def _make_compiled_runner(spec: SweepSpec, data: SearchData, **options: Any) -> Runner:
    reason = _why_not_compiled(spec, data)
    if reason is not None:
        raise UsageError(f"the compiled runner can't be used: {reason}", hint="Leave out `--runner compiled`")
    return _make_lane_runner(spec, data, **options)


def _make_lane_runner(spec: SweepSpec, data: SearchData, **options: Any) -> Runner:
    from keras_sweep.training.lanes.runner import CompiledRunner

    return CompiledRunner(spec, data, keep_states=find_sampler(spec.search).sets_epochs, **options)


def _why_not_compiled(spec: SweepSpec, data: SearchData) -> str | None:
    import keras

    if spec.training.callbacks or spec.function:
        return f"only `fit` calls your {'objective' if spec.function else 'callbacks'}"
    if isinstance(data.train.y, dict | tuple):
        return "the model has several outputs"
    if data.stream is not None:
        return "only `fit` reads a dataset batch by batch"
    if fits_itself(spec):
        return "the HyperModel has its own `fit`"
    if data.folds and find_pooled_metrics(spec):
        return f"{spec.objective.name} over all folds needs the models' outputs after every epoch"
    if (unsupported := _find_unsupported_part(spec, data)) is not None:
        return f"the model has {unsupported}"
    if SCHEDULE.intersection(spec.space.names) and keras_config()["dtype_policy"] == "mixed_float16":
        return "with `mixed_float16`, Keras skips steps that overflow, which delays a trial's schedule"
    if settings := {*LIMITS, DISTRIBUTION} & keras_config().keys():
        return f"only `fit` follows Keras's setting `{'`, `'.join(sorted(settings))}`"
    if (backend := keras.backend.backend()) != "jax":
        return f"the backend is {backend}, not jax ({how_to_set('jax')})"
    from keras_sweep.training.lanes.lane_support import why_not_lanes  # which imports JAX

    return why_not_lanes(spec, data)


def _find_unsupported_part(spec: SweepSpec, data: SearchData) -> str | None:
    if spec.model.kind == "dense" or not (spec.own or brings_optimizer(spec, data)):
        return None
    parts = (plain_parts(spec, model) for model in draw_models(spec, data))
    return next((part for part in parts if isinstance(part, str)), None)


FIT = "keras_sweep.training.fit.runner:FitRunner"
RUNNERS: Plugins[MakeRunner] = Plugins("runner", "keras_sweep.runners", {"compiled": _make_compiled_runner, "fit": FIT})
