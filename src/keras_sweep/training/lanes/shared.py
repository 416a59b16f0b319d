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
    """Where lanes' own numbers go in a model of the structure. Layers are known by their places."""

    numbers: int  # M
    inputs: Sequence[int | None]  # [U] of each wider layer: how many numbers it is given; None: those of the one before
    axes: Sequence[tuple[int | None, ...]]  # of each trainable variable: which of `lengths` an axis has, if any
    dropouts: Mapping[int, int]  # that come to a wider layer: which of `lengths` is in use there
    optional: Mapping[int, int]  # of the wider layers that a lane may lack: which they are
    activations: Mapping[int, Sequence[str]]  # of the layers that have a choice: what is offered

    @classmethod
    def of(cls, model: Any, structure: str) -> Shared:
        """That of a model of the structure."""
        layers = json.loads(structure)["layers"]
        count = sum(facts.get("wider", False) for facts in layers)
        axes: dict[int, tuple[int | None, ...]] = {}
        dropouts, optional = {}, {}
        inputs: list[int | None] = []
        current: int | None = None  # the wider layer whose outputs these are
        for place, (layer, facts) in enumerate(zip(layers_of(model), layers, strict=True)):
            kind = type(layer).__name__
            before, own = current, current
            if kind == "Dense":
                current, own = None, None
                if facts.get("wider"):
                    current = len(inputs)
                    own = count + current
                    inputs.append(int(layer.input.shape[-1]) if before is None else None)
                    if facts["optional"]:
                        optional[place] = current
            if kind == "Dropout" and current is not None and 0 < layer.rate < 1:
                dropouts[place] = current
            for variable in layer.trainable_variables:
                axes[id(variable)] = (before, own) if len(variable.shape) == 2 else (own,) * len(variable.shape)
        in_order = [axes[id(variable)] for variable in model.trainable_variables]
        chosen = {place: facts["activations"] for place, facts in enumerate(layers) if "activations" in facts}
        return cls(len(list(number_places(model))), inputs, in_order, dropouts, optional, chosen)

    def any_lane(self, value: float) -> LaneNumbers:
        """Numbers of the right shapes, to trace a program with."""
        numbers = np.full((self.numbers, 2), value, np.float32)
        return LaneNumbers(numbers, np.zeros(len(self.inputs), np.int32), np.zeros(len(self.activations), np.int32))

    def lengths(self, widths: Any) -> list[Any]:
        """Traced: [2U] how many numbers are in use after each wider layer, be it there or not; then its own widths."""
        import jax.numpy as jnp

        after: list[Any] = []
        for width, given in zip(widths, self.inputs, strict=True):
            after.append(jnp.where(width > 0, width, after[-1] if given is None else given))
        return [*after, *widths]
