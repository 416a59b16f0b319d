"""What lanes have of their own in a structure that they share, and where it goes in the model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from keras_sweep.training.lanes.structure import OwnModel, layers_of, number_places


class LaneNumbers(NamedTuple):
    """A lane's own numbers; of T lanes each array has one more axis, the last."""

    numbers: Any  # [M, 2] in the order of `number_places`, each with its complement to one
    widths: Any  # [U] of the layers that lie in wider ones
    choices: Any  # [C] which activation they take, of the layers that have a choice

    @classmethod
    def of(cls, own: OwnModel) -> LaneNumbers:
        """Those of a trial's own model. A complement is computed in double precision, as Keras does."""
        values = np.array(own.numbers, np.float64)
        numbers = np.stack([values, 1 - values], axis=-1).astype(np.float32)
        return cls(numbers, np.array(own.widths, np.int32), np.array(own.choices, np.int32))


def stacked(lanes: Sequence[LaneNumbers]) -> LaneNumbers:
    """Those of all lanes."""
    return LaneNumbers(*(np.stack(each, axis=-1) for each in zip(*lanes, strict=True)))


@dataclass(frozen=True)
class Shared:
    """Where lanes' own numbers go in a model of the structure."""

    numbers: int  # M
    widths: int  # U
    axes: Sequence[tuple[int | None, ...]]  # of each trainable variable, as `_wide_axes` gives them
    dropouts: Mapping[int, int]
    activations: Mapping[int, Sequence[str]]  # of the layers that have a choice, by place: what is offered

    @classmethod
    def of(cls, model: Any, structure: str) -> Shared:
        """That of a model of the structure."""
        axes, dropouts = _wide_axes(model, structure)
        wider = {index for one in axes for index in one if index is not None}
        return cls(len(list(number_places(model))), len(wider), axes, dropouts, _chosen_activations(structure))

    def any_lane(self, value: float) -> LaneNumbers:
        """Numbers of the right shapes, to trace a program with."""
        numbers = np.full((self.numbers, 2), value, np.float32)
        return LaneNumbers(numbers, np.zeros(self.widths, np.int32), np.zeros(len(self.activations), np.int32))


def _wide_axes(model: Any, structure: str) -> tuple[list[tuple[int | None, ...]], dict[int, int]]:
    """Which axes of each trainable variable are as long as which of the wider layers; None for those as in the model.

    Beside it, of each dropout that such a layer comes to, by its place among the layers, which it is.
    """
    axes: dict[int, tuple[int | None, ...]] = {}
    dropouts: dict[int, int] = {}
    current, count = None, 0
    for place, (layer, facts) in enumerate(zip(layers_of(model), json.loads(structure)["layers"], strict=True)):
        kind = type(layer).__name__
        before = current
        if kind == "Dense":
            current, count = (count, count + 1) if facts.get("wider") else (None, count)
        if kind == "Dropout" and current is not None and 0 < layer.rate < 1:
            dropouts[place] = current
        for variable in layer.trainable_variables:
            axes[id(variable)] = (before, current) if len(variable.shape) == 2 else (current,) * len(variable.shape)
    return [axes[id(variable)] for variable in model.trainable_variables], dropouts


def _chosen_activations(structure: str) -> dict[int, Sequence[str]]:
    """Of each layer whose activation differs among lanes, by its place, which are offered."""
    layers = enumerate(json.loads(structure)["layers"])
    return {place: facts["activations"] for place, facts in layers if "activations" in facts}
