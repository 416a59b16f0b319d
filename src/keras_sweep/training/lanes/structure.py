"""What the models of a space have in common, so that they share a program, and what each lane has of its own.

Two models, each a chain of Keras's own layers, have the same structure where they differ only in numbers that enter
sums and products (rates of dropout, factors of penalties, ...), in the activations of hidden layers, and in their
widths. A narrow layer lies in a wide one whose further weights are zero and stay so: what they put out is multiplied
by zeros. A shallow model runs inside a deeper one: its missing layers pass their input through. A model without
penalties runs in one that has them: its factors are zero.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from keras_sweep.training.checkpoint import Arrays
from keras_sweep.training.lanes.signature import PLACEHOLDER

SLOPE = "negative_slope"
NUMBER_OF = {  # a layer's number that may differ per lane
    "Dropout": "rate",
    "SpatialDropout1D": "rate",
    "SpatialDropout2D": "rate",
    "SpatialDropout3D": "rate",
    "GaussianDropout": "rate",
    "AlphaDropout": "rate",
    "GaussianNoise": "stddev",
    "LeakyReLU": SLOPE,
}


@dataclass(frozen=True, eq=False)
class OwnLayer:
    """A layer of a trial's own model."""

    facts: str  # JSON: its class and configuration, a placeholder for each of its numbers, the width in which it lies
    numbers: tuple[float, ...]
    width: int | None  # where it lies in a wider one: its own, 0 if the model lacks it
    choice: int | None  # where it has a choice of activations: which it takes of those offered
    trainable: Arrays  # initial, in their own shapes; of shapes of zeros if the model lacks it
    other: Arrays


@dataclass(frozen=True, eq=False)
class OwnModel:
    """A trial's own model, in the structure that it shares with others."""

    given: tuple[tuple[int | None, ...], str]  # the shape of a row and its dtype
    layers: tuple[OwnLayer, ...]
    weights: int  # about how many it has with layers so wide

    @cached_property
    def structure(self) -> str:
        """What lanes must have in common to share a program, as JSON."""
        layers = [json.loads(layer.facts) for layer in self.layers]
        return json.dumps({"input": self.given, "layers": layers}, sort_keys=True)

    @property
    def numbers(self) -> tuple[float, ...]:
        """In the order of `number_places`."""
        return tuple(number for layer in self.layers for number in layer.numbers)

    @property
    def widths(self) -> tuple[int, ...]:
        """Of the layers that lie in wider ones, first to last."""
        return tuple(layer.width for layer in self.layers if layer.width is not None)

    @property
    def choices(self) -> tuple[int, ...]:
        """Of the layers that have a choice of activations, first to last."""
        return tuple(layer.choice for layer in self.layers if layer.choice is not None)

    @property
    def trainable(self) -> Arrays:
        """Initial, in the order of `model.trainable_variables`."""
        return tuple(array for layer in self.layers for array in layer.trainable)

    @property
    def other(self) -> Arrays:
        """Initial, in the order of `model.non_trainable_variables`."""
        return tuple(array for layer in self.layers for array in layer.other)


def model_of(structure: str) -> Any:
    """An uncompiled model of this structure."""
    import keras

    facts = json.loads(structure)
    shape, dtype = facts["input"]
    layers = [getattr(keras.layers, one["class"]).from_config(one["config"]) for one in facts["layers"]]
    for layer in layers:
        guard_penalties(layer)
    return keras.Sequential([keras.layers.Input(tuple(shape), dtype=dtype), *layers])


def number_places(model: Any) -> Iterator[tuple[Any, str]]:
    """Who holds each number that may differ per lane, and as which attribute."""
    for layer in layers_of(model):
        yield from numbers_of_layer(layer)


def numbers_of_layer(layer: Any) -> Iterator[tuple[Any, str]]:
    """As `number_places`, of one layer."""
    name = NUMBER_OF.get(type(layer).__name__)
    if name is not None:
        value = getattr(layer, name)
        if (value > 0 or name == SLOPE) and value < (1 if name == "rate" else np.inf):
            yield layer, name
    for penalty in (getattr(layer, kind, None) for kind in KINDS):
        yield from ((penalty, factor) for factor in factors_of(penalty))


def names_of_numbers(facts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Of a layer's facts, as JSON says them: the penalty that has each number, or "", and its name; in their order."""
    config = facts["config"]
    name = NUMBER_OF.get(facts["class"])
    own = (("", name),) if name is not None and config[name] == PLACEHOLDER else ()
    penalties = ((kind, config[kind]["class_name"]) for kind in KINDS if config.get(kind) is not None)
    return *own, *((kind, factor) for kind, penalty in penalties for factor in FACTORS[penalty])


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


KINDS = ("kernel_regularizer", "bias_regularizer", "gamma_regularizer", "beta_regularizer", "activity_regularizer")
FACTORS = {"L1": ("l1",), "L2": ("l2",), "L1L2": ("l1", "l2")}  # of keras.regularizers


class LanePenalty:
    """As Keras's of the same factors, which are set while a program is traced.

    A sum that overflows is not multiplied by zero, which would be no number: `fit` has no penalty there at all.
    """

    def __init__(self, penalty: Any) -> None:
        self.factors = factors_of(penalty)
        for name in self.factors:
            setattr(self, name, getattr(penalty, name))

    def __call__(self, x: Any) -> Any:
        import jax.numpy as jnp
        from keras import ops

        costs = {"l1": ops.absolute, "l2": ops.square}
        total = 0.0
        for name in self.factors:
            factor = jnp.asarray(getattr(self, name), x.dtype)
            total = total + jnp.where(factor > 0, factor * ops.sum(costs[name](x)), 0.0)
        return total


def factors_of(penalty: Any) -> tuple[str, ...]:
    """The attributes that hold a penalty's factors; none where it is unknown."""
    return penalty.factors if isinstance(penalty, LanePenalty) else FACTORS.get(type(penalty).__name__, ())


def simplify_penalties(layer: Any) -> None:
    """Give a layer the penalties that cost the same with the fewest factors: a factor of zero is as good as none."""
    for kind in KINDS:
        if getattr(layer, kind, None) is not None:
            setattr(layer, kind, _simplest(getattr(layer, kind)))


def guard_penalties(layer: Any) -> None:
    """Make a layer's penalties those of lanes. It is not built yet: its weights take them over."""
    for kind in KINDS:
        if getattr(layer, kind, None) is not None:
            setattr(layer, kind, LanePenalty(getattr(layer, kind)))


def _simplest(penalty: Any) -> Any:
    import keras

    factors = {name: value for name in factors_of(penalty) if (value := float(getattr(penalty, name))) > 0}
    kind = next((kind for kind, names in FACTORS.items() if names == tuple(factors)), None)
    return None if kind is None else getattr(keras.regularizers, kind)(**factors)


def joined_models(owns: Sequence[OwnModel], pays: Callable[[OwnModel, OwnModel], bool]) -> list[OwnModel]:
    """Each of these in the structure of the deepest one that it may lie in; in its own where there is none.

    A function of these alone. `pays` says whether a model may be trained as if it were another one.
    """
    kinds = {own.structure: own for own in owns}
    deepest = [
        one for one in kinds.values() if not any(_lying_in(one, other) for other in kinds.values() if other is not one)
    ]
    deepest.sort(key=lambda one: (-len(one.layers), one.structure))

    def deepened(own: OwnModel) -> OwnModel:
        found = (_lying_in(own, other) for other in deepest if pays(own, other))
        return next((one for one in found if one is not None), own)

    return [deepened(own) for own in owns]


def _lying_in(own: OwnModel, other: OwnModel) -> OwnModel | None:
    """A model in the structure of another one; None where it does not lie in it."""
    if own.given != other.given:
        return None
    left = list(own.layers)
    layers = []
    for layer in other.layers:
        if left and (placed := _in_place_of(left[0], layer)) is not None:
            layers.append(placed)
            del left[0]
        elif (absent := _absent(layer)) is not None:
            layers.append(absent)
        else:
            return None
    return replace(other, layers=tuple(layers)) if not left else None


def _in_place_of(own: OwnLayer, other: OwnLayer) -> OwnLayer | None:
    """A layer in the place of another one, which may have further penalties; None where they differ in more."""
    if own.facts == other.facts:
        return own
    mine, its = json.loads(own.facts), json.loads(other.facts)
    numbers = dict(zip(names_of_numbers(mine), own.numbers, strict=True))
    names = names_of_numbers(its)
    for facts in (mine, its):
        for kind in KINDS:
            facts["config"].pop(kind, None)
    if mine != its or not set(numbers) <= set(names):
        return None
    return replace(own, facts=other.facts, numbers=tuple(numbers.get(name, 0.0) for name in names))


def _absent(layer: OwnLayer) -> OwnLayer | None:
    """A layer as one that hands on what it is given; None where it can't."""
    facts = json.loads(layer.facts)
    name = NUMBER_OF.get(facts["class"])
    if name is not None and ("", name) in names_of_numbers(facts):
        rest = 1.0 if name == SLOPE else 0.0
        return replace(layer, numbers=(rest, *(0.0 for _ in layer.numbers[1:])), other=_nothing(layer.other))
    if facts.get("optional"):
        choice = None if layer.choice is None else 0
        nothing = tuple(np.zeros((0,) * array.ndim, array.dtype) for array in layer.trainable)
        return replace(layer, width=0, choice=choice, trainable=nothing)
    return None


def _nothing(arrays: Arrays) -> Arrays:
    """As of a layer that draws no numbers, whose seeds are never read."""
    return tuple(np.zeros_like(array) for array in arrays)
