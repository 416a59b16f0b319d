"""Build the model of a trial: the dense model, or the model that a user's function or HyperModel returns. Digests of
the user's code tell whether the model has changed since it trained."""

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.arrays import cut
from keras_sweep.data.compatibility import infer_output_shape
from keras_sweep.data.labels import LabelForm, has_classes, loss_needs
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import ModelError
from keras_sweep.models.hyper_model import Fit, has_own_fit, is_hyper_model, make_hyper_parameters
from keras_sweep.models.own_compile import read_compile_arguments
from keras_sweep.process.compiling import use_fast_initializers
from keras_sweep.process.source_code import digest_files
from keras_sweep.process.user_code import guard_user_code, load_python, select_accepted
from keras_sweep.process.user_objects import display_name, get_part_digests, is_object_name
from keras_sweep.space.distributions import Value
from keras_sweep.space.sweep_spec import SweepSpec

LEARNT = ("vocabulary", "mean", "bin_boundaries")  # what `adapt` learns, as keys of a layer's configuration


def build_model(spec: SweepSpec, arguments: Mapping[str, Value], data: SearchData) -> Any:
    """Build a model as `build_with_fit` does. Return the model alone, compiled only if the user's code compiles it."""
    return build_with_fit(spec, arguments, data)[0]


@use_fast_initializers()
def build_with_fit(
    spec: SweepSpec, arguments: Mapping[str, Value], data: SearchData
) -> tuple[Any, partial[Any] | None]:
    """Build the model of a trial. Return (model, `fit`). `fit` is the HyperModel's own `fit` with hyperparameters and
    model bound, or None if `keras.Model.fit` trains the model. A user's function gets `arguments`, the trial's model
    arguments. If it has parameters `input_shape` (of a row) or `classes` (None for regression), it gets these, too.
    Raises ModelError if the function can't be imported or called, raises, or does not return a Keras model."""
    if spec.model.kind == "dense":
        try:
            model = dense(data, spec.loss, spec.loss_arguments, **arguments)  # type: ignore[arg-type]
            return undo_transform(model, spec), None
        except (TypeError, ValueError) as error:
            raise ModelError(f"the dense model can't be built from {dict(arguments)}: {error}") from error
    function, fit = load_python(spec.model.source, spec.folder, ModelError), None
    if is_hyper_model(function):
        build, own_fit = make_builder(function, spec.folder, data.input_shape, count_classes(spec, data))
        hyper_parameters = make_hyper_parameters(arguments)
        model = build(hyper_parameters)
        fit = own_fit and partial(own_fit, hyper_parameters, model)
    else:
        model = _call_function(spec, function, arguments, data)
    model = undo_transform(model, spec)
    _build_variables(model, spec, data)
    if spec.training.adapt:
        _adapt(model, spec, data)
    return model, fit


def dense(
    data: SearchData,
    loss: str,
    loss_arguments: Mapping[str, object] | None = None,
    *,
    units: int | None = None,
    activation: str | None = None,
    hidden: Sequence[int] | int = (),
    hidden_activation: str = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    use_bias: bool = True,
) -> Any:
    """Build an uncompiled `keras.Sequential` for rows of the data's shape.

    `units` and `activation` belong to the output layer. By default they fit the labels and the loss. `hidden` has the
    units of each hidden layer, first to last; a number means a single layer. `dropout` is the share of each hidden
    layer's outputs (without hidden layers, of the inputs) that training drops. `l2` is the factor of a penalty on every
    kernel. Raises the errors of Keras for arguments that Keras does not take.
    """
    import keras

    penalty = keras.regularizers.L2(l2) if l2 else None

    def layer(width: int, activation: str | None) -> Any:
        return keras.layers.Dense(width, activation=activation, use_bias=use_bias, kernel_regularizer=penalty)

    layers: list[Any] = [keras.layers.Input(data.input_shape)]
    if len(data.input_shape) > 1:
        layers.append(keras.layers.Flatten())
    widths = (hidden,) if isinstance(hidden, int) else tuple(hidden)
    for width in widths:
        layers.append(layer(width, hidden_activation))
        if dropout:
            layers.append(keras.layers.Dropout(dropout))
    if dropout and not widths:
        layers.append(keras.layers.Dropout(dropout))
    units = infer_output_shape(loss, data)[0] if units is None else units
    layers.append(layer(units, loss_needs(loss, loss_arguments).usual if activation is None else activation))
    return keras.Sequential(layers)


def undo_transform(model: Any, spec: SweepSpec) -> Any:
    """Return the model with layers at its end that undo the target's `transform`; without a `transform`, the model
    itself. Raises ModelError for a subclassed model."""
    import keras

    if spec.scale is None:
        return model
    layers = [keras.layers.Rescaling(spec.scale.deviation, spec.scale.mean)]
    if spec.scale.transform == "log":
        layers += [keras.layers.Activation("exponential"), keras.layers.Rescaling(1.0, -1.0)]
    if type(model) is keras.Sequential:
        for layer in layers:
            model.add(layer)
        return model
    if type(model).__name__ != "Functional":
        raise ModelError(
            f"`transform` needs a functional model, but {display_name(spec.model.source)} returns a subclass",
            hint="Return a sequential or functional model, or leave `transform` out",
        )
    output = model.output
    for layer in layers:
        output = layer(output)
    whole = keras.Model(model.input, output, name=model.name)
    if model.compiled:
        whole.compile(**read_compile_arguments(model))
    return whole


def _adapt(model: Any, spec: SweepSpec, data: SearchData) -> None:
    """Call `adapt` on training rows for layers like `TextVectorization` that have no vocabulary. Raises ModelError."""
    adaptable = [part for layer in model.layers for part in getattr(layer, "layers", [layer]) if hasattr(part, "adapt")]
    keras_layers = [layer for layer in adaptable if type(layer).__module__.startswith("keras.")]
    filled = [layer for layer in keras_layers if any(layer.get_config().get(name) is not None for name in LEARNT)]
    layers = [layer for layer in adaptable if layer not in filled]
    if not layers:
        hint = "Add `TextVectorization`, `StringLookup` or `Normalization` to the model, or leave `adapt` out"
        raise ModelError("`adapt` needs a layer that learns from training rows, but the model has none", hint=hint)
    for layer in layers:
        what = f"layer {layer.name} can't adapt to rows of shape {data.row_shape}"
        with guard_user_code(what, spec.folder, ModelError):
            x = data.train.x
            layer.adapt(x[layer.input.name] if isinstance(x, Mapping) else x)


def _call_function(spec: SweepSpec, function: object, arguments: Mapping[str, Value], data: SearchData) -> Any:
    source = spec.model.source
    if not callable(function):
        raise ModelError(f"{source} is not a function", hint="Name a function that returns a keras.Model")
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in arguments.items()}
    context = {"input_shape": data.input_shape, "classes": count_classes(spec, data)}
    keywords = {**select_accepted(function, context), **values}
    try:
        inspect.signature(function).bind(**keywords)
    except TypeError as error:
        raise ModelError(
            f"{source} can't be called with the model's arguments {sorted(keywords)}: {error}",
            hint="Name its arguments under `model` or as `model.NAME` parameters",
        ) from error
    with guard_user_code(f"{source} failed", spec.folder, ModelError):
        model = function(**keywords)
    _check_model(model, source)
    return model


def make_builder(
    hyper_model: Any, folder: Path, input_shape: tuple[int, ...], classes: int | None
) -> tuple[Callable[[Any], Any], Fit | None]:
    """Return (function from `keras_tuner.HyperParameters` to a model, the HyperModel's own `fit` or None). The user's
    function, or the HyperModel's class, gets `input_shape` (of a row) and `classes` if its parameters have these names.
    `folder` has the user's code. Raises ModelError if the HyperModel can't be created."""
    import keras_tuner

    context = {"input_shape": input_shape, "classes": classes}
    name = str(getattr(hyper_model, "__name__", type(hyper_model).__name__))
    if isinstance(hyper_model, type):
        class_arguments = select_accepted(hyper_model, context)
        hint = "Write `tuned = MyHyperModel(...)` in the module, and name it: `python: module:tuned`"
        with guard_user_code(f"HyperModel {name} can't be made with {class_arguments}", folder, ModelError, hint=hint):
            hyper_model = hyper_model(**class_arguments)
    fit: Fit | None = hyper_model.fit if has_own_fit(hyper_model) else None
    function = hyper_model.build if isinstance(hyper_model, keras_tuner.HyperModel) else hyper_model
    owner = getattr(function, "__self__", None)
    # A HyperModel wraps the `build` of its class. The class's `build` has the user's signature.
    arguments = select_accepted(type(owner).build if isinstance(owner, keras_tuner.HyperModel) else function, context)

    def build(hyper_parameters: Any) -> Any:
        values = ", ".join(f"{key}={value!r}" for key, value in hyper_parameters.values.items())
        with guard_user_code(f"{name} can't be built with {values or 'the default values'}", folder, ModelError):
            model = function(hyper_parameters, **arguments)
        _check_model(model, name)
        return model

    return build, fit


def _check_model(model: object, source: str) -> None:
    import keras

    if not isinstance(model, keras.Model):
        what = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
        hint = "End the function with `return model`; for a class, with `return TheClass()`"
        raise ModelError(f"{source} must return a keras.Model, but got {'None' if model is None else what}", hint=hint)


def _build_variables(model: Any, spec: SweepSpec, data: SearchData) -> None:
    import keras

    if isinstance(getattr(model, "input", None), dict | list):  # Keras accepts an array for a structure of 1 input
        warnings.filterwarnings("ignore", "The structure of `inputs` doesn't match", UserWarning)
    # A model of several models, like a GAN, may have no `call`. Its parts are built if they know their inputs.
    if model.built or (type(model).call is keras.Model.call and model.weights):
        return
    what = f"the model of {spec.model.source} can't be built for rows of shape {data.row_shape}"
    with guard_user_code(what, spec.folder, ModelError):
        if isinstance(model, keras.Sequential) and not isinstance(data.train.x, dict | tuple):
            model.build((None, *data.input_shape))
        else:
            call_symbolic(model, data)


def call_symbolic(model: Any, data: SearchData) -> Any:
    """Return the outputs of a model for a symbolic batch, as `keras.KerasTensor`s. If a layer, like
    `TorchModuleWrapper`, does not tell its output shape, the model is called on a row instead. May raise anything."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns before it raises
        symbol, inputs = data.symbol(), getattr(model, "input", None)
        names = [getattr(tensor, "name", None) for tensor in inputs] if isinstance(inputs, list) else []
        if names and isinstance(symbol, dict) and symbol.keys() >= set(names):  # a call takes the inputs in this order
            symbol = [symbol[name] for name in names]
        try:
            return model(_match_ranks(symbol, getattr(model, "inputs", None) if inputs is None else inputs))
        except NotImplementedError:
            return model(cut(data.train.x, 0, 1))


def _match_ranks(symbol: Any, inputs: Any) -> Any:
    """Return `symbol` with a last axis of 1 added to each part, or removed, if the model's input needs it. Keras does
    so with rows, but not with symbols."""
    if isinstance(symbol, Mapping) and isinstance(inputs, Mapping):
        return {name: _match_rank(part, inputs.get(name)) for name, part in symbol.items()}
    if isinstance(symbol, list | tuple) and isinstance(inputs, list | tuple) and len(symbol) == len(inputs):
        return type(symbol)(map(_match_rank, symbol, inputs))
    parts = list(inputs.values()) if isinstance(inputs, Mapping) else inputs
    return _match_rank(symbol, parts[0] if isinstance(parts, list | tuple) and len(parts) == 1 else parts)


def _match_rank(symbol: Any, model_input: Any) -> Any:
    import keras

    if not hasattr(symbol, "shape") or not hasattr(model_input, "shape"):
        return symbol
    extra_axes = len(model_input.shape) - len(symbol.shape)
    if extra_axes == 1 and model_input.shape[-1] == 1:
        return keras.KerasTensor((*symbol.shape, 1), dtype=symbol.dtype)
    drops_axis = extra_axes == -1 and symbol.shape[-1] == 1
    return keras.KerasTensor(symbol.shape[:-1], dtype=symbol.dtype) if drops_axis else symbol


def count_classes(spec: SweepSpec, data: SearchData) -> int | None:
    """Return `classes` for a user's function: the number of classes, or of columns of 0 and 1. None for regression."""
    y, numbers = data.train.y, loss_needs(spec.loss).form is LabelForm.NUMBER
    in_columns = isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] > 1 and has_classes(y, LabelForm.BINARY)
    return int(y.shape[1]) if data.classes is None and not numbers and in_columns else data.classes


def model_code(spec: SweepSpec, *, now: bool = False) -> dict[str, str]:
    """Return file -> SHA-256 (hex) of the user's code that trains: model, losses, metrics, callbacks, and the modules
    that they import; {} if there is none. Only files beside the space file count. A function that a Python program
    passed in has no file: the keys are its parts (code, defaults, variables), as passed in or, with `now`, at
    present."""
    digests: dict[str, str] = {}
    for source in spec.training_code:
        module = source.partition(":")[0]
        digests |= (
            get_part_digests(source, now=now) if is_object_name(source) else digest_files(module, spec.folder.resolve())
        )
    return digests


def data_code(spec: SweepSpec) -> dict[str, str]:
    """Return file -> SHA-256 (hex) of the function that returns the rows, as `model_code` does for the model. The name
    of a function that a Python program passed in has its digest, so this returns {}."""
    functions = [source for source in spec.data_code if not is_object_name(source)]
    modules = [source.partition(":")[0] for source in functions]
    return {file: digest for name in modules for file, digest in digest_files(name, spec.folder.resolve()).items()}


def find_changed_code(recorded: object, now: Mapping[str, str]) -> list[str]:
    """Return the files that differ between two results of `model_code` or `data_code`. Return [] if `recorded` has no
    digests."""
    if not isinstance(recorded, Mapping) or not recorded or not now:  # the import of the code reports missing files
        return []
    names = {str(name) for name in recorded} | set(now)
    return sorted(name for name in names if recorded.get(name) != now.get(name))
