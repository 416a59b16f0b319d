"""Takes a trial's model apart into the structure that it shares with others, and what it has of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from keras_sweep.training.lanes.lane_numbers import ELEMENTWISE
from keras_sweep.training.lanes.signature import PLACEHOLDER
from keras_sweep.training.lanes.structure import (
    FACTORS,
    KINDS,
    NUMBER_OF,
    OwnLayer,
    OwnModel,
    layers_of,
    numbers_of_layer,
    simplify_penalties,
)

WIDTHS = (64, 128, 256, 512)  # in which narrower hidden layers lie

_KNOWN = frozenset(NUMBER_OF) | {
    *("Dense", "ReLU", "ELU", "Activation", "Flatten", "Reshape", "Rescaling"),
    *("BatchNormalization", "LayerNormalization"),
}
_EACH_ALONE = frozenset({"Dropout", "ReLU", "LeakyReLU", "Activation", "BatchNormalization"})  # columns do not mix


def own_model(model: Any, *, widen: Callable[[int], bool] | None, activations: Sequence[str] = ()) -> OwnModel | None:
    """A new model in the structure that it may share; None where a part of it is unknown. The model is used up.

    Args:
        model: built, with its initial weights.
        widen: whether layers may lie in wider ones, given how many weights the model then has; None if they may not.
        activations: those that the space offers.
    """
    if not _is_known(model):
        return None
    layers = layers_of(model)
    for layer in layers:
        simplify_penalties(layer)
    hidden = _may_be_wider(model)
    wide = {place: next((most for most in WIDTHS if most >= width), width) for place, width in hidden.items()}
    weights = _weights(model, wide)
    choices = _choices(model, activations)
    if widen is None or not widen(weights):
        hidden, wide, choices = {}, {}, {}
    own = [  # before any number is replaced, since layers may hold the same penalty
        OwnLayer(
            "",
            tuple(float(getattr(owner, name)) for owner, name in numbers_of_layer(layer)),
            hidden.get(place),
            choices.get(place),
            tuple(np.array(variable.value) for variable in layer.trainable_variables),
            tuple(np.array(variable.value) for variable in layer.non_trainable_variables),
        )
        for place, layer in enumerate(layers)
    ]
    for owner, name in [number for layer in layers for number in numbers_of_layer(layer)]:
        setattr(owner, name, PLACEHOLDER)
    found, given = [], None
    for place, layer in enumerate(layers):
        if _is_inactive(layer):
            continue
        facts = _described(layer)
        if place in choices:
            facts["config"]["activation"] = "linear"
            facts["activations"] = list(activations)
        if type(layer).__name__ == "Dense":
            before, given = given or layer.input.shape[-1], wide.get(place)
            if given is not None:
                facts["config"]["units"] = given
                facts["wider"] = True
                facts["optional"] = before == given  # a model may lack it
        found.append(replace(own[place], facts=json.dumps(facts)))
    (row,) = model.inputs
    return OwnModel((tuple(row.shape[1:]), str(row.dtype)), tuple(found), weights)


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
        if not all(_is_sum(penalty) for penalty in (getattr(layer, each, None) for each in KINDS)):
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

    known = (getattr(keras.regularizers, name) for name in FACTORS)
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


def _is_inactive(layer: Any) -> bool:
    """Whether it drops nothing and adds no noise, so that it hands on what it is given."""
    name = NUMBER_OF.get(type(layer).__name__)
    return name in ("rate", "stddev") and getattr(layer, name) == 0 and layer.activity_regularizer is None


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
