"""Use the loss, metrics and optimizer that a model compiles itself with, unless the space file overrides them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from keras_sweep.data.labels import LOSS_NEEDS
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import Fault, ModelError, SpaceFileError
from keras_sweep.process.user_objects import display_name, get_changed_arguments, get_keras_loss_name
from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import MEASURED
from keras_sweep.space.sweep_spec import LOSS_OF_OUTPUTS, WATCHING, Output, SweepSpec, list_recorded_names
from keras_sweep.space.text import did_you_mean, itemize, join, quote


def read_compile_arguments(model: Any) -> dict[str, Any]:
    """Return the arguments of a model's `compile` call, or {} if the model is not compiled."""
    config = getattr(model, "_compile_config", None)  # Keras 3.15: `get_compile_config` has only text
    return {} if config is None else dict(config.config)


def own_optimizer(model: Any) -> Any | None:
    """Return a new copy of the optimizer of a compiled model, or None for an uncompiled model."""
    optimizer = getattr(model, "optimizer", None)
    return None if optimizer is None else type(optimizer).from_config(optimizer.get_config())


def choose_jit_on_opening(model: Any) -> None:
    """Let the file of a model say `jit_compile: auto`, so that Keras chooses when the file is opened. Keras 3.15 writes
    the choice for this machine and backend, and JAX's choice makes PyTorch compile for minutes."""
    if config := getattr(model, "_compile_config", None):
        config.config["jit_compile"] = "auto"


def own_arguments(spec: SweepSpec, model: Any, data: SearchData) -> dict[str, Any]:
    """Return the model's arguments of `compile`, without the loss or metrics that the space file sets. If rows have
    sample weights, all metrics are weighted."""
    kwargs = read_compile_arguments(model) if spec.own else {}
    keys = {"loss": ("loss_weights",), "metrics": ("metrics", "weighted_metrics")}
    kwargs |= {name: None for key, names in keys.items() if key not in spec.own for name in names if kwargs}
    if data.weighs and "metrics" in spec.own:
        metrics = kwargs.get("metrics") or kwargs.get("weighted_metrics")
        weighted = metrics if spec.outputs else list(_read_metrics(model).values())
        kwargs |= {"metrics": None, "weighted_metrics": weighted}
    return kwargs


def apply_own_compile(spec: SweepSpec, model: Any, *, trains_itself: bool) -> SweepSpec:
    """Return `spec`, with the model's loss and metrics if the space file names none. A user's loss is called "its own
    NAME". Raises ModelError if neither the model nor the space file has a loss. Raises SpaceFileError if trials are
    ranked by, or callbacks watch, a metric that is not recorded. If the model's `fit` (`trains_itself`) or training
    steps are not Keras's, any metric may be recorded."""
    kwargs, keys_left = read_compile_arguments(model), list(spec.own)
    steps = ("compile", "train_step", "test_step", "metrics", "compute_metrics")
    trains_itself |= any(_is_overridden(model, name) for name in steps)
    if "loss" in keys_left and (loss := kwargs.get("loss")) is not None:
        outputs = _read_outputs(model, kwargs)
        name, arguments = (LOSS_OF_OUTPUTS, {}) if outputs else loss_and_arguments(loss)
        spec = replace(spec, loss=name, loss_arguments=arguments, outputs=outputs)
    elif "loss" in keys_left and not (trains_itself or model.compiled):  # a compiled model may add losses in its layers
        raise ModelError(
            f"`loss` is missing, and {display_name(spec.model.source)} does not compile its model with a loss",
            hint="Set a loss, as in `loss: sparse_categorical_crossentropy`, or call `model.compile(loss=...)`",
        )
    if "loss" in keys_left and spec.objective.name.startswith("val_") and not can_validate(model):
        rule = "can't be measured: the model has its own `train_step`, but no `test_step`, which validation rows need"
        hint = "add a `test_step`, or rank by a training metric, as in `metric: {name: loss, goal: minimize}`"
        raise SpaceFileError(spec.file, [Fault(rule, "metric.name", hint=hint)])
    metrics = _read_metrics(model)
    if "metrics" in keys_left:
        by_name = {} if spec.outputs else metrics
        arguments_of = {name: arguments for name, part in by_name.items() if (arguments := get_changed_arguments(part))}
        spec = replace(spec, metrics=(*by_name, *list_recorded_names(spec.outputs)), metric_arguments=arguments_of)
    recorded = [f"val_{name}" for name in ("loss", *spec.metrics)]
    further = [goal.name for goal in spec.objective.further if goal.name not in MEASURED]
    monitored = {"metric.name": spec.objective.name, **{f"metric.{name}": name for name in further}}
    for section in (key for key in WATCHING if getattr(spec.training, key) is not None):
        monitored[f"training.{section}.monitor"] = getattr(spec.training, section).monitor
    for key, name in monitored.items():
        names = recorded + [metric.removeprefix("val_") for metric in recorded if not key.startswith("metric.")]
        if name not in names and not trains_itself:
            rule = f"must be a recorded metric ({join(names)}), but got {quote(name)}"
            raise SpaceFileError(spec.file, [Fault(rule, key, hint=did_you_mean(name, names))])
    return replace(spec, own=tuple(key for key in keys_left if key == "loss" or metrics))


def can_validate(model: Any) -> bool:
    """Return whether `evaluate` gives a loss. If only `train_step` is the user's, Keras's `test_step` may have none."""
    steps = [name for name in ("train_step", "test_step", "compute_loss") if _is_overridden(model, name)]
    return steps != ["train_step"] or getattr(model, "loss", None) is not None or bool(model.losses)


def _is_overridden(model: Any, name: str) -> bool:
    import keras

    return getattr(type(model), name) is not getattr(keras.Model, name)


def own_loss(model: Any) -> str:
    """Describe the loss that a model compiles itself with; "" without a loss. Equal losses give equal texts."""
    arguments = read_compile_arguments(model)
    loss, weights = arguments.get("loss"), arguments.get("loss_weights")
    output_losses = [(output.loss, output.loss_arguments) for output in _read_outputs(model, arguments).values()]
    losses = output_losses or ([] if loss is None else [loss_and_arguments(loss)])
    text = join([f"{name} with {dict(keywords)}" if keywords else name for name, keywords in losses])
    return f"{text} weighed by {weights}" if text and weights else text


def check_losses(spec: SweepSpec, losses: Iterable[str]) -> None:
    """Raise SpaceFileError if `losses` (see `own_loss`) differ, and trials are ranked by their models' own losses."""
    ranks_by_own = "loss" in spec.own and spec.objective.name in ("loss", "val_loss")
    kinds = [*dict.fromkeys(filter(None, losses))] if ranks_by_own else []
    if len(kinds) > 1:
        rule = f"can't rank trials of different losses, but models compile themselves with {kinds[0]} or {kinds[1]}"
        hint = "rank by a metric such as `val_accuracy`, or set the same `loss` for all trials"
        raise SpaceFileError(spec.file, [Fault(rule, "metric.name", hint=hint)])


def list_outputs(model: Any, outputs: Any) -> list[str]:
    """Return the names by which Keras logs several `outputs`, in Keras's order, or [] for a single tensor."""
    if isinstance(outputs, dict):
        return sorted(outputs)
    is_list = isinstance(outputs, list | tuple)
    return list(map(str, getattr(model, "output_names", None) or range(len(outputs)))) if is_list else []


def _read_outputs(model: Any, kwargs: Mapping[str, Any]) -> dict[str, Output]:
    """Return output name -> loss and metrics in the model's compile arguments `kwargs`, or {} for a single output."""
    names = list_outputs(model, getattr(model, "output", None))

    def select(part: Any, name: str) -> Any:
        if isinstance(part, Mapping):
            return part.get(name)
        return part[names.index(name)] if isinstance(part, list | tuple) and len(part) == len(names) else part

    outputs = {}
    for name in names if len(names) > 1 else ():
        metrics = _name_metrics([select(kwargs.get(key), name) for key in ("metrics", "weighted_metrics")])
        arguments_of = {
            metric: arguments for metric, part in metrics.items() if (arguments := get_changed_arguments(part))
        }
        loss = select(kwargs.get("loss"), name)
        loss_parts = ("", {}) if loss is None else loss_and_arguments(loss)
        outputs[name] = Output(*loss_parts, tuple(metrics), arguments_of, own=True)
    return outputs


def list_overrides(spec: SweepSpec, model: Any) -> Iterator[str]:
    """Yield a notice for each of the model's own loss, metrics and optimizer that the space file overrides."""
    compiles = f"{display_name(spec.model.source)} compiles its model with the"
    loss, optimizer = getattr(model, "loss", None), getattr(model, "optimizer", None)
    if "loss" not in spec.own and loss is not None:
        name, arguments = loss_and_arguments(loss)
        if (name, arguments) != (spec.loss, {**spec.loss_arguments}):
            more = f" with {', '.join(f'{key}={value!r}' for key, value in arguments.items())}" if arguments else ""
            yield f"{compiles} loss {name}{more}, which has no effect: `loss: {spec.loss}` is used"
    ignored = [] if "metrics" in spec.own else [name for name in _read_metrics(model) if name not in spec.metrics]
    if ignored:
        yield f"{compiles} metrics {itemize(ignored)}, which have no effect: the space file's `metrics` are used"
    if optimizer is not None and "optimizer" in spec.space.names:
        no_effect = "which has no effect: the space file's `optimizer` is used"
        yield f"{compiles} optimizer {type(optimizer).__name__}, {no_effect}"


def plain_parts(spec: SweepSpec, model: Any) -> tuple[str, dict[str, Value]] | str:
    """Return (name, arguments) of the optimizer that a trial's model compiles itself with. Lanes need an optimizer of
    Keras with numbers as arguments, and the sweep's loss and metrics. If the model can't train in lanes, return the
    reason, like "a loss of its own"."""
    import keras

    kwargs, optimizer = read_compile_arguments(model), model.optimizer
    if type(model).compile is not keras.Model.compile:
        return "a `compile` of its own"
    if "loss" in spec.own:
        expected = (spec.loss, {**spec.loss_arguments})
        # Lanes minimize the mean over rows: a weight or another reduction does not fit.
        is_sum = kwargs.get("loss_weights") or "reduction" in spec.loss_arguments
        if is_sum or spec.loss not in LOSS_NEEDS or loss_and_arguments(kwargs.get("loss")) != expected:
            return "a loss of its own"
    metrics = list(_read_metrics(model).values()) if "metrics" in spec.own else list(spec.metrics)
    if len(metrics) != len(spec.metrics) or not all(map(partial(_is_named, spec), spec.metrics, metrics)):
        return "metrics of its own"
    name = type(optimizer).__name__
    if getattr(keras.optimizers, name, None) is not type(optimizer):
        return f"{name}, an optimizer of its own"
    config = {key: value for key, value in optimizer.get_config().items() if key != "name"}
    if not all(value is None or isinstance(value, int | float) for value in config.values()):
        return "a schedule of its own"
    return name.lower(), {"learning_rate": config["learning_rate"], **get_changed_arguments(optimizer)}


def _is_named(spec: SweepSpec, name: str, metric: Any) -> bool:
    """Return whether `metric`, from the model's `compile`, equals the metric `name` with the file's arguments."""
    import keras

    arguments = {**spec.metric_arguments.get(name, {})}
    with suppress(ValueError):  # Keras has no metric of that name
        is_same_type = type(keras.metrics.get({"class_name": name, "config": arguments})) is type(metric)
        return metric == name or (is_same_type and get_changed_arguments(metric) == arguments)
    return False


def loss_and_arguments(loss: Any) -> tuple[str, dict[str, Any]]:
    """Return (Keras's name, non-default arguments) of a loss. A user's own loss gives ("its own NAME", {})."""
    import keras

    if isinstance(loss, str) and loss not in LOSS_NEEDS:
        loss = keras.losses.get(loss)
    name = loss if isinstance(loss, str) else get_keras_loss_name(loss)
    if name in LOSS_NEEDS:
        return name, get_changed_arguments(loss)
    return f"its own {getattr(getattr(loss, 'fn', loss), '__name__', type(loss).__name__)}", {}


def _read_metrics(model: Any) -> dict[str, Any]:
    """Return name (as in Keras's logs) -> metric, for all metrics that a model compiles itself with."""
    arguments = read_compile_arguments(model)
    return _name_metrics([arguments.get("metrics"), arguments.get("weighted_metrics")])


def _name_metrics(metrics: Any) -> dict[str, Any]:
    import keras

    parts = keras.tree.flatten(metrics)
    return {str(getattr(part, "name", getattr(part, "__name__", part))): part for part in parts if part is not None}
