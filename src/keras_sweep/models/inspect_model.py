"""Inspect a user's model before the search: its hyperparameters, its outputs, and settings without effect."""

import contextlib
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from keras_sweep.data.arrays import cut
from keras_sweep.data.catalog import load_search_data, select_variant
from keras_sweep.data.labels import COLUMN_METRICS, loss_needs
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import DataError, ModelError, UsageError
from keras_sweep.models.build import build_model, call_symbolic, count_classes, make_builder
from keras_sweep.models.hyper_model import explore_space, has_own_fit, is_hyper_model
from keras_sweep.models.model_as_file import fileable, opening_call, opening_words
from keras_sweep.models.own_compile import apply_own_compile, check_losses, list_outputs, list_overrides, own_loss
from keras_sweep.process.backend import can_import, clear_session, import_keras, require_backend
from keras_sweep.process.user_code import guard_user_code, load_python, preserve_process, select_accepted
from keras_sweep.process.user_objects import display_name
from keras_sweep.space.search_space import Params
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import itemize, pluralize
from keras_sweep.space.variants import get_variant
from keras_sweep.trial.plan import CallbackTrial, training_plan

PLACES = (0.0, 0.5, 0.999999)  # positions in each range: a model that fails at the first may build at the next
ROWS = 32  # rows to compute outputs for
MOST_COUNTED = 200  # random configurations whose weights are counted, before a limit is refused
DRAWN = 16  # random configurations to build models for

# Layers and operations that keep the range of an activation.
_PASSING = frozenset({"Dropout", "Reshape", "Flatten", "Identity", "Squeeze", "ActivityRegularization", "Cast"})
_NAMED = {"Softmax": "softmax", "Sigmoid": "sigmoid", "ReLU": "relu", "Relu": "relu"}  # layers and operations
_ACTIVATED = frozenset({"Dense", "EinsumDense", "Activation"})  # layers that have an activation


@dataclass(frozen=True, slots=True)
class Inspection:
    """Hold facts about a user's model, found by building it before the search."""

    spec: SweepSpec  # with a HyperModel's hyperparameters among its parameters
    output_shape: Any = None  # rows first; None for the dense model, which fits the labels
    activation: Any = None  # the last activation, if known; with several outputs both are dicts by output name
    notices: tuple[str, ...] = ()


def load_rows(spec: SweepSpec, data: SearchData | None = None) -> tuple[SweepSpec, SearchData]:
    """Load the rows as the loss and the model take them. `data` is the result of `load_search_data`, if you have it.
    Return (spec with the model's own loss and metrics, data). Raises DataError, ModelError, SpaceFileError, or
    MissingPackage for texts without TensorFlow."""
    if getattr(spec.data.options, "text", None):
        _require_text_backend(spec.data.source)  # before a long read
    data = load_search_data(spec) if data is None else data
    if data.has_texts:
        _require_text_backend(data.name)
    spec = replace(spec, scale=data.scale)
    if spec.model.kind != "python" or not (spec.own or spec.outputs or data.preprocessing):
        return spec, data
    builder = load_python(spec.model.source, spec.folder, ModelError)
    clear_session()  # a notebook may have created metrics
    model = first_model(spec, data)[0]
    names = list_outputs(model, getattr(model, "output", None))
    if set(names) == set(spec.outputs):  # labels in a tuple have the model's order
        spec = replace(spec, outputs={name: spec.outputs[name] for name in names})
    known = replace(spec, data=replace(spec.data, inputs=_column_inputs(model, data)))
    if spec.own:
        known = apply_own_compile(known, model, trains_itself=has_own_fit(builder))
    own_metrics = [known.metrics, *(part.metrics for part in known.outputs.values())] if "metrics" in spec.own else []
    is_unchanged = known.data == spec.data and loss_needs(known.loss).form is loss_needs(spec.loss).form
    is_unchanged &= all(map(COLUMN_METRICS.isdisjoint, own_metrics))
    return known, data if is_unchanged else load_search_data(known)


def _require_text_backend(name: str) -> None:
    backend = import_keras().backend.backend()
    if backend != "tensorflow":
        require_backend("tensorflow", f", but the rows of {name} are texts, which need it")
        raise DataError(
            f"the rows of {name} are texts, which need the backend tensorflow, but the backend is {backend}",
            hint="Add `--backend tensorflow`, or give ids of words instead",
        )


def _column_inputs(model: Any, data: SearchData) -> tuple[str, ...]:
    """Return the names of the model's inputs, if there are several and each is a table column. Else return ()."""
    inputs = getattr(model, "input", None)
    tensors = inputs if isinstance(inputs, list) else ()
    names = list(inputs) if isinstance(inputs, dict) else [tensor.name for tensor in tensors]
    columns = {column.name for column in getattr(data.preprocessing, "columns", ())}
    return tuple(names) if len(names) > 1 and set(names) <= columns else ()


def inspect_model(spec: SweepSpec, data: SearchData) -> Inspection:
    """Build and inspect the model. Raises ModelError if no model can be built or outputs do not fit the labels, and
    SpaceFileError if trials would be ranked by different losses."""
    if not can_import("tensorflow"):
        _check_callbacks(spec)
    if spec.model.kind != "python":
        return Inspection(spec)
    spec = add_own_parameters(spec, data)
    model, notices = first_model(spec, data)
    check_losses(spec, map(own_loss, draw_models(spec, data)))
    notices += list_overrides(spec, model)
    shape = None if data.train.labels is None else _output_shape(spec, data, model)
    activation: Any = _last_activation(model)
    if isinstance(shape, dict):
        activation = {name: _last_activation(model, index) for index, name in enumerate(list_outputs(model, shape))}
    elif activation is None:
        notices += _check_first_outputs(spec, data, model)
    notices += _file_notices(data, model)
    return Inspection(spec, shape, activation, tuple(notices))


def _check_callbacks(spec: SweepSpec) -> None:
    """Raise MissingPackage for Keras's `TensorBoard`, which would fail without TensorFlow in the first epoch."""
    board = import_keras().callbacks.TensorBoard
    example = {"trial": CallbackTrial(0, spec.space.make_example(0.0), "trial-0")}
    for place in (callback.python for callback in spec.training.callbacks):
        # Trials report other errors. A function whose code does not name `TensorBoard` is not called here.
        with contextlib.suppress(ModelError), guard_user_code(f"{place} failed", spec.folder, ModelError):
            function: Any = load_python(place, spec.folder, ModelError)
            names = getattr(getattr(function, "__code__", None), "co_names", ("TensorBoard",))
            if "TensorBoard" in names and isinstance(function(**select_accepted(function, example)), board):
                require_backend("tensorflow", f", but the callback {display_name(place)} needs it")


def add_own_parameters(spec: SweepSpec, data: SearchData) -> SweepSpec:
    """Return `spec` with the hyperparameters of a HyperModel or `build(hp)` function added. Raises ModelError."""
    if spec.model.kind != "python":
        return spec
    builder = load_python(spec.model.source, spec.folder, ModelError)
    if not is_hyper_model(builder):
        return spec
    return explore_space(spec, *make_builder(builder, spec.folder, data.input_shape, count_classes(spec, data)), data)


def first_model(spec: SweepSpec, data: SearchData) -> tuple[Any, list[str]]:
    """Build a model from the sweep's ranges. Return (model, notices). If a build fails or its model has no weights to
    train, a notice says so, and other values of the ranges (see `PLACES`) are tried. Raises ModelError if all fail."""
    faults: list[tuple[str, ModelError]] = []
    plans = (training_plan(spec, spec.space.make_example(place)).model_arguments for place in PLACES)
    for arguments in {repr(sorted(plan.items())): plan for plan in plans}.values():
        values = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        try:
            model = build_model(spec, arguments, data)
            if model.trainable_variables:
                return model, [f"trials with {at} will fail: {fault.message}" for at, fault in faults]
            hint = "Make a layer trainable: `layer.trainable = True`"
            raise ModelError(f"the model of {display_name(spec.model.source)} has no weights to train", hint=hint)
        except ModelError as fault:
            faults.append((values, fault))
    raise faults[0][1]


def draw_models(spec: SweepSpec, data: SearchData) -> Iterator[Any]:
    """Yield models of a few random configurations. Models that can't be built are skipped: trials report them."""
    draw = np.random.default_rng(0)
    points = (spec.space.drawn(draw.random) or spec.space.constants for _ in range(DRAWN))
    plans = (training_plan(spec, point).model_arguments for point in points)
    for arguments in {repr(sorted(plan.items())): plan for plan in plans}.values():
        with contextlib.suppress(ModelError):
            yield build_model(spec, arguments, data)


def limit_weights(spec: SweepSpec, data: SearchData) -> SweepSpec:
    """If `where` names `parameters`, return `spec` with a space that counts the weights of models, once for each set of
    model arguments. Raises UsageError if no configuration has a model that meets `where`."""
    if not spec.space.limits_weights:
        return spec
    if spec.function:
        raise UsageError("`where` can't limit `parameters`: an objective function has no model", hint="Leave it out")
    counts, unit, example = dict[str, int](), random.Random(0).random, spec.space.make_example(0.0)

    def count(params: Params) -> int:
        arguments = training_plan(spec, params).model_arguments
        key = repr((get_variant(params), sorted(arguments.items())))
        if key not in counts:
            counts[key] = count_weights(*select_variant(spec, data, params), arguments)
        return counts[key]

    space, others = replace(spec.space, count_weights=count), (spec.space.drawn(unit) for _ in range(MOST_COUNTED))
    if any(space.allows(point or example) for point in chain([example], others)):
        return replace(spec, space=space)
    least = f"the smallest of {pluralize(len(counts), 'model')} has {min(counts.values()):,} parameters"
    hint = "Allow more `parameters` in `where`, or let the space have smaller models"
    raise UsageError(f"no configuration meets `{'` and `'.join(space.where)}`: {least}", hint=hint)


def count_weights(spec: SweepSpec, data: SearchData, arguments: Params) -> int:
    """Return the number of weights of a model, like `model.count_params()`; 0 if the model can't be built."""
    # In the first scope, weights have shapes but no values. Some models, like pretrained models, need values.
    for scope in (import_keras().StatelessScope(initialize_variables=False), contextlib.nullcontext()):
        with contextlib.suppress(Exception), contextlib.ExitStack() as stack:
            stack.callback(clear_session)  # else Keras would make the values of these weights later
            stack.enter_context(scope)
            return sum(math.prod(weight.shape) for weight in build_model(spec, arguments, data).weights)
    return 0


def _output_shape(spec: SweepSpec, data: SearchData, model: Any) -> Any:
    source, y = spec.model.source, data.train.y
    what = f"the model of {source} does not take rows of shape {data.row_shape}"
    usage = "a single array, [N, ...]" if isinstance(data.train.x, np.ndarray) else "the structure of x in the data"
    with guard_user_code(what, spec.folder, ModelError, hint=f"Let it take {usage}"):
        outputs = call_symbolic(model, data)
    if isinstance(outputs, list | tuple) and len(outputs) == 1 and hasattr(model, "outputs"):
        (outputs,) = outputs  # for `outputs=[output]` Keras returns an array
    if isinstance(y, dict | tuple) or spec.outputs:
        return _output_shapes(spec, model, y, outputs)
    if (shape := getattr(outputs, "shape", None)) is None:
        raise ModelError(
            f"the model of {source} must give a single output, but got a {type(outputs).__name__}",
            hint="Return `keras.Model(inputs, output)`. For several outputs, give dicts `y` and `loss` by output name",
        )
    return tuple(shape)


def _output_shapes(spec: SweepSpec, model: Any, y: Any, outputs: Any) -> dict[str, tuple[int | None, ...]]:
    """Return name -> shape of a model's `outputs`. Raises ModelError if names do not match labels `y` and losses."""
    source = spec.model.source
    names = list_outputs(model, outputs)
    what = f"the model of {source} gives {f'the outputs {itemize(names)}' if names else 'a single output'}, but"
    if names and isinstance(outputs, dict) and not isinstance(y, dict):
        raise ModelError(f"{what} `y` is not a dict", hint="Give `y` as a dict of arrays with these names")
    if names and not (spec.outputs or spec.own):
        pairs = ", ".join(f"{name}: ..." for name in names)
        raise ModelError(f"{what} `loss` is a single loss", hint=f"Give each output a loss: `loss: {{{pairs}}}`")
    needed = list(spec.outputs) or (list(y) if isinstance(y, dict) else names)
    if not names or set(needed) != set(names) or len(names) != len(y):
        labels = itemize(y) if isinstance(y, dict) else pluralize(len(y), "array")
        raise ModelError(f"{what} {f'`loss` names {itemize(needed)}' if spec.outputs else f'`y` has {labels}'}")
    shapes = outputs if isinstance(outputs, dict) else dict(zip(names, outputs, strict=True))
    return {name: tuple(shapes[name].shape) for name in names}


def _file_notices(data: SearchData, model: Any) -> Iterator[str]:
    try:
        words = opening_words(opening_call(fileable(model, data.train.x)))
    except ValueError as error:
        advice = "define `get_config`, or return a functional model"
        words = f"only the best model's weights can be saved ({error}): {advice}"
    if words is not None:
        yield words


def _check_first_outputs(spec: SweepSpec, data: SearchData, model: Any) -> Iterator[str]:
    """Yield a notice if outputs before training are no probabilities, but the loss takes probabilities."""
    import keras

    needed = loss_needs(spec.loss, spec.loss_arguments).usual
    if needed not in ("softmax", "sigmoid"):
        return
    with contextlib.suppress(Exception), preserve_process():  # training reports errors
        outputs = keras.ops.convert_to_numpy(model(cut(data.train.x, 0, ROWS), training=False))
        low, high = float(outputs.min()), float(outputs.max())
        if low < 0 or (high > 1 and needed == "sigmoid"):
            source = display_name(spec.model.source)
            outside = f"but the model of {source} gives {low:.3g} to {high:.3g} before training"
            yield f"`loss: {spec.loss}` takes probabilities, {outside}: end it with `{needed}`"


def _last_activation(model: Any, output: int = 0) -> str | None:
    """Return the activation of output number `output`, like "softmax", or None if the last layers do not show it."""
    import keras

    for operation in _walk_back(model, output):
        kind = type(operation).__name__
        if not type(operation).__module__.startswith("keras."):
            return None
        if isinstance(operation, keras.Model):
            return _last_activation(operation)
        if kind in _NAMED:
            return _NAMED[kind]
        if kind in _ACTIVATED:
            name = str(getattr(operation.activation, "__name__", ""))
            return name if getattr(keras.activations, name, None) is operation.activation else None
        if kind not in _PASSING:
            return None
    return None


def _walk_back(model: Any, output: int) -> Iterator[Any]:
    """Yield the layers and operations before output number `output`, last first, up to any with several inputs."""
    import keras

    if isinstance(model, keras.Sequential):
        yield from reversed(model.layers)
        return
    operations = getattr(model, "operations", None)  # a subclassed model has none
    tensor = model.outputs[output] if operations else None
    while producers := [operation for operation in operations or () if operation.output is tensor]:
        yield producers[0]
        tensor = producers[0].input


def find_cancelled_biases(model: Any) -> list[str]:
    """Return the names of layers whose bias a batch normalization after them cancels.

    The gradient of this bias is 0 but for rounding. An optimizer that divides by the gradient's size, as Adam, makes
    steps of this rounding, and each program rounds in its own way.
    """
    import keras

    layers = list(_flatten_layers(model))
    biased = [layer for layer in layers if getattr(layer, "bias", None) is not None and _is_linear(layer)]
    names = []
    for layer in layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            with contextlib.suppress(AttributeError, ValueError):  # layers that are called several times, or by code
                names += [before.name for before in biased if before.output is layer.input]
    return names


def _flatten_layers(model: Any) -> Iterator[Any]:
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _flatten_layers(layer)


def _is_linear(layer: Any) -> bool:
    import keras

    return getattr(layer, "activation", None) in (None, keras.activations.linear)
