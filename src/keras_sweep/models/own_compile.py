"""What a model compiles itself with: its loss and metrics where the space names none, and what the space overrides."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from keras_sweep.data.labels import LOSS_NEEDS
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import Fault, ModelError, SpaceFileError
from keras_sweep.process.given import loss_of_keras, name_of, unusual_arguments
from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import MEASURED
from keras_sweep.space.sweep_spec import LOSS_OF_OUTPUTS, WATCHING, Output, SweepSpec, list_recorded_names
from keras_sweep.space.text import did_you_mean, itemize, join, quote


def read_compile_arguments(model: Any) -> dict[str, Any]:
    """The arguments of the `compile` that it called, as they were given; {} for one that is not compiled."""
    config = getattr(model, "_compile_config", None)  # Keras 3.15: `get_compile_config` has them as text alone
    return {} if config is None else dict(config.config)


def own_optimizer(model: Any) -> Any | None:
    """A fresh optimizer like the one a model was compiled with in its `build`; None for an uncompiled model."""
    optimizer = getattr(model, "optimizer", None)
    return None if optimizer is None else type(optimizer).from_config(optimizer.get_config())


def choose_jit_on_opening(model: Any) -> None:
    """Have the file of a model say `jit_compile: auto`. Keras 3.15 writes what that is on this machine, and what suits
    JAX makes PyTorch compile for minutes."""
    if config := getattr(model, "_compile_config", None):
        config.config["jit_compile"] = "auto"


def own_arguments(spec: SweepSpec, model: Any, data: SearchData) -> dict[str, Any]:
    """Of these what the space leaves to the model. Rows that weigh unlike do so in all metrics."""
    given = read_compile_arguments(model) if spec.own else {}
    left = {"loss": ("loss_weights",), "metrics": ("metrics", "weighted_metrics")}
    given |= {name: None for key, names in left.items() if key not in spec.own for name in names if given}
    if data.weighs and "metrics" in spec.own:
        of_outputs = given.get("metrics") or given.get("weighted_metrics")
        weighted = of_outputs if spec.outputs else list(_read_metrics(model).values())
        given |= {"metrics": None, "weighted_metrics": weighted}
    return given


def apply_own_compile(spec: SweepSpec, model: Any, *, trains_itself: bool) -> SweepSpec:
    """The sweep with the loss and the metrics of its model where it names none; a loss of the user's is "its own NAME".

    Raises ModelError where neither of them has a loss, and SpaceFileError where the metric that ranks is none of these
    and the model's steps and its `fit` are Keras's.
    """
    given, own = read_compile_arguments(model), list(spec.own)
    steps = ("compile", "train_step", "test_step", "metrics", "compute_metrics")
    trains_itself |= any(_is_own(model, name) for name in steps)
    if "loss" in own and (loss := given.get("loss")) is not None:
        outputs = _read_outputs(model, given)
        name, arguments = (LOSS_OF_OUTPUTS, {}) if outputs else loss_and_arguments(loss)
        spec = replace(spec, loss=name, loss_arguments=arguments, outputs=outputs)
    elif "loss" in own and not (trains_itself or model.compiled):  # without one it may still add losses
        raise ModelError(
            f"there is no loss: the space names none, and {name_of(spec.model.source)} does not compile its model",
            hint="Give a `loss`, as in `loss: sparse_categorical_crossentropy`, or call `model.compile(loss=...)`",
        )
    if "loss" in own and spec.objective.name.startswith("val_") and not can_validate(model):
        rule = "has no value: the model has a `train_step` of its own, but no `test_step`, which validation rows need"
        hint = "write one, or rank by a metric of training, as in `metric: {name: loss, goal: minimize}`"
        raise SpaceFileError(spec.file, [Fault(rule, "metric.name", hint=hint)])
    metrics = _read_metrics(model)
    if "metrics" in own:
        whole = {} if spec.outputs else metrics
        arguments_of = {name: arguments for name, one in whole.items() if (arguments := unusual_arguments(one))}
        spec = replace(spec, metrics=(*whole, *list_recorded_names(spec.outputs)), metric_arguments=arguments_of)
    recorded = [f"val_{name}" for name in ("loss", *spec.metrics)]
    further = [one.name for one in spec.objective.further if one.name not in MEASURED]
    named = {"metric.name": spec.objective.name, **{f"metric.{name}": name for name in further}}
    for section in (one for one in WATCHING if getattr(spec.training, one) is not None):
        named[f"training.{section}.monitor"] = getattr(spec.training, section).monitor
    for key, name in named.items():
        recorded += [one.removeprefix("val_") for one in recorded] if not key.startswith("metric.") else []
        if name not in recorded and not trains_itself:
            rule = f"must be one that is recorded ({join(recorded)}), but got {quote(name)}"
            raise SpaceFileError(spec.file, [Fault(rule, key, hint=did_you_mean(name, recorded))])
    return replace(spec, own=tuple(one for one in own if one == "loss" or metrics))


def can_validate(model: Any) -> bool:
    """Whether `evaluate` works: not with a `train_step` of the user's, beside which Keras's `test_step` has no loss."""
    steps = [name for name in ("train_step", "test_step", "compute_loss") if _is_own(model, name)]
    return steps != ["train_step"] or getattr(model, "loss", None) is not None or bool(model.losses)


def _is_own(model: Any, name: str) -> bool:
    import keras

    return getattr(type(model), name) is not getattr(keras.Model, name)


def own_loss(model: Any) -> str:
    """The loss with which a model compiles itself, in words that are the same where it is; "" without one."""
    given = read_compile_arguments(model)
    loss, weights = given.get("loss"), given.get("loss_weights")
    of_outputs = [(one.loss, one.loss_arguments) for one in _read_outputs(model, given).values()]
    of_each = of_outputs or ([] if loss is None else [loss_and_arguments(loss)])
    words = join([f"{name} with {dict(arguments)}" if arguments else name for name, arguments in of_each])
    return f"{words} weighed by {weights}" if words and weights else words


def check_losses(spec: SweepSpec, losses: Iterable[str]) -> None:
    """See that `own_loss` of all trials is the same, where they rank by it. Raises SpaceFileError."""
    ranks_by_own = "loss" in spec.own and spec.objective.name in ("loss", "val_loss")
    kinds = [*dict.fromkeys(filter(None, losses))] if ranks_by_own else []
    if len(kinds) > 1:
        rule = (
            f"can't rank trials of different losses, and models compile themselves with {kinds[0]}, or with {kinds[1]}"
        )
        hint = "rank by a metric, as by `val_mae` or `val_accuracy`, or name one `loss` for all trials"
        raise SpaceFileError(spec.file, [Fault(rule, "metric.name", hint=hint)])


def list_outputs(model: Any, outputs: Any) -> list[str]:
    """The names of several outputs by which Keras logs them, in its order; [] of one."""
    if isinstance(outputs, dict):
        return sorted(outputs)
    of_list = isinstance(outputs, list | tuple)
    return list(map(str, getattr(model, "output_names", None) or range(len(outputs)))) if of_list else []


def _read_outputs(model: Any, given: Mapping[str, Any]) -> dict[str, Output]:
    """What a model of several outputs compiles itself with of each; {} of one output."""
    names = list_outputs(model, getattr(model, "output", None))

    def of(part: Any, name: str) -> Any:
        if isinstance(part, Mapping):
            return part.get(name)
        return part[names.index(name)] if isinstance(part, list | tuple) and len(part) == len(names) else part

    found = {}
    for name in names if len(names) > 1 else ():
        metrics = _name_metrics([of(given.get(key), name) for key in ("metrics", "weighted_metrics")])
        arguments_of = {metric: arguments for metric, one in metrics.items() if (arguments := unusual_arguments(one))}
        loss = of(given.get("loss"), name)
        known = ("", {}) if loss is None else loss_and_arguments(loss)
        found[name] = Output(*known, tuple(metrics), arguments_of, own=True)
    return found


def list_overrides(spec: SweepSpec, model: Any) -> Iterator[str]:
    """What a model compiles itself with and the space names itself, and which optimizer is used."""
    compiles = f"{name_of(spec.model.source)} compiles its model with the"
    loss, optimizer = getattr(model, "loss", None), getattr(model, "optimizer", None)
    if "loss" not in spec.own and loss is not None:
        name, arguments = loss_and_arguments(loss)
        if (name, arguments) != (spec.loss, {**spec.loss_arguments}):
            more = f" with {', '.join(f'{key}={value!r}' for key, value in arguments.items())}" if arguments else ""
            yield f"{compiles} loss {name}{more}, which has no effect: `loss: {spec.loss}` counts"
    ignored = [] if "metrics" in spec.own else [name for name in _read_metrics(model) if name not in spec.metrics]
    if ignored:
        yield f"{compiles} metrics {itemize(ignored)}, which have no effect: the space file's `metrics` are recorded"
    no_effect = "has no effect: the space file's `optimizer` is used"
    use = no_effect if "optimizer" in spec.space.names else "is used: the space names no optimizer"
    if optimizer is not None:
        yield f"{compiles} optimizer {type(optimizer).__name__}, which {use}"


def plain_parts(spec: SweepSpec, model: Any) -> tuple[str, dict[str, Value]] | str:
    """Keras's name and the arguments of the optimizer with which a trial's model compiles itself.

    Or what of it is another than the sweep's, or is none of Keras's with numbers for arguments.
    """
    import keras

    given, optimizer = read_compile_arguments(model), model.optimizer
    if type(model).compile is not keras.Model.compile:
        return "a `compile` of its own"
    if "loss" in spec.own:
        known = (spec.loss, {**spec.loss_arguments})
        summed = given.get("loss_weights") or "reduction" in spec.loss_arguments  # lanes take the mean of rows
        if summed or spec.loss not in LOSS_NEEDS or loss_and_arguments(given.get("loss")) != known:
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
    return name.lower(), {"learning_rate": config["learning_rate"], **unusual_arguments(optimizer)}


def _is_named(spec: SweepSpec, name: str, metric: Any) -> bool:
    """Whether Keras makes the metric by that name, with the arguments that the sweep has."""
    import keras

    arguments = {**spec.metric_arguments.get(name, {})}
    with suppress(ValueError):  # Keras has no metric of that name
        same = type(keras.metrics.get({"class_name": name, "config": arguments})) is type(metric)
        return metric == name or (same and unusual_arguments(metric) == arguments)
    return False


def loss_and_arguments(loss: Any) -> tuple[str, dict[str, Any]]:
    """Keras's name of a loss, by the function that it calls, and its arguments that are not the usual ones."""
    import keras

    if isinstance(loss, str) and loss not in LOSS_NEEDS:
        loss = keras.losses.get(loss)
    name = loss if isinstance(loss, str) else loss_of_keras(loss)
    if name in LOSS_NEEDS:
        return name, unusual_arguments(loss)
    return f"its own {getattr(getattr(loss, 'fn', loss), '__name__', type(loss).__name__)}", {}


def _read_metrics(model: Any) -> dict[str, Any]:
    """Those that a model compiles itself with, by the names by which Keras logs them."""
    given = read_compile_arguments(model)
    return _name_metrics([given.get("metrics"), given.get("weighted_metrics")])


def _name_metrics(metrics: Any) -> dict[str, Any]:
    import keras

    parts = keras.tree.flatten(metrics)
    return {str(getattr(one, "name", getattr(one, "__name__", one))): one for one in parts if one is not None}
