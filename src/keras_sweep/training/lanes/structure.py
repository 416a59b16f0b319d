"""What the models of a space have in common, so that they share a program, and what each lane has of its own.

Two models, each a chain of Keras's own layers, have the same structure where they differ only in numbers that enter
sums and products (rates of dropout, factors of penalties, ...), in the activations of hidden layers, and in their
widths. A narrow layer lies in a wide one whose further weights are zero and stay so: what they put out is multiplied
by zeros.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from keras_sweep.training.lanes.activations import ELEMENTWISE
from keras_sweep.training.lanes.signature import PLACEHOLDER
from keras_sweep.training.training_state import Arrays

WIDTHS = (64, 128, 256, 512)  # in which narrower hidden layers lie

_NUMBER_OF = {  # a layer's number that may differ per lane
    "Dropout": "rate",
    "SpatialDropout1D": "rate",
    "SpatialDropout2D": "rate",
    "SpatialDropout3D": "rate",
    "GaussianNoise": "stddev",
    "LeakyReLU": "negative_slope",
}
_PENALTIES = ("kernel_regularizer", "bias_regularizer", "gamma_regularizer", "beta_regularizer", "activity_regularizer")
_FACTORS = {"L1": ("l1",), "L2": ("l2",), "L1L2": ("l1", "l2")}
_KNOWN = frozenset(_NUMBER_OF) | {
    *("Dense", "ReLU", "ELU", "Activation", "Flatten", "Reshape", "Rescaling"),
    *("BatchNormalization", "LayerNormalization"),
}
_EACH_ALONE = frozenset({"Dropout", "ReLU", "LeakyReLU", "Activation", "BatchNormalization"})  # columns do not mix


@dataclass(frozen=True, eq=False)
class OwnModel:
    """A trial's own model, in the structure that it shares with others."""

    structure: str  # JSON: the layers, placeholders for their numbers, the widths in which they lie
    numbers: tuple[float, ...]  # in the order of `number_places`
    widths: tuple[int, ...]  # of the layers that lie in wider ones, first to last
    choices: tuple[int, ...]  # which of the activations offered, of the layers that have a choice, first to last
    trainable: Arrays  # initial, in their own shapes
    other: Arrays


def own_model(model: Any, *, widen: Callable[[int], bool] | None, activations: Sequence[str] = ()) -> OwnModel | None:
    """A new model in the structure that it may share; None where a part of it is unknown. The model is used up.

    Args:
        model: built, with its initial weights.
        widen: whether layers may lie in wider ones, given how many weights the model then has; None if they may not.
        activations: those that the space offers.
    """
    if not _is_known(model):
        return None
    trainable, other = (
        tuple(np.array(one.value) for one in variables)
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    places = list(number_places(model))
    numbers = tuple(float(getattr(owner, name)) for owner, name in places)
    for owner, name in places:
        setattr(owner, name, PLACEHOLDER)
    layers = [_described(layer) for layer in layers_of(model)]
    widths: tuple[int, ...] = ()
    hidden = _may_be_wider(model)
    wide = {place: next((most for most in WIDTHS if most >= width), width) for place, width in hidden.items()}
    choices: dict[int, int] = {}
    if widen is not None and widen(_weights(model, wide)):
        widths = tuple(hidden.values())
        choices = _choices(model, activations)
        for place in choices:
            layers[place]["config"]["activation"] = "linear"
            layers[place]["activations"] = list(activations)
        for place, width in wide.items():
            layers[place]["config"]["units"] = width
            layers[place]["wider"] = True
    (given,) = model.inputs
    text = json.dumps({"input": [list(given.shape[1:]), str(given.dtype)], "layers": layers}, sort_keys=True)
    return OwnModel(text, numbers, widths, tuple(choices.values()), trainable, other)


def model_of(structure: str) -> Any:
    """An uncompiled model of this structure."""
    import keras

    facts = json.loads(structure)
    shape, dtype = facts["input"]
    layers = [getattr(keras.layers, one["class"]).from_config(one["config"]) for one in facts["layers"]]
    return keras.Sequential([keras.layers.Input(tuple(shape), dtype=dtype), *layers])


def number_places(model: Any) -> Iterator[tuple[Any, str]]:
    """Who holds each number that may differ per lane, and as which attribute."""
    for layer in layers_of(model):
        name = _NUMBER_OF.get(type(layer).__name__)
        if name is not None and 0 < getattr(layer, name) < (1 if name == "rate" else np.inf):
            yield layer, name
        for penalty in (getattr(layer, kind, None) for kind in _PENALTIES):
            names = _FACTORS.get(type(penalty).__name__, ())
            if all(float(getattr(penalty, name)) > 0 for name in names):
                yield from ((penalty, name) for name in names)


def layers_of(model: Any) -> list[Any]:
    """Its layers in their order, without what stands for its input."""
    import keras

    return [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


def rows_alone(structure: str, *, training: bool) -> bool:
    """Whether each row of a batch goes through a model of this structure alone."""
    layers = json.loads(structure)["layers"]
    penalized = any(facts["config"].get("activity_regularizer") is not None for facts in layers)
    return not penalized and not (training and any(facts["class"] == "BatchNormalization" for facts in layers))


def in_shapes(arrays: Sequence[Any], shapes: Sequence[tuple[int, ...]]) -> Arrays:
    """Arrays made longer by zeros, or cut, to these shapes."""
    found = []
    for array, shape in zip(arrays, shapes, strict=True):
        cut = array[tuple(slice(length) for length in shape)]
        found.append(np.pad(cut, [(0, most - length) for most, length in zip(shape, cut.shape, strict=True)]))
    return tuple(found)


def _is_known(model: Any) -> bool:
    import keras

    if type(model).__name__ not in ("Sequential", "Functional") or not type(model).__module__.startswith("keras."):
        return False
    if getattr(model, "optimizer", None) is not None or not _is_chain(model):
        return False
    for layer in layers_of(model):
        kind = type(layer).__name__
        if kind not in _KNOWN or type(layer) is not getattr(keras.layers, kind) or not layer.trainable:
            return False
        if layer.dtype_policy.name != "float32":
            return False
        if not all(_is_sum(penalty) for penalty in (getattr(layer, each, None) for each in _PENALTIES)):
            return False
        if getattr(layer, "lora_enabled", False):  # its kernels are of other shapes
            return False
        try:
            json.dumps(layer.get_config())
        except (TypeError, ValueError, NotImplementedError):  # it holds something of the user's
            return False
    return "registered_name" not in json.dumps([_own_parts(layer.get_config()) for layer in layers_of(model)])


def _is_sum(penalty: Any) -> bool:
    """Whether a penalty adds up what each weight costs, so that zeros cost nothing."""
    import keras

    known = (getattr(keras.regularizers, name) for name in _FACTORS)
    return penalty is None or any(type(penalty) is each for each in known)


def _is_chain(model: Any) -> bool:
    """Whether a model is one layer after the other, each called once."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        return False
    (given,) = model.inputs
    for layer in layers_of(model):
        try:
            if layer.input is not given:
                return False
            given = layer.output
        except (AttributeError, ValueError):  # it is called several times
            return False
    return given is model.outputs[0]


def _own_parts(config: Any) -> Any:
    """What in a configuration is registered by a package that is not Keras."""
    if isinstance(config, dict):
        if config.get("registered_name") is not None:
            return {"registered_name": config["registered_name"]}
        return [_own_parts(value) for value in config.values()]
    return [_own_parts(value) for value in config] if isinstance(config, list | tuple) else None


def _described(layer: Any) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(json.dumps(layer.get_config()))
    config.pop("name", None)
    return {"class": type(layer).__name__, "config": config}


def _may_be_wider(model: Any) -> dict[int, int]:
    """The widths of the dense layers that another one follows, with nothing between them that mixes columns."""
    layers = layers_of(model)
    dense = [place for place, layer in enumerate(layers) if type(layer).__name__ == "Dense"]
    found = {}
    for place, following in pairwise(dense):
        between = layers[place + 1 : following]
        rank = len(layers[place].input.shape)
        if rank == 2 and all(_elementwise(layer) for layer in (layers[place], *between)):
            found[place] = int(layers[place].units)
    return found


def _choices(model: Any, activations: Sequence[str]) -> dict[int, int]:
    """Of each layer before the last dense one whose activation is among those offered, by its place, which it is."""
    layers = layers_of(model)
    last = max((place for place, layer in enumerate(layers) if type(layer).__name__ == "Dense"), default=0)
    names = [getattr(getattr(layer, "activation", None), "__name__", "") for layer in layers[:last]]
    return {place: activations.index(name) for place, name in enumerate(names) if name in activations}


def _elementwise(layer: Any) -> bool:
    kind = type(layer).__name__
    if kind not in _EACH_ALONE | {"Dense"} or layer.activity_regularizer is not None:
        return False
    if kind == "Dropout" and layer.noise_shape is not None:
        return False
    activation = getattr(layer, "activation", None)
    return activation is None or getattr(activation, "__name__", "") in ELEMENTWISE


def _weights(model: Any, wide: dict[int, int]) -> int:
    """About how many weights the model has with layers so wide."""
    total, width = 0, 0
    for place, layer in enumerate(layers_of(model)):
        if type(layer).__name__ == "Dense":
            units = wide.get(place, int(layer.units))
            total += ((width or int(layer.kernel.shape[0])) + 1) * units
            width = wide.get(place, 0)
        else:
            total += int(layer.count_params())
    return total
