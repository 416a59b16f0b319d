"""Describe models by structures. Models with the same structure share a program, although they differ in numbers.

Only chains of Keras's own layers can share a structure. They may differ in numbers that enter sums and products
(dropout rates, penalty factors, ...), in the activations of hidden layers, and in widths. A narrow layer is stored in a
wide layer. The extra weights are zero and stay zero, because zeros multiply their outputs. A shallow model runs inside
a deeper model: the layers that it lacks return their input. Penalties that a model lacks have the factor zero.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

import jax.numpy as jnp
import keras
import numpy as np
from keras import ops

from keras_sweep.training.checkpoint import Arrays
from keras_sweep.training.lanes.signature import PLACEHOLDER

WIDTHS = (64, 128, 256, 512)  # narrower hidden layers are stored in the next width

SLOPE = "negative_slope"
NUMBER_OF = {  # layer class -> its number that may differ per lane
    **dict.fromkeys(("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"), "rate"),
    **dict.fromkeys(("GaussianDropout", "AlphaDropout"), "rate"),
    "GaussianNoise": "stddev",
    "LeakyReLU": SLOPE,
}
PENALTIES = ("kernel_regularizer", "bias_regularizer", "gamma_regularizer", "beta_regularizer", "activity_regularizer")
FACTORS = {"L1": ("l1",), "L2": ("l2",), "L1L2": ("l1", "l2")}  # classes of keras.regularizers
# Elementwise functions of keras.activations. At zero, they and their derivatives are finite.
ACTIVATIONS = (
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "celu"),
    *("tanh", "sigmoid", "hard_sigmoid", "softplus", "softsign"),
)
_KNOWN = frozenset(NUMBER_OF) | {
    *("Dense", "ReLU", "ELU", "Activation", "Flatten", "Reshape", "Rescaling"),
    *("BatchNormalization", "LayerNormalization"),
}
# Between dense layers, these layers do not mix columns.
_ELEMENTWISE = ("Dense", "Dropout", "ReLU", "LeakyReLU", "Activation", "BatchNormalization")

Number: TypeAlias = tuple[str, str]  # penalty argument, or "" for the layer's own number; name of the number


@dataclass(frozen=True, eq=False)
class OwnLayer:
    facts: Mapping[str, Any]  # class, configuration with placeholders for numbers, whether it is widened
    numbers: Mapping[Number, float]
    width: int | None  # own width if the layer is widened, 0 if the model lacks the layer
    choice: int | None  # index of the activation, if the layer has a choice
    trainable: Arrays  # initial values in the model's own shapes, empty if the model lacks the layer
    other: Arrays


@dataclass(frozen=True, eq=False)
class OwnModel:
    """A trial's model in two parts: a chain of layers that other models share, and its own numbers (rates, widths)."""

    row: tuple[tuple[int | None, ...], str]  # shape and dtype of an input row
    layers: tuple[OwnLayer, ...]
    weights: int  # approximate number of weights in the widened model

    @cached_property
    def structure(self) -> str:
        """The structure as JSON. Models with equal structures may share a program."""
        return json.dumps({"input": self.row, "layers": [layer.facts for layer in self.layers]}, sort_keys=True)

    @property
    def trainable(self) -> Arrays:
        """The initial values of the trial's trainable variables, in Keras's order."""
        return tuple(array for layer in self.layers for array in layer.trainable)

    @property
    def other(self) -> Arrays:
        """The initial values of the trial's non-trainable variables, in Keras's order."""
        return tuple(array for layer in self.layers for array in layer.other)


class LanePenalty:
    """An L1 or L2 penalty of Keras with factors set during tracing. Factor 0 gives 0, even if the sum overflows."""

    def __init__(self, penalty: Any) -> None:
        self.factors = FACTORS[type(penalty).__name__]
        for name in self.factors:
            setattr(self, name, getattr(penalty, name))

    def __call__(self, x: Any) -> Any:
        costs = {"l1": ops.absolute, "l2": ops.square}
        total = 0.0
        for name in self.factors:
            factor = jnp.asarray(getattr(self, name), x.dtype)
            total = total + jnp.where(factor > 0, factor * ops.sum(costs[name](x)), 0.0)
        return total


def build_structure_model(structure: str) -> Any:
    """Build an uncompiled Keras model of a structure (JSON). Per-lane numbers are placeholders, weights are zero."""
    structure_facts = json.loads(structure)
    shape, dtype = structure_facts["input"]
    layers = []
    # Zeros, because XLA takes a third of a second to compile random numbers of a new shape.
    for facts in structure_facts["layers"]:
        config = {name: "zeros" if name.endswith("_initializer") else value for name, value in facts["config"].items()}
        layers.append(getattr(keras.layers, facts["class"]).from_config(config))
    # Layers are not built yet, so their weights will use these penalties.
    for layer in layers:
        for kind in PENALTIES:
            if getattr(layer, kind, None) is not None:
                setattr(layer, kind, LanePenalty(getattr(layer, kind)))
    return keras.Sequential([keras.layers.Input(tuple(shape), dtype=dtype), *layers])


def find_numbers(model: Any) -> list[tuple[Any, str]]:
    """Return (layer or penalty, attribute) of each per-lane number in a model that `build_structure_model` built."""
    places = []
    for layer in list_layers(model):
        if (name := NUMBER_OF.get(type(layer).__name__)) is not None and getattr(layer, name) == PLACEHOLDER:
            places.append((layer, name))
        for penalty in (getattr(layer, kind, None) for kind in PENALTIES):
            places += [(penalty, factor) for factor in penalty.factors] if penalty is not None else []
    return places


def list_layers(model: Any) -> list[Any]:
    """Return the layers in order, without input layers."""
    return [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


def has_independent_rows(structure: str, *, training: bool) -> bool:
    """Return whether a structure (JSON) computes each row independently, in training (if `training`) or validation."""
    layers = json.loads(structure)["layers"]
    penalized = any("activity_regularizer" in facts["config"] for facts in layers)
    return not penalized and not (training and any(facts["class"] == "BatchNormalization" for facts in layers))


def resize_arrays(arrays: Sequence[Any], targets: Sequence[Any]) -> Arrays:
    """Cut each array, or pad it with zeros, to the shape of the target in the same position."""
    resized = []
    for array, target in zip(arrays, targets, strict=True):
        cut = array[tuple(slice(length) for length in target.shape)]
        resized.append(np.pad(cut, [(0, size - length) for size, length in zip(target.shape, cut.shape, strict=True)]))
    return tuple(resized)


def make_own_model(
    model: Any, *, widen: Callable[[int], bool] | None = None, activations: Sequence[str] = ()
) -> OwnModel | None:
    """Describe a newly built Keras model. Return None if a part of the model can't be shared.

    If `widen(weights)` returns True, narrow layers are stored in wider layers, which gives the model `weights` weights.
    `activations`: the names that the space offers. Activations differ per lane only if `widen` returns True.
    """
    if not _is_known_chain(model):
        return None
    layers = list_layers(model)
    descriptions = [_describe_layer(layer) for layer in layers]
    dense = [index for index, layer in enumerate(layers) if type(layer).__name__ == "Dense"]
    # A dense layer may be widened if another dense layer follows, and no layer between them mixes columns.
    own_widths = {
        index: int(layers[index].units)
        for index, following in pairwise(dense)
        if len(layers[index].input.shape) == 2
        and all(_is_elementwise(facts) for facts, _ in descriptions[index:following])
    }
    new_widths = {index: next((size for size in WIDTHS if size >= width), width) for index, width in own_widths.items()}
    weights = _count_weights(layers, new_widths)
    # Before the last dense layer, a layer's activation may differ per lane, if it is an activation of the space.
    before_last = descriptions[: max(dense, default=0)]
    names = [facts["config"].get("activation") for facts, _ in before_last]
    choices = {index: activations.index(name) for index, name in enumerate(names) if name in activations}
    if widen is None or not widen(weights):
        own_widths, new_widths, choices = {}, {}, {}
    own_layers, output_width = [], None
    for index, (layer, (facts, numbers)) in enumerate(zip(layers, descriptions, strict=True)):
        config = facts["config"]
        if config.get("rate", config.get("stddev")) == 0 and not numbers:  # the layer returns its input
            continue
        if index in choices:
            config["activation"] = "linear"
            facts["activations"] = list(activations)
        if facts["class"] == "Dense":
            input_width, output_width = output_width or layer.input.shape[-1], new_widths.get(index)
            if output_width is not None:
                config["units"] = output_width
                facts["wider"] = True
                facts["optional"] = input_width == output_width
        trainable = tuple(np.array(variable.value) for variable in layer.trainable_variables)
        other = tuple(np.array(variable.value) for variable in layer.non_trainable_variables)
        own_layers.append(OwnLayer(facts, numbers, own_widths.get(index), choices.get(index), trainable, other))
    (row,) = model.inputs
    return OwnModel((tuple(row.shape[1:]), str(row.dtype)), tuple(own_layers), weights)


def _is_known_chain(model: Any) -> bool:
    if type(model).__name__ not in ("Sequential", "Functional") or not type(model).__module__.startswith("keras."):
        return False
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        return False
    known_penalties = [type(None), *(getattr(keras.regularizers, name) for name in FACTORS)]
    (output,) = model.inputs
    # `Sequential.add` calls its layers again, so their inputs can't be compared.
    is_sequential = type(model).__name__ == "Sequential"
    for layer in list_layers(model):
        kind = type(layer).__name__
        if kind not in _KNOWN or type(layer) is not getattr(keras.layers, kind) or not layer.trainable:
            return False
        if layer.dtype_policy.name != "float32" or getattr(layer, "lora_enabled", False):
            return False
        if any(type(getattr(layer, kind, None)) not in known_penalties for kind in PENALTIES):
            return False
        # The configuration names a custom function `relu` like Keras's own.
        if not getattr(getattr(layer, "activation", None), "__module__", "keras.").startswith("keras."):
            return False
        try:
            follows_output, output = is_sequential or layer.input is output, layer.output
            config = json.dumps(layer.get_config())
        except (AttributeError, TypeError, ValueError, NotImplementedError):  # layer called twice, or no JSON
            return False
        if not follows_output or '"registered_name": "' in config:
            return False
    return is_sequential or output is model.outputs[0]


def _describe_layer(layer: Any) -> tuple[dict[str, Any], dict[Number, float]]:
    """Return ({"class": ..., "config": ...}, per-lane numbers). In `config`, these numbers are `PLACEHOLDER`."""
    kind, config, numbers = type(layer).__name__, json.loads(json.dumps(layer.get_config())), {}
    del config["name"]
    name = NUMBER_OF.get(kind, "")
    value = float(config.get(name, math.inf))
    if (value > 0 or name == SLOPE) and value < (1 if name == "rate" else math.inf):
        numbers["", name] = value
        config[name] = PLACEHOLDER
    # A factor of zero costs nothing, so the penalty becomes the class that has only the other factors.
    for argument in PENALTIES:
        penalty = config.pop(argument, None)
        factors = {name: float(value) for name, value in penalty["config"].items() if value > 0} if penalty else {}
        if factors:
            simplest = next(class_name for class_name, names in FACTORS.items() if names == tuple(factors))
            config[argument] = {**penalty, "class_name": simplest, "config": dict.fromkeys(factors, PLACEHOLDER)}
            numbers |= {(argument, name): value for name, value in factors.items()}
    return {"class": kind, "config": config}, numbers


def _is_elementwise(facts: Mapping[str, Any]) -> bool:
    config = facts["config"]
    mixes = facts["class"] not in _ELEMENTWISE or "activity_regularizer" in config
    return not mixes and config.get("noise_shape") is None and config.get("activation", "linear") in ACTIVATIONS


def _count_weights(layers: Sequence[Any], widths: Mapping[int, int]) -> int:
    """Estimate the number of weights if dense layers have these widths (layer index -> units)."""
    total, width = 0, 0
    for index, layer in enumerate(layers):
        if type(layer).__name__ == "Dense":
            total += ((width or int(layer.kernel.shape[0])) + 1) * widths.get(index, int(layer.units))
            width = widths.get(index, 0)
        else:
            total += int(layer.count_params())
    return total


def join_models(owns: Sequence[OwnModel | None], pays: Callable[[OwnModel, OwnModel], bool]) -> list[OwnModel | None]:
    """Describe each of `owns` in the structure of the deepest of them that can hold its layers. None stays None.

    The result depends only on the models. `pays(model, deeper)` returns whether the deeper structure is worth its cost.
    """
    models = {own.structure: own for own in owns if own is not None}.values()
    deepest = [own for own in models if not any(_embed_model(own, deeper) for deeper in models if deeper is not own)]
    deepest.sort(key=lambda own: (-len(own.layers), own.structure))

    def deepen(own: OwnModel) -> OwnModel:
        embedded = (_embed_model(own, deeper) for deeper in deepest if pays(own, deeper))
        return next(filter(None, embedded), own)

    return [None if own is None else deepen(own) for own in owns]


def _embed_model(model: OwnModel, deeper: OwnModel) -> OwnModel | None:
    if model.row != deeper.row:
        return None
    # Each layer takes the first deeper layer that fits. All other deeper layers return their input.
    remaining = list(model.layers)
    layers = []
    for layer in deeper.layers:
        if remaining and (embedded := _embed_layer(remaining[0], layer)) is not None:
            layers.append(embedded)
            del remaining[0]
        elif (absent := _make_pass_through(layer)) is not None:
            layers.append(absent)
        else:
            return None
    return replace(deeper, layers=tuple(layers)) if not remaining else None


def _embed_layer(layer: OwnLayer, target: OwnLayer) -> OwnLayer | None:
    """Return the layer with `target`'s penalties; new penalties get factor 0. None: the layers differ otherwise."""

    def drop_penalties(facts: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**facts, "config": {name: value for name, value in facts["config"].items() if name not in PENALTIES}}

    if drop_penalties(layer.facts) != drop_penalties(target.facts) or not layer.numbers.keys() <= target.numbers.keys():
        return None
    return replace(layer, facts=target.facts, numbers={name: layer.numbers.get(name, 0.0) for name in target.numbers})


def _make_pass_through(layer: OwnLayer) -> OwnLayer | None:
    """Return the layer, changed so that it returns its input. Return None if the layer can't do that."""
    number = ("", NUMBER_OF.get(layer.facts["class"], ""))
    if number in layer.numbers:
        numbers = {**dict.fromkeys(layer.numbers, 0.0), number: 1.0 if number[1] == SLOPE else 0.0}
        unused = tuple(map(np.zeros_like, layer.other))  # the layer draws no numbers with its seed
        return replace(layer, numbers=numbers, other=unused)
    if layer.facts.get("optional"):
        choice = None if layer.choice is None else 0
        empty = tuple(np.zeros((0,) * array.ndim, array.dtype) for array in layer.trainable)
        return replace(layer, width=0, choice=choice, trainable=empty)
    return None
