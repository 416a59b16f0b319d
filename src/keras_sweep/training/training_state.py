"""Where a trial stands between two epochs: everything that training changes, in Keras's own shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Arrays: TypeAlias = tuple[npt.NDArray[np.generic], ...]


@dataclass(frozen=True, slots=True)
class TrainingState:
    """A trial's variables after an epoch."""

    trainable: Arrays  # in the order of `model.trainable_variables`
    other: Arrays  # in the order of `model.non_trainable_variables`: moving averages, seeds of dropout
    optimizer: Arrays  # of `fit`: `optimizer.variables`; of a lane: as its layout keeps them, without the learning rate
    right: Arrays = ()  # packed bits of the validation rows, 1 where the row was right; nothing where that is not known


def joined(states: Sequence[TrainingState]) -> TrainingState:
    """The states of a trial's folds as one."""
    return TrainingState(*(tuple(chain.from_iterable(each)) for each in zip(*map(_variables, states), strict=True)))


def parted(state: TrainingState, count: int) -> list[TrainingState]:
    """The states that `joined` made one of, `count` in all."""
    return [
        TrainingState(*(part[len(part) * i // count : len(part) * (i + 1) // count] for part in _variables(state)))
        for i in range(count)
    ]


def _variables(state: TrainingState) -> tuple[Arrays, ...]:
    return state.trainable, state.other, state.optimizer
