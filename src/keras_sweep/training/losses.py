"""Losses and metrics as `compile` takes them: by Keras's names, Keras's objects with arguments, or the user's own.

And what each training row counts in the loss: its own weight, or its class's.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.arrays import Array
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import ModelError, UsageError
from keras_sweep.process.given import name_of
from keras_sweep.process.user_code import load_python, user_code
from keras_sweep.space.data_spec import TargetScale
from keras_sweep.space.distributions import Value
from keras_sweep.space.sweep_spec import ClassWeight, SweepSpec, is_own
from keras_sweep.space.text import join, nearest, quote

LEAST = 1e-6  # above -1, of which there is no logarithm of 1 + it


def compile_arguments(spec: SweepSpec, arguments: Mapping[str, Value], data: SearchData) -> dict[str, Any]:
    """What `compile` takes beside the optimizer, for a trial whose loss has these arguments; without the model's own.

    Raises ModelError: Keras does not take them, or the user's own can't be made.
    """
    given: dict[str, Any] = {}
    if "loss" not in spec.own:
        of_each = {name: make_loss(spec.output(name), one.loss_arguments) for name, one in spec.outputs.items()}
        given["loss"] = of_each or make_loss(spec, arguments)
        weights = {name: 1.0 if output.weight is None else output.weight for name, output in spec.outputs.items()}
        if set(weights.values()) - {1.0}:
            given["loss_weights"] = weights
    return {**given, **metrics_argument(spec, data)}


def metrics_argument(spec: SweepSpec, data: SearchData) -> dict[str, Any]:
    """The metrics. If rows weigh unlike they are `weighted_metrics`: Keras gives no weights to others."""
    if "metrics" in spec.own:
        return {}
    alone = {name: spec.output(name) for name, output in spec.outputs.items() if output.metrics}
    of_each: Any = {name: [make_metric(one, metric) for metric in one.metrics] for name, one in alone.items()}
    found = of_each if spec.outputs else [make_metric(spec, name) for name in spec.metrics]
    return {"weighted_metrics" if data.weighs else "metrics": found}


def make_loss(spec: SweepSpec, arguments: Mapping[str, Value]) -> Any:
    """The loss, of a transformed target what compares it: its name, or the one function or object that has these
    arguments. Raises ModelError."""
    named = not arguments and not is_own(spec.loss)
    loss = spec.loss if named else _load_loss(spec.loss, tuple(sorted(arguments.items())), spec.folder)
    return loss if spec.scale is None else _make_transformed_loss(loss, spec.scale)


@cache
def _make_transformed_loss(loss: Any, scale: TargetScale) -> Callable[[Any, Any], Any]:
    """A loss of each row, of targets and outputs in the target's own units, which are transformed first."""
    import keras
    from keras import ops

    found = keras.losses.get(loss) if isinstance(loss, str) else loss
    function = getattr(found, "call", found)

    def loss_of_transformed(*targets_and_outputs: Any) -> Any:
        pair = [ops.cast(values, "float32") for values in targets_and_outputs]
        if scale.transform == "log":
            return function(*(ops.log1p(ops.maximum(values, -1 + LEAST)) for values in pair))
        return function(*((values - scale.mean) / scale.deviation for values in pair))

    return loss_of_transformed


@cache
def _load_loss(name: str, arguments: tuple[tuple[str, Value], ...], folder: Path) -> Any:
    import keras

    if is_own(name):
        return make_from_source(name, dict(arguments), folder)
    function = keras.losses.get(name)
    for kind in vars(keras.losses).values():
        a_loss = isinstance(kind, type) and issubclass(kind, keras.losses.Loss) and kind is not keras.losses.Loss
        if a_loss and getattr(kind(), "fn", None) is function:
            return _construct(kind, name, dict(arguments))
    raise ModelError(f"Keras {keras.__version__} has no class of the loss {name!r}", hint="Leave out its arguments")


def make_metric(spec: SweepSpec, name: str) -> Any:
    """A metric: its name, or of arguments a new object that is logged by the name. Raises ModelError."""
    import keras

    arguments = spec.metric_arguments.get(name)
    if arguments is None:
        return name
    listed = {key: list(one) if isinstance(one, tuple) else one for key, one in arguments.items()}
    if "python" not in arguments:
        return _construct(
            lambda **given: keras.metrics.get({"class_name": name, "config": given}), name, {**listed, "name": name}
        )
    source = str(listed.pop("python"))
    found = make_from_source(source, listed, spec.folder)
    if getattr(found, "name", name) != name and isinstance(load_python(source, spec.folder, ModelError), type):
        found = make_from_source(source, {**listed, "name": name}, spec.folder)
    if not isinstance(found, keras.metrics.Metric):
        return keras.metrics.MeanMetricWrapper(found, name=name)
    if found.name != name:
        raise ModelError(
            f"the metric {name_of(source)} calls itself {found.name!r}, but is recorded as {name!r}",
            hint=f"Make it with `name={name!r}`",
        )
    return found


def _construct(make: Callable[..., Any], name: str, arguments: Mapping[str, Any]) -> Any:
    try:
        return make(**arguments)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{name!r} does not take {dict(arguments)}: {error}") from error


def make_from_source(source: str, arguments: Mapping[str, Any], folder: Path) -> Any:
    """What the user's `module:function` is, or makes. Raises ModelError."""
    found: Any = load_python(source, folder, ModelError)
    if isinstance(found, type) or arguments or _needs_no_arguments(found):
        with user_code(f"{name_of(source)} can't be made with {dict(arguments)}", folder, ModelError):
            found = found(**arguments)
    if not callable(found):
        raise ModelError(
            f"{name_of(source)} gives a {type(found).__name__}, which is no loss and no metric",
            hint="It is a function of y_true and y_pred, a class of Keras's, or a function that returns a new one",
        )
    return found


def _needs_no_arguments(found: Any) -> bool:
    """Whether it is called without labels and outputs: then it makes what is."""
    try:
        inspect.signature(found).bind()
    except (TypeError, ValueError):
        return False
    return True


def make_row_function(spec: SweepSpec, metric: str, arguments: Mapping[str, Value]) -> Callable[[Any, Any], Any] | None:
    """What gives a metric ("val_loss") for each row of labels and outputs, where its name does not tell.

    `arguments` are those of the loss. None for what has a name of Keras's, and for a metric that is no function.
    """
    import keras

    name = metric.removeprefix("val_")
    own = dict(spec.metric_arguments.get(name, {}))
    if name == "loss":
        found = make_loss(spec, arguments)
    else:
        found = make_from_source(str(own.pop("python")), own, spec.folder) if "python" in own else None
    known = found is None or isinstance(found, str | keras.metrics.Metric)
    return None if known else getattr(found, "call", found)


def class_weights(wanted: ClassWeight, data: SearchData) -> dict[int, float] | None:
    """The weight of each class by its number, as `fit(class_weight=...)` takes it; None: all count the same.

    "balanced" weighs a class by the number of training rows over that of the classes and of its own rows: King and Zeng
    2001, "Logistic regression in rare events data", as scikit-learn has it.

    Raises UsageError: the labels are no classes, there is no such class, or rows have weights of their own.
    """
    if wanted is None:
        return None
    if data.weighs:
        raise UsageError("Keras takes no `class_weight` beside sample weights", hint="Multiply them into these")
    classes = _read_classes(data)
    if wanted == "balanced":
        numbers, counts = np.unique(classes, return_counts=True)
        weights = len(classes) / (len(numbers) * counts)
        return {int(number): float(weight) for number, weight in zip(numbers, weights, strict=True)}
    names = {name: number for number, name in enumerate(data.class_names or ())}
    columns = data.train.y.shape[1] if data.train.y.ndim == 2 else 1  # of yes or no, the first of which is its class
    count, found = max(data.classes or columns, 2), {}
    counted = not any(map(str.isdecimal, names))  # else a number is the name of a class, and not its place
    for name, weight in wanted.items():
        number = names.get(str(name), int(name) if counted and str(name).isdecimal() else None)
        if not isinstance(number, int) or not 0 <= number < count:
            there = join(names) if names else f"0 to {count - 1}"
            raise UsageError(
                f"`class_weight` names the class {quote(name)}, but the classes of {data.name} are {there}",
                hint=f"Did you mean {near!r}?" if (near := nearest(name, names)) else "Name it as the labels do",
            )
        found[number] = float(weight)
    return found


def check_class_weights(spec: SweepSpec, data: SearchData) -> None:
    """See that the weights that trials may have are of classes of these data. Raises UsageError."""
    searched = "training.class_weight" in spec.space.names
    for wanted in (spec.training.class_weight, "balanced" if searched else None):
        class_weights(wanted, data)


def row_weights(wanted: ClassWeight, data: SearchData) -> Array | None:
    """[N] the weight of each training row, as `fit` has it with these class weights; None: all count the same."""
    weights = class_weights(wanted, data)
    if weights is None:
        return data.train.weights
    return np.array([weights.get(int(one), 1.0) for one in _read_classes(data)], np.float32)


def _read_classes(data: SearchData) -> Array:
    """[N] the class of each training row. Raises UsageError: the labels are none."""
    y: Array = data.train.y
    if isinstance(y, dict | tuple):
        raise UsageError("Keras takes no `class_weight` beside several outputs", hint="Give `sample_weight`")
    if data.classes is None and not set(np.unique(y)) <= {0, 1}:
        raise UsageError(
            f"`class_weight` weighs classes, but the labels of {data.name} are numbers", hint="Leave it out"
        )
    return y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)
