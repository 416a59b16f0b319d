"""The trainings of a trial's folds as one lane: each on its own rows, in step, and their scores joined.

So groups, rungs, the best epoch, snapshots and states that are kept know nothing of folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_sweep.data.arrays import Array
from keras_sweep.data.search_data import SearchData
from keras_sweep.training.checkpoint import TrainingState, joined, parted
from keras_sweep.training.folds import joined_score, rows_together
from keras_sweep.training.lanes.lane_numbers import Numbers
from keras_sweep.training.lanes.program import Logs, Program
from keras_sweep.training.lanes.structure import OwnModel


@dataclass(frozen=True, slots=True)
class FoldedProgram:
    """The program of each fold, one after the other. Used as a `Program`; its state and orders are lists of theirs.

    It is its own layout: a lane's state holds the variables of its first fold, then of its second, and so on.
    """

    programs: Sequence[Program]
    data: SearchData

    @property
    def lanes(self) -> int:
        return self.programs[0].lanes

    @property
    def layout(self) -> FoldedProgram:
        return self

    def initial(self, own: OwnModel | None = None) -> TrainingState:
        """A lane before its first epoch. No structure is shared: a fold may have columns of its own."""
        assert own is None
        return joined([program.layout.initial() for program in self.programs])

    def stack(self, lanes: Sequence[TrainingState]) -> list[Any]:
        folds = zip(*(parted(lane, len(self.programs)) for lane in lanes), strict=True)
        return [program.layout.stack(states) for program, states in zip(self.programs, folds, strict=True)]

    def lane(self, state: Any, index: int) -> TrainingState:
        return joined([program.layout.lane(part, index) for program, part in zip(self.programs, state, strict=True)])

    def order(self, epoch: int) -> list[Any]:
        return [program.order(epoch) for program in self.programs]

    def epoch(self, state: Any, numbers: Numbers, order: Any, rates: Any) -> tuple[Any, Logs]:
        each = zip(self.programs, state, order, strict=True)
        ended = [program.epoch(part, numbers, rows, rates) for program, part, rows in each]
        return [part for part, _ in ended], _joined([logs for _, logs in ended], order, self.data.train.weights)

    def validate(self, state: Any, numbers: Numbers) -> tuple[Any, Logs, Any, Any]:
        """Metrics and right rows are of all rows, each scored by the fold that left it out."""
        ended = [program.validate(part, numbers) for program, part in zip(self.programs, state, strict=True)]
        states, logs, finite, right = zip(*ended, strict=True)
        held = [fold.held for fold in self.data.folds]
        together = None if right[0] is None else rows_together([each.T for each in right], self.data).T
        return list(states), _joined(logs, held, self.data.train.weights), np.all(finite, axis=0), together


def _joined(logs: Sequence[Logs], rows: Sequence[Array], weights: Array | None) -> Logs:
    """Each metric over the rows of all folds."""
    return {name: joined_score(name, [log[name] for log in logs], rows, weights) for name in logs[0]}
