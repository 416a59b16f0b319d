"""A look at a user's model before the search: what it lets be searched, what it gives out, what has no effect."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keras_sweep.data.arrays import cut
from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.labels import COLUMN_METRICS, loss_needs
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import DataError, ModelError
from keras_sweep.models.build import build_model, call_symbolic, count_classes, make_builder
from keras_sweep.models.hyper_model import explore_space, has_own_fit, is_hyper_model
from keras_sweep.models.model_as_file import fileable, opening_call, opening_words
from keras_sweep.models.own_compile import apply_own_compile, check_losses, list_outputs, list_overrides, own_loss
from keras_sweep.process.backend import clear_session, import_keras
from keras_sweep.process.given import name_of
from keras_sweep.process.user_code import load_python, preserve_process, user_code
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import itemize
from keras_sweep.trial.plan import training_plan

PLACES = (0.0, 0.5, 0.999999)  # where in each range: a model that can't be built at one end may be at another
ROWS = 32  # on which outputs are looked at
DRAWN = 16  # points at which models are looked at that compile themselves

# Layers and operations after which the numbers are of the same kind as before.
_PASSING = frozenset({"Dropout", "Reshape", "Flatten", "Identity", "Squeeze", "ActivityRegularization", "Cast"})
_NAMED = {"Softmax": "softmax", "Sigmoid": "sigmoid", "ReLU": "relu", "Relu": "relu"}  # layers and operations
_ACTIVATED = frozenset({"Dense", "EinsumDense", "Activation"})  # layers that have an activation


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known of a model before anything trains."""

    spec: SweepSpec  # with a HyperModel's hyperparameters among its parameters
    output_shape: Any = None  # rows first; None for the dense model, which fits the labels
    activation: Any = None  # that it ends with, if that can be known; of several outputs both are by their names
    notices: tuple[str, ...] = ()


def load_rows(spec: SweepSpec, data: SearchData | None = None) -> tuple[SweepSpec, SearchData]:
    """The rows of a sweep, as its loss and its model take them; and the sweep, with the model's own loss and metrics
    where it names none. `data` is what `load_search_data` gave, if it was called before. Raises DataError, and as
    `first_model` and `apply_own_compile`."""
    data, backend = load_search_data(spec) if data is None else data, import_keras().backend.backend()
    if data.has_texts and backend != "tensorflow":
        raise DataError(
            f"the rows of {data.name} are texts, which layers of Keras take on TensorFlow alone, and this is {backend}",
            hint="Add `--backend tensorflow`, or give ids of words, which train on any backend",
        )
    spec = replace(spec, scale=data.scale)
    if spec.model.kind == "dense" or not (spec.own or spec.outputs or data.preprocessing):
        return spec, data
    found = load_python(spec.model.source, spec.folder, ModelError)
    clear_session()  # a notebook may have made metrics before
    model = first_model(spec, data)[0]
    names = list_outputs(model, getattr(model, "output", None))
    if set(names) == set(spec.outputs):  # in the model's order, which is that of labels in a tuple
        spec = replace(spec, outputs={name: spec.outputs[name] for name in names})
    known = replace(spec, data=replace(spec.data, inputs=_column_inputs(model, data)))
    if spec.own:
        known = apply_own_compile(known, model, trains_itself=has_own_fit(found))
    own_metrics = [known.metrics, *(one.metrics for one in known.outputs.values())] if "metrics" in spec.own else []
    as_before = known.data == spec.data and loss_needs(known.loss).form is loss_needs(spec.loss).form
    as_before &= all(map(COLUMN_METRICS.isdisjoint, own_metrics))
    return known, data if as_before else load_search_data(known)


def _column_inputs(model: Any, data: SearchData) -> tuple[str, ...]:
    """The inputs of a model that takes several, where each bears the name of a column of a table; else none."""
    inputs = getattr(model, "input", None)
    of_list = inputs if isinstance(inputs, list) else ()
    names = list(inputs) if isinstance(inputs, dict) else [one.name for one in of_list]
    columns = {column.name for column in getattr(data.preprocessing, "columns", ())}
    return tuple(names) if len(names) > 1 and set(names) <= columns else ()


def inspect_model(spec: SweepSpec, data: SearchData) -> Inspection:
    """Build the model and look at it. Raises ModelError as `first_model`, and for outputs that no labels are of."""
    if spec.model.kind == "dense":
        return Inspection(spec)
    spec = add_own_parameters(spec, data)
    model, notices = first_model(spec, data)
    check_losses(spec, map(own_loss, draw_models(spec, data)))
    notices += list_overrides(spec, model)
    shape = None if data.train.labels is None else _output_shape(spec, data, model)
    activation: Any = _last_activation(model)
    if isinstance(shape, dict):
        activation = {name: _last_activation(model, place) for place, name in enumerate(list_outputs(model, shape))}
    elif activation is None:
        notices += _check_first_outputs(spec, data, model)
    notices += _file_notices(data, model)
    return Inspection(spec, shape, activation, tuple(notices))


def add_own_parameters(spec: SweepSpec, data: SearchData) -> SweepSpec:
    """The sweep with the hyperparameters of a HyperModel or `build(hp)`, if it has one. Raises ModelError."""
    if spec.model.kind == "dense":
        return spec
    found = load_python(spec.model.source, spec.folder, ModelError)
    if not is_hyper_model(found):
        return spec
    return explore_space(spec, *make_builder(found, spec.folder, data.input_shape, count_classes(spec, data)), data)


def first_model(spec: SweepSpec, data: SearchData) -> tuple[Any, list[str]]:
    """The model of the first of `PLACES` where it can be built and trained, and a sentence on each before it.

    Raises ModelError where there is none.
    """
    faults: list[tuple[str, ModelError]] = []
    plans = (training_plan(spec, spec.space.example(place)).model_arguments for place in PLACES)
    for arguments in {repr(sorted(each.items())): each for each in plans}.values():
        given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        try:
            model = build_model(spec, arguments, data)
            if model.trainable_variables:
                return model, [f"trials with {at} will fail: {fault.message}" for at, fault in faults]
            raise ModelError(
                f"the model of {name_of(spec.model.source)} has no weights to train",
                hint="Leave a layer of it trainable (`layer.trainable = True`)",
            )
        except ModelError as fault:
            faults.append((given, fault))
    raise faults[0][1]


def draw_models(spec: SweepSpec, data: SearchData) -> Iterator[Any]:
    """Models of a few points that are drawn at random, without those that can't be built: there the trials tell."""
    draw = np.random.default_rng(0)
    points = (spec.space.drawn(draw.random) or spec.space.constants for _ in range(DRAWN))
    plans = (training_plan(spec, point).model_arguments for point in points)
    for arguments in {repr(sorted(each.items())): each for each in plans}.values():
        with contextlib.suppress(ModelError):
            yield build_model(spec, arguments, data)


def _output_shape(spec: SweepSpec, data: SearchData, model: Any) -> Any:
    """The shape that rows of the data come out in, of several outputs by their names. Raises ModelError."""
    source, y = spec.model.source, data.train.y
    what = f"the model of {source} does not take rows of shape {data.row_shape}"
    given = "one array of inputs, [N, ...]" if isinstance(data.train.x, np.ndarray) else "inputs as the data have them"
    with user_code(what, spec.folder, ModelError, hint=f"It is called with {given}"):
        outputs = call_symbolic(model, data)
    if isinstance(outputs, list | tuple) and len(outputs) == 1 and hasattr(model, "outputs"):
        (outputs,) = outputs  # of `outputs=[output]`: on rows Keras gives the one array
    if isinstance(y, dict | tuple) or spec.outputs:
        return _output_shapes(spec, model, y, outputs)
    if (shape := getattr(outputs, "shape", None)) is None:
        raise ModelError(
            f"the model of {source} gives a {type(outputs).__name__}, but a sweep trains one output, by one loss",
            hint="Return `keras.Model(inputs, output)`; of several outputs labels and `loss` are dicts by their names",
        )
    return tuple(shape)


def _output_shapes(spec: SweepSpec, model: Any, y: Any, outputs: Any) -> dict[str, tuple[int | None, ...]]:
    """The shapes of several outputs by their names. Raises ModelError where they are not those of labels and losses."""
    source = spec.model.source
    names = list_outputs(model, outputs)
    are = f"the model of {source} gives {f'the outputs {itemize(names)}' if names else 'one output'}"
    if isinstance(outputs, dict) and not isinstance(y, dict):
        raise ModelError(f"{are}, but the labels are no dict", hint="Give `y` as a dict of arrays by these names")
    if not (spec.outputs or spec.own):
        pairs = ", ".join(f"{name}: ..." for name in names)
        raise ModelError(f"{are}, but `loss` is one", hint=f"Give it as a map from their names: {{{pairs}}}")
    wanted = list(spec.outputs) or (list(y) if isinstance(y, dict) else names)
    if not names or set(wanted) != set(names) or len(names) != len(y):
        raise ModelError(f"{are}, but those of {'`loss`' if spec.outputs else 'the labels'} are {itemize(wanted)}")
    shapes = outputs if isinstance(outputs, dict) else dict(zip(names, outputs, strict=True))
    return {name: tuple(shapes[name].shape) for name in names}


def _file_notices(data: SearchData, model: Any) -> Iterator[str]:
    """What to know before the search of the file that the best model is written to."""
    try:
        words = opening_words(opening_call(fileable(model, data.train.x)))
    except ValueError as error:
        words = (
            f"the best model can't be written as a .keras file, since {error}: only its weights are kept; define "
            "`get_config` before the search, or return a functional model"
        )
    if words is not None:
        yield words


def _check_first_outputs(spec: SweepSpec, data: SearchData, model: Any) -> Iterator[str]:
    """Whether outputs of the model as it begins are none that the loss can take; asked where its layers do not tell."""
    import keras

    needed = loss_needs(spec.loss, spec.loss_arguments).usual
    if needed not in ("softmax", "sigmoid"):
        return
    with contextlib.suppress(Exception), preserve_process():  # what it raises is told when it trains
        outputs = keras.ops.convert_to_numpy(model(cut(data.train.x, 0, ROWS), training=False))
        low, high = float(outputs.min()), float(outputs.max())
        if low < 0 or (high > 1 and needed == "sigmoid"):
            yield (
                f"`loss: {spec.loss}` takes probabilities, but the model of {name_of(spec.model.source)} gives "
                f"{low:.3g} to {high:.3g} before training: end it with `{needed}`"
            )


def _last_activation(model: Any, output: int = 0) -> str | None:
    """The activation that a model ends with ("softmax", "linear", ...), or None where its last layers do not tell."""
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
    """The layers and operations that an output comes from, the last one first, as far as each has one input."""
    import keras

    if isinstance(model, keras.Sequential):
        yield from reversed(model.layers)
        return
    operations = getattr(model, "operations", None)  # of a functional model: a class of the user's has none
    tensor = model.outputs[output] if operations else None
    while made := [one for one in operations or () if one.output is tensor]:
        yield made[0]
        tensor = made[0].input
