"""Models of several depths in one structure: one lies in a deeper one, whose further layers hand on what they get.

So does a model without penalties in one that has them: its factors are zero.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from keras_sweep.training.lanes.penalties import KINDS
from keras_sweep.training.lanes.structure import NUMBER_OF, SLOPE, OwnLayer, OwnModel, names_of_numbers
from keras_sweep.training.training_state import Arrays


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
