"""What the models of a space have in common, so that they share a program, and what each lane has of its own.

Two models, each a chain of Keras's own layers, have the same structure where they differ only in numbers that enter
sums and products (rates of dropout, factors of penalties, ...), in the activations of hidden layers, and in their
widths. A narrow layer lies in a wide one whose further weights are zero and stay so: what they put out is multiplied
by zeros. A layer that a model lacks hands on what it is given.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from keras_sweep.training.lanes.penalties import FACTORS, KINDS, factors_of, guard_penalties
from keras_sweep.training.lanes.signature import PLACEHOLDER
from keras_sweep.training.training_state import Arrays

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
