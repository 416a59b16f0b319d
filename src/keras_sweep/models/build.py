"""Builds the model of a trial: the dense model, or what the user's own function or HyperModel returns.

A digest of the code that it is made of tells a changed model from the one that trained.
"""

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
from keras_sweep.process.given import is_given, name_of, parts_given
from keras_sweep.process.source_code import code_files
from keras_sweep.process.user_code import load_python, select_accepted, user_code
from keras_sweep.space.distributions import Value
from keras_sweep.space.sweep_spec import SweepSpec

LEARNT = ("vocabulary", "mean", "bin_boundaries")  # by `adapt`, of Keras's layers, each in its configuration
MODEL_CODE = "model_code"  # the study's attribute; absent where no code makes the model


def build_model(spec: SweepSpec, arguments: Mapping[str, Value], data: SearchData) -> Any:
    """A built `keras.Model` for the data's rows, uncompiled unless a HyperModel compiles it. Raises as `built`."""
    return build_with_fit(spec, arguments, data)[0]


def build_with_fit(
    spec: SweepSpec, arguments: Mapping[str, Value], data: SearchData
) -> tuple[Any, partial[Any] | None]:
    """A built model, and a `fit` of its HyperModel's own that trains it; None where its own `fit` does.

    A user's function is called with the trial's model arguments, and with `input_shape` (of one row) and `classes`
    (None for regression) where it has parameters of these names. Raises ModelError where it can't be imported or
    called so, raises, or does not return a Keras model.
    """
    if spec.model.kind == "dense":
        try:
            model = dense(data, spec.loss, spec.loss_arguments, **arguments)  # type: ignore[arg-type]
            return undo_transform(model, spec), None
        except (TypeError, ValueError) as error:
            raise ModelError(f"the dense model can't be built from {dict(arguments)}: {error}") from error
    function, fit = load_python(spec.model.source, spec.folder, ModelError), None
    if is_hyper_model(function):
        build, own = make_builder(function, spec.folder, data.input_shape, count_classes(spec, data))
        hyper_parameters = make_hyper_parameters(arguments)
        model = build(hyper_parameters)
        fit = own and partial(own, hyper_parameters, model)
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
    """An uncompiled `keras.Sequential` for rows of the data's shape.

    `units` and `activation` are of the output layer: by default as many outputs as the labels need, and what the loss
    takes. `hidden` are the units of each hidden layer, first to last; a number is one layer. `dropout` is the share of
    each hidden layer's outputs, or without any of the inputs, that training drops; `l2` penalises every kernel.
    Raises what Keras does for arguments that it does not take.
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
    """A model whose last layers undo the transform of its target, if there is one. Raises ModelError for a class."""
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
            f"the model of {name_of(spec.model.source)} is a class of yours, whose end can't undo `transform`",
            hint="Return a sequential or functional model, or let it learn the target as it is",
        )
    output = model.output
    for layer in layers:
        output = layer(output)
    whole = keras.Model(model.input, output, name=model.name)
    if model.compiled:
        whole.compile(**read_compile_arguments(model))
    return whole


def _adapt(model: Any, spec: SweepSpec, data: SearchData) -> None:
    """Have layers that learn by `adapt`, such as `TextVectorization`, learn from training rows, but for those that were
    given what they would learn. Raises ModelError."""
    every = [inner for layer in model.layers for inner in getattr(layer, "layers", [layer]) if hasattr(inner, "adapt")]
    of_keras = [one for one in every if type(one).__module__.startswith("keras.")]
    known = [one for one in of_keras if any(one.get_config().get(name) is not None for name in LEARNT)]
    layers = [one for one in every if one not in known]
    if not layers:
        hint = "Begin it with `TextVectorization`, `StringLookup` or `Normalization`, or leave `adapt` out"
        raise ModelError("no layer of the model has anything to learn from training rows", hint=hint)
    for layer in layers:
        with user_code(f"{layer.name} can't adapt to rows of shape {data.row_shape}", spec.folder, ModelError):
            x = data.train.x
            layer.adapt(x[layer.input.name] if isinstance(x, Mapping) else x)


def _call_function(spec: SweepSpec, function: object, arguments: Mapping[str, Value], data: SearchData) -> Any:
    source = spec.model.source
    if not callable(function):
        raise ModelError(f"{source} is not a function", hint="Name a function that returns a keras.Model")
    listed = {name: list(value) if isinstance(value, tuple) else value for name, value in arguments.items()}
    given = {
        **select_accepted(function, {"input_shape": data.input_shape, "classes": count_classes(spec, data)}),
        **listed,
    }
    try:
        inspect.signature(function).bind(**given)
    except TypeError as error:
        raise ModelError(
            f"{source} can't be called with the model's arguments {sorted(given)}: {error}",
            hint="Name its arguments under `model` or as `model.NAME` parameters",
        ) from error
    with user_code(f"{source} failed", spec.folder, ModelError):
        model = function(**given)
    _check_model(model, source)
    return model


def make_builder(
    found: Any, folder: Path, input_shape: tuple[int, ...], classes: int | None
) -> tuple[Callable[[Any], Any], Fit | None]:
    """A function from `keras_tuner.HyperParameters`, which then hold what was asked for, to the model of a HyperModel;
    and its own `fit(hp, model, *args, **kwargs)`, if it has one.

    Where the user's function, or the HyperModel's class, has parameters named `input_shape` (of one row) and `classes`,
    it is given these. Raises ModelError where the HyperModel can't be made.
    """
    import keras_tuner

    context = {"input_shape": input_shape, "classes": classes}
    name = str(getattr(found, "__name__", type(found).__name__))
    if isinstance(found, type):
        wanted = select_accepted(found, context)
        hint = "Name an instance instead: `tuned = MyHyperModel(...)` in the module, `python: module:tuned`"
        with user_code(f"HyperModel {name} can't be made from {wanted}", folder, ModelError, hint=hint):
            found = found(**wanted)
    fit: Fit | None = found.fit if has_own_fit(found) else None
    function = found.build if isinstance(found, keras_tuner.HyperModel) else found
    owner = getattr(function, "__self__", None)
    # A HyperModel wraps the `build` of its class, whose parameters say what it takes.
    given = select_accepted(type(owner).build if isinstance(owner, keras_tuner.HyperModel) else function, context)

    def build(hyper_parameters: Any) -> Any:
        values = ", ".join(f"{key}={value!r}" for key, value in hyper_parameters.values.items())
        with user_code(f"{name} can't be built with {values or 'the default values'}", folder, ModelError):
            model = function(hyper_parameters, **given)
        _check_model(model, name)
        return model

    return build, fit


def _check_model(model: object, source: str) -> None:
    import keras

    if not isinstance(model, keras.Model):
        what = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
        raise ModelError(
            f"{source} returned {'None' if model is None else what}, not a keras.Model",
            hint="End the function with `return model`, for a class with `return TheClass()`",
        )


def _build_variables(model: Any, spec: SweepSpec, data: SearchData) -> None:
    """Make all variables of a model. One of a class of the user's is called once on a symbol of a batch."""
    import keras

    if isinstance(getattr(model, "input", None), dict | list):  # of one input, which Keras gives the rows all the same
        warnings.filterwarnings("ignore", "The structure of `inputs` doesn't match", UserWarning)
    # A model of several, as a GAN, may have no `call`: its parts are built where they know their inputs.
    if model.built or (type(model).call is keras.Model.call and model.weights):
        return
    what = f"the model of {spec.model.source} can't be built for rows of shape {data.row_shape}"
    with user_code(what, spec.folder, ModelError):
        if isinstance(model, keras.Sequential) and not isinstance(data.train.x, dict | tuple):
            model.build((None, *data.input_shape))
        else:
            call_symbolic(model, data)


def call_symbolic(model: Any, data: SearchData) -> Any:
    """What a model gives for a symbol of a batch, a `keras.KerasTensor`, or a structure of them; for a row where one of
    its layers does not tell the shape of its outputs, as `TorchModuleWrapper`. Raises anything."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns beside what it raises
        symbol, inputs = data.symbol(), getattr(model, "input", None)
        names = [getattr(one, "name", None) for one in inputs] if isinstance(inputs, list) else []
        if names and isinstance(symbol, dict) and symbol.keys() >= set(names):  # which a call takes in the names' order
            symbol = [symbol[name] for name in names]
        try:
            return model(_match_rank(symbol, getattr(model, "inputs", None)))
        except NotImplementedError:
            return model(cut(data.train.x, 0, 1))


def _match_rank(symbol: Any, inputs: Any) -> Any:
    """A symbol with, or without, a last axis of 1, as Keras adds it to rows, or takes it away, for a model's input."""
    import keras

    more = len(inputs[0].shape) - len(symbol.shape) if hasattr(symbol, "shape") and inputs else 0
    if more == 1 and inputs[0].shape[-1] == 1:
        return keras.KerasTensor((*symbol.shape, 1), dtype=symbol.dtype)
    drops = more == -1 and symbol.shape[-1] == 1
    return keras.KerasTensor(symbol.shape[:-1], dtype=symbol.dtype) if drops else symbol


def count_classes(spec: SweepSpec, data: SearchData) -> int | None:
    """What a user's function gets as `classes`: also the number of several columns of 0 and 1; None for regression."""
    y, numbers = data.train.y, loss_needs(spec.loss).form is LabelForm.NUMBER
    in_columns = isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] > 1 and has_classes(y, LabelForm.BINARY)
    return int(y.shape[1]) if data.classes is None and not numbers and in_columns else data.classes


def model_code(spec: SweepSpec, *, now: bool = False) -> dict[str, str]:
    """The files that the modules of model and callbacks are in and import from beside the space file, each with its
    SHA-256 (hex).

    Of a function that a program gave, what it was made of then, or is `now`. Empty for the dense model, and for a
    module that does not lie beside the space file.
    """
    found: dict[str, str] = {}
    for source in spec.training_code:
        module = source.partition(":")[0]
        found |= parts_given(source, now=now) if is_given(source) else code_files(module, spec.folder.resolve())
    return found


def find_changed_code(recorded: object, now: Mapping[str, str]) -> list[str]:
    """The files that are not as they were when the sweep began; [] where that is not known."""
    if not isinstance(recorded, Mapping) or not recorded or not now:  # what is not there the import tells
        return []
    names = {str(name) for name in recorded} | set(now)
    return sorted(name for name in names if recorded.get(name) != now.get(name))
