"""How the variables of all lanes lie in memory, and one training step on them. T lanes, B rows a batch.

Two layouts behind one interface. `Flat` keeps each variable of all lanes as one array: an optimizer that works element
by element then does not know lanes, and XLA updates them in one loop. `Stacked` puts lanes first and maps
`fit`'s own step over them: right for every optimizer, two to three times slower for the elementwise ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.lanes.lane_numbers import LaneNumbers, stacked
from keras_sweep.training.lanes.signature import PLACEHOLDER
from keras_sweep.training.lanes.structure import OwnModel
from keras_sweep.training.lanes.template import Template

State: TypeAlias = tuple[list[Any], list[Any], list[Any]]  # trainable, other, optimizer: device arrays of all lanes


class Numbers(NamedTuple):
    """What differs among the lanes of a program beside their variables; NumPy's arrays, or JAX's while it is traced."""

    learning_rates: Any  # [T]
    variants: Any  # [T] which of the signature's optimizers a lane uses
    per_lane: Any  # [F, 2, T] lanes' own values of optimizer arguments, and one less each
    model: LaneNumbers | None = None  # of lanes that share a structure
    batch_size: Any = None  # of all lanes, where steps are masked


def no_numbers(template: Template, lanes: int) -> Numbers:
    """Numbers of the right shapes, to trace a program with."""
    per_lane = np.full((len(template.signature.per_lane), 2, lanes), PLACEHOLDER, np.float32)
    batch = np.int32(template.signature.batch_size) if template.signature.masked else None
    numbers = Numbers(np.zeros(lanes, np.float32), np.zeros(lanes, np.int32), per_lane, batch_size=batch)
    if template.shared is None:
        return numbers
    return numbers._replace(model=stacked([template.shared.any_lane(PLACEHOLDER)] * lanes))


class Layout(Protocol):
    """The step of a program, and the way from lanes to its arrays and back."""

    def initial(self, own: OwnModel | None = None) -> TrainingState:
        """A lane before its first epoch; of a model that shares a structure if it is given."""
        ...

    def stack(self, lanes: Sequence[TrainingState]) -> State:
        """Device arrays of these lanes."""
        ...

    def lane(self, state: State, index: int) -> TrainingState:
        """A copy of one lane."""
        ...

    def prepare(self, numbers: Numbers) -> Any:
        """Traced: the numbers as the step takes them, computed once an epoch."""
        ...

    def step(
        self, state: State, metrics: list[Any], numbers: Any, x: Any, y: Any, counted: Any = None
    ) -> tuple[State, list[Any]]:
        """Traced: one batch, shared by all lanes; where steps are masked, [B] is 1 for its rows, 0 for further ones."""
        ...

    def test(self, state: State, metrics: list[Any], numbers: Any, x: Any, y: Any) -> tuple[State, list[Any], Any]:
        """Traced: one more batch of validation rows, which may change the other variables as in `fit`; metrics.

        Last [T, B] whether each row is right, as `template.right` tells; None where it can't.
        """
        ...

    def finite(self, state: State) -> Any:
        """Traced: [T] whether all trainable variables of a lane are finite."""
        ...
