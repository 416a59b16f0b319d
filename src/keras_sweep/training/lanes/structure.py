"""What the models of a space have in common, so that they share a program, and what each lane has of its own.

Two models, each a chain of Keras's own layers, have the same structure where they differ only in numbers that enter
sums and products (rates of dropout, factors of penalties, ...), in the activations of hidden layers, and in their
widths. A narrow layer lies in a wide one whose further weights are zero and stay so: what they put out is multiplied
by zeros. A shallow model runs inside a deeper one: its missing layers pass their input through. A model without
penalties runs in one that has them: its factors are zero.
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

WIDTHS = (64, 128, 256, 512)  # in which narrower hidden layers lie

SLOPE = "negative_slope"
NUMBER_OF = {  # a layer's number that may differ per lane
    **dict.fromkeys(("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"), "rate"),
    **dict.fromkeys(("GaussianDropout", "AlphaDropout"), "rate"),
    "GaussianNoise": "stddev",
    "LeakyReLU": SLOPE,
}
KINDS = ("kernel_regularizer", "bias_regularizer", "gamma_regularizer", "beta_regularizer", "activity_regularizer")
FACTORS = {"L1": ("l1",), "L2": ("l2",), "L1L2": ("l1", "l2")}  # of keras.regularizers
# Of keras.activations: each output is of one input alone, and at zero it and its derivative are finite.
ACTIVATIONS = (
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "celu"),
    *("tanh", "sigmoid", "hard_sigmoid", "softplus", "softsign"),
)
_KNOWN = frozenset(NUMBER_OF) | {
    *("Dense", "ReLU", "ELU", "Activation", "Flatten", "Reshape", "Rescaling"),
    *("BatchNormalization", "LayerNormalization"),
}
_EACH_ALONE = ("Dense", "Dropout", "ReLU", "LeakyReLU", "Activation", "BatchNormalization")  # columns do not mix

Number: TypeAlias = tuple[str, str]  # the kind of the penalty that has it, "" where the layer has it, and its name


@dataclass(frozen=True, eq=False)
class OwnLayer:
    """A layer of a trial's own model."""

    facts: Mapping[str, Any]  # its class and configuration, a placeholder for each number, the width in which it lies
    numbers: Mapping[Number, float]
    width: int | None  # where it lies in a wider one: its own, 0 if the model lacks it
    choice: int | None  # where it has a choice of activations: which it takes of those offered
    trainable: Arrays  # initial, in their own shapes; of shapes of zeros if the model lacks it
    other: Arrays


@dataclass(frozen=True, eq=False)
class OwnModel:
    """A trial's own model, in the structure that it shares with others."""

    row: tuple[tuple[int | None, ...], str]  # its shape and dtype
    layers: tuple[OwnLayer, ...]
    weights: int  # about how many it has with layers so wide

    @cached_property
    def structure(self) -> str:
        """What lanes must have in common to share a program, as JSON."""
        return json.dumps({"input": self.row, "layers": [layer.facts for layer in self.layers]}, sort_keys=True)

    @property
    def trainable(self) -> Arrays:
        """Initial, in the order of `model.trainable_variables`."""
        return tuple(array for layer in self.layers for array in layer.trainable)

    @property
    def other(self) -> Arrays:
        """Initial, in the order of `model.non_trainable_variables`."""
        return tuple(array for layer in self.layers for array in layer.other)


class LanePenalty:
    """As Keras's of the same factors, which are set while a program is traced.

    A sum that overflows is not multiplied by zero, which would be no number: `fit` has no penalty there at all.
    """

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
    """An uncompiled model of this structure, each of its numbers a placeholder, whose weights are of no lane."""
    facts = json.loads(structure)
    shape, dtype = facts["input"]
    layers = []
    for one in facts["layers"]:  # zeros, because drawing numbers in a new shape takes a third of a second to compile
        config = {name: "zeros" if name.endswith("_initializer") else it for name, it in one["config"].items()}
        layers.append(getattr(keras.layers, one["class"]).from_config(config))
    # No layer is built yet, so its weights take over the penalties of lanes.
    for layer in layers:
        for kind in KINDS:
            if getattr(layer, kind, None) is not None:
                setattr(layer, kind, LanePenalty(getattr(layer, kind)))
    return keras.Sequential([keras.layers.Input(tuple(shape), dtype=dtype), *layers])


def find_numbers(model: Any) -> list[tuple[Any, str]]:
    """Who holds each number of a `build_structure_model` a structure, and as which attribute."""
    places = []
    for layer in list_layers(model):
        name = NUMBER_OF.get(type(layer).__name__)
        if name is not None and getattr(layer, name) == PLACEHOLDER:
            places.append((layer, name))
        for penalty in (getattr(layer, kind, None) for kind in KINDS):
            places += [(penalty, factor) for factor in penalty.factors] if penalty is not None else []
    return places


def list_layers(model: Any) -> list[Any]:
    """Its layers in their order, without what stands for its input."""
    return [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


def has_independent_rows(structure: str, *, training: bool) -> bool:
    """Whether each row of a batch goes through a model of this structure alone."""
    layers = json.loads(structure)["layers"]
    penalized = any("activity_regularizer" in facts["config"] for facts in layers)
    return not penalized and not (training and any(facts["class"] == "BatchNormalization" for facts in layers))


def resize_arrays(arrays: Sequence[Any], others: Sequence[Any]) -> Arrays:
    """Arrays made longer by zeros, or cut, to the shapes of others."""
    found = []
    for array, other in zip(arrays, others, strict=True):
        cut = array[tuple(slice(length) for length in other.shape)]
        found.append(np.pad(cut, [(0, most - length) for most, length in zip(other.shape, cut.shape, strict=True)]))
    return tuple(found)


def make_own_model(
    model: Any, *, widen: Callable[[int], bool] | None = None, activations: Sequence[str] = ()
) -> OwnModel | None:
    """A new model, with its initial weights, in the structure that it may share; None where a part of it is unknown.

    `widen` says whether layers may lie in wider ones, given how many weights the model then has; None: they may not.
    `activations` are those that the space offers.
    """
    if not _is_known(model):
        return None
    layers = list_layers(model)
    described = [_describe_layer(layer) for layer in layers]
    dense = [place for place, layer in enumerate(layers) if type(layer).__name__ == "Dense"]
    # A dense layer may lie in a wider one if another follows it, and nothing between them mixes columns.
    hidden = {
        place: int(layers[place].units)
        for place, following in pairwise(dense)
        if len(layers[place].input.shape) == 2
        and all(_is_elementwise(facts) for facts, _ in described[place:following])
    }
    wide = {place: next((most for most in WIDTHS if most >= width), width) for place, width in hidden.items()}
    weights = _count_weights(layers, wide)
    # The activation of each layer before the last dense one, if it is among those offered.
    before_last = described[: max(dense, default=0)]
    names = [facts["config"].get("activation") for facts, _ in before_last]
    choices = {place: activations.index(name) for place, name in enumerate(names) if name in activations}
    if widen is None or not widen(weights):
        hidden, wide, choices = {}, {}, {}
    found, given = [], None
    for place, (layer, (facts, numbers)) in enumerate(zip(layers, described, strict=True)):
        config = facts["config"]
        if config.get("rate", config.get("stddev")) == 0 and not numbers:  # it passes its input through
            continue
        if place in choices:
            config["activation"] = "linear"
            facts["activations"] = list(activations)
        if facts["class"] == "Dense":
            before, given = given or layer.input.shape[-1], wide.get(place)
            if given is not None:
                config["units"] = given
                facts["wider"] = True
                facts["optional"] = before == given  # a model may lack it
        trainable = tuple(np.array(variable.value) for variable in layer.trainable_variables)
        other = tuple(np.array(variable.value) for variable in layer.non_trainable_variables)
        found.append(OwnLayer(facts, numbers, hidden.get(place), choices.get(place), trainable, other))
    (row,) = model.inputs
    return OwnModel((tuple(row.shape[1:]), str(row.dtype)), tuple(found), weights)


def _is_known(model: Any) -> bool:
    """Whether a model is a chain of layers of Keras that are known here, with nothing of the user's in them."""
    if type(model).__name__ not in ("Sequential", "Functional") or not type(model).__module__.startswith("keras."):
        return False
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        return False
    sums = [type(None), *(getattr(keras.regularizers, name) for name in FACTORS)]  # of what each weight costs
    (given,) = model.inputs
    chain = type(model).__name__ == "Sequential"  # a layer of which `add` calls anew whenever another comes
    for layer in list_layers(model):
        kind = type(layer).__name__
        if kind not in _KNOWN or type(layer) is not getattr(keras.layers, kind) or not layer.trainable:
            return False
        if layer.dtype_policy.name != "float32" or getattr(layer, "lora_enabled", False):
            return False
        if any(type(getattr(layer, kind, None)) not in sums for kind in KINDS):
            return False
        # A function of the user's that is called `relu` is configured by this name alone.
        if not getattr(getattr(layer, "activation", None), "__module__", "keras.").startswith("keras."):
            return False
        try:
            follows, given = chain or layer.input is given, layer.output
            config = json.dumps(layer.get_config())
        except (AttributeError, TypeError, ValueError, NotImplementedError):  # called twice, or not to be written
            return False
        if not follows or '"registered_name": "' in config:
            return False
    return chain or given is model.outputs[0]


def _describe_layer(layer: Any) -> tuple[dict[str, Any], dict[Number, float]]:
    """A layer's class and configuration, a placeholder for each of its numbers, and these."""
    kind, config, numbers = type(layer).__name__, json.loads(json.dumps(layer.get_config())), {}
    del config["name"]
    name = NUMBER_OF.get(kind, "")
    value = float(config.get(name, math.inf))
    if (value > 0 or name == SLOPE) and value < (1 if name == "rate" else math.inf):
        numbers["", name] = value
        config[name] = PLACEHOLDER
    # A penalty becomes that of the fewest factors that costs the same: a factor of zero is as good as none.
    for place in KINDS:
        penalty = config.pop(place, None)
        factors = {name: float(value) for name, value in penalty["config"].items() if value > 0} if penalty else {}
        if factors:
            simplest = next(one for one, names in FACTORS.items() if names == tuple(factors))
            config[place] = {**penalty, "class_name": simplest, "config": dict.fromkeys(factors, PLACEHOLDER)}
            numbers |= {(place, name): value for name, value in factors.items()}
    return {"class": kind, "config": config}, numbers


def _is_elementwise(facts: Mapping[str, Any]) -> bool:
    config = facts["config"]
    mixes = facts["class"] not in _EACH_ALONE or "activity_regularizer" in config
    return not mixes and config.get("noise_shape") is None and config.get("activation", "linear") in ACTIVATIONS


def _count_weights(layers: Sequence[Any], wide: Mapping[int, int]) -> int:
    """About how many weights a model has with layers so wide."""
    total, width = 0, 0
    for place, layer in enumerate(layers):
        if type(layer).__name__ == "Dense":
            total += ((width or int(layer.kernel.shape[0])) + 1) * wide.get(place, int(layer.units))
            width = wide.get(place, 0)
        else:
            total += int(layer.count_params())
    return total


def join_models(owns: Sequence[OwnModel | None], pays: Callable[[OwnModel, OwnModel], bool]) -> list[OwnModel | None]:
    """Each of these in the structure of the deepest one that it may lie in; in its own where there is none.

    A function of these alone. `pays` says whether a model may be trained as if it were another one.
    """
    kinds = {own.structure: own for own in owns if own is not None}.values()
    deepest = [one for one in kinds if not any(_embed_model(one, other) for other in kinds if other is not one)]
    deepest.sort(key=lambda one: (-len(one.layers), one.structure))

    def deepened(own: OwnModel) -> OwnModel:
        found = (_embed_model(own, other) for other in deepest if pays(own, other))
        return next(filter(None, found), own)

    return [None if own is None else deepened(own) for own in owns]


def _embed_model(own: OwnModel, other: OwnModel) -> OwnModel | None:
    """A model in the structure of another one; None where it does not lie in it."""
    if own.row != other.row:
        return None
    # The next layer of the shallow model takes the first place that fits. A place that is left over passes its input
    # through, and a model of which a layer finds no place does not lie there.
    left = list(own.layers)
    layers = []
    for layer in other.layers:
        if left and (placed := _embed_layer(left[0], layer)) is not None:
            layers.append(placed)
            del left[0]
        elif (absent := _make_pass_through(layer)) is not None:
            layers.append(absent)
        else:
            return None
    return replace(other, layers=tuple(layers)) if not left else None


def _embed_layer(own: OwnLayer, other: OwnLayer) -> OwnLayer | None:
    """A layer in the place of another one, which may have further penalties; None where they differ in more."""

    def without_penalties(facts: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**facts, "config": {name: value for name, value in facts["config"].items() if name not in KINDS}}

    if without_penalties(own.facts) != without_penalties(other.facts) or not own.numbers.keys() <= other.numbers.keys():
        return None
    return replace(own, facts=other.facts, numbers={name: own.numbers.get(name, 0.0) for name in other.numbers})


def _make_pass_through(layer: OwnLayer) -> OwnLayer | None:
    """A layer as one that passes its input through; None where it can't."""
    number = ("", NUMBER_OF.get(layer.facts["class"], ""))
    if number in layer.numbers:
        numbers = {**dict.fromkeys(layer.numbers, 0.0), number: 1.0 if number[1] == SLOPE else 0.0}
        unused = tuple(map(np.zeros_like, layer.other))  # the seed of a layer that draws no numbers
        return replace(layer, numbers=numbers, other=unused)
    if layer.facts.get("optional"):
        choice = None if layer.choice is None else 0
        nothing = tuple(np.zeros((0,) * array.ndim, array.dtype) for array in layer.trainable)
        return replace(layer, width=0, choice=choice, trainable=nothing)
    return None
