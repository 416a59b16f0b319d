"""One lane between programs: everything that training changes, in Keras's own shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Arrays: TypeAlias = tuple[npt.NDArray[np.generic], ...]


@dataclass(frozen=True, slots=True)
class LaneState:
    """A lane's variables after an epoch."""

    trainable: Arrays  # in the order of `model.trainable_variables`
    other: Arrays  # in the order of `model.non_trainable_variables`: moving averages, seeds of dropout
    optimizer: Arrays  # as the layout keeps them; the learning rate is not among them
