"""Create the losses and metrics for `compile`, and compute the weights of training rows in the loss."""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.arrays import Array
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import ModelError, UsageError
from keras_sweep.process.user_code import guard_user_code, load_python
from keras_sweep.process.user_objects import display_name
from keras_sweep.space.data_spec import TargetScale
from keras_sweep.space.distributions import Value
from keras_sweep.space.sweep_spec import ClassWeight, SweepSpec, is_user_function
from keras_sweep.space.text import did_you_mean, join, quote

LEAST = 1e-6  # smallest 1 + value that `log` transforms


def compile_arguments(spec: SweepSpec, arguments: Mapping[str, Value], data: SearchData) -> dict[str, Any]:
    """Return the arguments of `compile`, except the optimizer and what the model's own `compile` supplies.

    `arguments`: the trial's values for the loss's own arguments. Raises ModelError if a loss or metric rejects them.
    """
    result: dict[str, Any] = {}
    if "loss" not in spec.own:
        losses = {name: make_loss(spec.output(name), output.loss_arguments) for name, output in spec.outputs.items()}
        result["loss"] = losses or make_loss(spec, arguments)
        weights = {name: 1.0 if output.weight is None else output.weight for name, output in spec.outputs.items()}
        if set(weights.values()) - {1.0}:
            result["loss_weights"] = weights
    return {**result, **metrics_argument(spec, data)}


def metrics_argument(spec: SweepSpec, data: SearchData) -> dict[str, Any]:
    """Return {"metrics": ...}, or {"weighted_metrics": ...} if rows have weights; {} if the model has its own."""
    if "metrics" in spec.own:
        return {}
    outputs = {name: spec.output(name) for name, output in spec.outputs.items() if output.metrics}
    by_name: Any = {
        name: [make_metric(output, metric) for metric in output.metrics] for name, output in outputs.items()
    }
    metrics = by_name if spec.outputs else [make_metric(spec, name) for name in spec.metrics]
    return {"weighted_metrics" if data.weighs else "metrics": metrics}


MEAN, WEIGHTED_MEAN, SUM = "sum_over_batch_size", "mean_with_sample_weight", "sum"  # reductions, by Keras's names


def find_reduction(spec: SweepSpec, arguments: Mapping[str, Value]) -> str:
    """Return how the loss, created with `arguments`, joins the values of a batch. Keras's "mean" is `MEAN`, too."""
    reduction = getattr(make_loss(spec, arguments), "reduction", MEAN)
    return MEAN if reduction == "mean" else str(reduction)


def make_loss(spec: SweepSpec, arguments: Mapping[str, Value]) -> Any:
    """Return the loss for `compile`, created with `arguments`. Raises ModelError if the loss does not accept these.

    If the space transforms the target, the loss takes targets and outputs in original units, and transforms both.
    """
    is_name = not arguments and not is_user_function(spec.loss)
    loss = spec.loss if is_name else _load_loss(spec.loss, tuple(sorted(arguments.items())), spec.folder)
    return loss if spec.scale is None else _make_transformed_loss(loss, spec.scale)


@cache
def _make_transformed_loss(loss: Any, scale: TargetScale) -> Callable[[Any, Any], Any]:
    import keras
    from keras import ops

    resolved = keras.losses.get(loss) if isinstance(loss, str) else loss
    function = getattr(resolved, "call", resolved)

    def loss_of_transformed(*targets_and_outputs: Any) -> Any:
        pair = [ops.cast(values, "float32") for values in targets_and_outputs]
        if scale.transform == "log":
            return function(*(ops.log1p(ops.maximum(values, -1 + LEAST)) for values in pair))
        return function(*((values - scale.mean) / scale.deviation for values in pair))

    return loss_of_transformed


@cache
def _load_loss(name: str, arguments: tuple[tuple[str, Value], ...], folder: Path) -> Any:
    import keras

    if is_user_function(name):
        return make_from_source(name, dict(arguments), folder)
    function = keras.losses.get(name)
    for kind in vars(keras.losses).values():
        is_loss = isinstance(kind, type) and issubclass(kind, keras.losses.Loss) and kind is not keras.losses.Loss
        if is_loss and getattr(kind(), "fn", None) is function:
            return _construct(kind, name, dict(arguments))
    raise ModelError(f"the loss {name!r} has no arguments in Keras {keras.__version__}", hint="Leave out its arguments")


def make_metric(spec: SweepSpec, name: str) -> Any:
    """Return `name`, or a metric object of this name if it has arguments. Raises ModelError for wrong arguments."""
    import keras

    arguments = spec.metric_arguments.get(name)
    if arguments is None:
        return name
    config = {key: list(value) if isinstance(value, tuple) else value for key, value in arguments.items()}
    if "python" not in arguments:
        return _construct(
            lambda **kwargs: keras.metrics.get({"class_name": name, "config": kwargs}), name, {**config, "name": name}
        )
    source = str(config.pop("python"))
    metric = make_from_source(source, config, spec.folder)
    if getattr(metric, "name", name) != name and isinstance(load_python(source, spec.folder, ModelError), type):
        metric = make_from_source(source, {**config, "name": name}, spec.folder)
    if not isinstance(metric, keras.metrics.Metric):
        return keras.metrics.MeanMetricWrapper(metric, name=name)
    if metric.name != name:
        raise ModelError(
            f"the metric {display_name(source)} must be named {name!r}, but got {metric.name!r}",
            hint=f"Create it with `name={name!r}`",
        )
    return metric


def _construct(make: Callable[..., Any], name: str, arguments: Mapping[str, Any]) -> Any:
    try:
        return make(**arguments)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{name!r} does not accept {dict(arguments)}: {error}") from error


def make_from_source(source: str, arguments: Mapping[str, Any], folder: Path) -> Any:
    """Return the user's loss or metric `source` ("module:name") from `folder`. Raises ModelError if that fails.

    If `source` is a class or a factory, this returns the result of its call with `arguments`.
    """
    value: Any = load_python(source, folder, ModelError)
    if isinstance(value, type) or arguments or _needs_no_arguments(value):
        with guard_user_code(f"calling {display_name(source)} with {dict(arguments)} failed", folder, ModelError):
            value = value(**arguments)
    if not callable(value):
        raise ModelError(
            f"{display_name(source)} must be or return a loss or metric, but got {type(value).__name__}",
            hint="Name a function of `y_true` and `y_pred`, a Keras class, or a function that returns either",
        )
    return value


def _needs_no_arguments(function: Any) -> bool:
    """Return whether the function can be called without labels and outputs, and so must be a factory."""
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return False
    return True


def make_row_function(spec: SweepSpec, metric: str, arguments: Mapping[str, Value]) -> Callable[[Any, Any], Any] | None:
    """Return a function (labels, outputs) -> value of `metric` ("val_loss") for each row.

    `arguments`: the loss's own arguments. Returns None for a name that Keras knows, and for an object of a metric
    class.
    """
    import keras

    name = metric.removeprefix("val_")
    own = dict(spec.metric_arguments.get(name, {}))
    if name == "loss":
        function = make_loss(spec, arguments)
    else:
        function = make_from_source(str(own.pop("python")), own, spec.folder) if "python" in own else None
    is_named = function is None or isinstance(function, str | keras.metrics.Metric)
    return None if is_named else getattr(function, "call", function)


def class_weights(class_weight: ClassWeight, data: SearchData) -> dict[int, float] | None:
    """Return class number -> weight for `fit(class_weight=...)`; None if all classes count the same.

    "balanced" weighs a class by N / (C n): N training rows, C classes, n rows of the class. Source: King and Zeng 2001,
    "Logistic regression in rare events data", as in scikit-learn. Raises UsageError if the labels are not classes, a
    class does not exist, or rows have sample weights.
    """
    if class_weight is None:
        return None
    if data.weighs:
        raise UsageError("Keras can't combine `class_weight` with sample weights", hint="Multiply the weights yourself")
    classes = _read_classes(data)
    if class_weight == "balanced":
        numbers, counts = np.unique(classes, return_counts=True)
        weights = len(classes) / (len(numbers) * counts)
        return {int(number): float(weight) for number, weight in zip(numbers, weights, strict=True)}
    names = {name: number for number, name in enumerate(data.class_names or ())}
    columns = data.train.y.shape[1] if data.train.y.ndim == 2 else 1  # of several yes/no columns, the first yes counts
    count, weights_by_number = max(data.classes or columns, 2), {}
    are_numbers = not any(map(str.isdecimal, names))  # otherwise a number is a class's name, not its index
    for name, weight in class_weight.items():
        number = names.get(str(name), int(name) if are_numbers and str(name).isdecimal() else None)
        if not isinstance(number, int) or not 0 <= number < count:
            known_classes = join(names) if names else f"0 to {count - 1}"
            raise UsageError(
                f"`class_weight` names the class {quote(name)}, but the classes of {data.name} are {known_classes}",
                hint=did_you_mean(name, names) or "Name it as in the labels",
            )
        weights_by_number[number] = float(weight)
    return weights_by_number


def check_class_weights(spec: SweepSpec, data: SearchData) -> None:
    """Check that the data support all class weights that trials may use. Raises UsageError like `class_weights`."""
    is_searched = "training.class_weight" in spec.space.names
    for class_weight in (spec.training.class_weight, "balanced" if is_searched else None):
        class_weights(class_weight, data)


def row_weights(class_weight: ClassWeight, data: SearchData) -> Array | None:
    """Return [N], each training row's weight by `class_weight`, else its sample weight; None: all count the same."""
    weights = class_weights(class_weight, data)
    if weights is None:
        return data.train.weights
    return np.array([weights.get(int(number), 1.0) for number in _read_classes(data)], np.float32)


def _read_classes(data: SearchData) -> Array:
    y: Array = data.train.y
    if isinstance(y, dict | tuple):
        raise UsageError("Keras can't combine `class_weight` with several outputs", hint="Use `sample_weight`")
    if data.classes is None and not set(np.unique(y)) <= {0, 1}:
        raise UsageError(
            f"`class_weight` needs classes, but the labels of {data.name} are numbers", hint="Leave it out"
        )
    return y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)
