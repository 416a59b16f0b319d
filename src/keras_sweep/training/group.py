"""Train lanes epoch by epoch as a group, and keep the model states that scores, rungs and resumed trials need."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

from keras_sweep.process.user_code import user_errors
from keras_sweep.space.search_space import Objective
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.lane import Lane, LaneEnd
from keras_sweep.training.outcome import Failure, find_scored_epoch, has_diverged, trial_objective
from keras_sweep.trial.result import Seconds


@dataclass(frozen=True)
class Report:
    """The result of a group's epoch: each lane's metrics, and which lanes ended. The group may be further by now."""

    epoch: int = 0  # counted from 1
    rows: Mapping[int, dict[str, float]] = field(default_factory=dict)  # metrics of the lanes that trained this epoch
    ended: tuple[int, ...] = ()  # lanes that ended with this epoch
    seconds: Seconds = field(default_factory=Seconds)  # of this epoch, all lanes together
    failure: Failure | None = None  # why the group failed


@dataclass(frozen=True)
class Segment:
    """Some consecutive epochs of a group: the group after the last epoch, and a report of each epoch."""

    group: Group
    reports: Sequence[Report]


Tell: TypeAlias = Callable[[Report], None]  # called with each epoch's report as soon as the epoch has ended


class Group(ABC):
    """Lanes that train together. Only one thread at a time may use a group."""

    moves = True  # whether the lanes can continue in another group or process; otherwise they train without a break

    def __init__(
        self,
        programs: Any,
        lanes: Sequence[Lane],
        objective: Objective,
        epoch: int,
        begins: Mapping[int, TrainingState | None],  # lane number -> state after `epoch`; None: initial weights
    ) -> None:
        self.lanes = list(lanes)
        self.epoch = epoch  # epochs trained
        self.finished = False  # True once the program raised or the lanes joined other groups
        self.attach(programs)
        self._objective = objective
        self._begins = begins

    @property
    def remaining(self) -> int:
        """The number of training epochs left, summed over the lanes that still train."""
        return sum(max(lane.plan.epochs - self.epoch, 0) for lane in self.lanes if lane.training)

    @property
    def training(self) -> bool:
        """Whether any lane whose result is needed still trains."""
        return not self.finished and any(lane.training and lane.is_needed for lane in self.lanes)

    def train(self, until: int, stopping: Callable[[], bool] = lambda: False, tell: Tell | None = None) -> Segment:
        """Train up to epoch `until`. Return the group and its reports; an error of user code is a report's `failure`.

        Training stops earlier if all lanes end or `stopping()` is true. If `tell` is set, `tell` receives each report
        at once, and the returned reports only name the ended lanes.
        """
        reports: list[Report] = []

        def report(epoch: Report) -> None:
            if tell is not None:
                tell(epoch)
                epoch = Report(epoch.epoch, ended=epoch.ended)
            reports.append(epoch)

        try:
            self._train(until, stopping, report)
        except user_errors() as error:  # tracing runs the user's model, which may raise anything, even `SystemExit`
            self.finished = True
            reports.append(Report(failure=Failure.from_error(error)))
        return Segment(self, reports)

    @abstractmethod
    def segment_end(self) -> int:
        """Return the epoch up to which a worker trains before it returns the group."""

    def at_rest(self) -> Self:
        """Return a copy that can be pickled for another process: states are NumPy arrays, and programs are left out."""
        detached = copy.copy(self)
        detached._begins = {lane.number: self.state(lane) for lane in self._in_place}  # noqa: SLF001  # a copy of self
        return detached.attach(None)

    def attach(self, programs: Any) -> Self:
        self._programs = programs
        return self

    def take(self, source: Any) -> None:
        """Copy the progress from `source`, a copy of this group that trained in another process."""
        mine = {lane.number: lane for lane in self.lanes}
        for lane in source.lanes:
            mine[lane.number].copy_progress(lane)
        self.epoch, self.finished = source.epoch, source.finished
        self._begins = source._begins  # noqa: SLF001  # the same class

    def places(self) -> tuple[list[int], int]:
        """Return (trial numbers in the order of the program's lanes, number of lanes); ([], 0) without a program."""
        return [], 0

    def state(self, lane: Lane) -> TrainingState | None:
        """Return the lane's model and optimizer state; None before the first epoch. The group may not be training."""
        return self._begins.get(lane.number)

    @property
    def _in_place(self) -> Sequence[Lane]:
        return self.lanes

    @abstractmethod
    def _train(self, until: int, stopping: Callable[[], bool], report: Tell) -> None:
        """Train up to epoch `until`, or until `stopping()` is true. Call `report` after each epoch."""

    def _log(self, lane: Lane, row: dict[str, float], state: Callable[[], TrainingState], *, finite: bool) -> None:
        """Log an epoch's metrics `row`. Keep `state()` if best, last or at a rung. `finite`: all weights are finite."""
        lane.log(row, finite=finite and not has_diverged(row))
        if lane.end is LaneEnd.DIVERGED or self._objective.name not in row:
            return
        objective = trial_objective(self._objective, lane.suggestion)
        keeps_best = objective.take_best or lane.epoch_to_restore is not None
        values = [logged.get(objective.name, math.nan) for logged in lane.rows]
        improved = keeps_best and find_scored_epoch(objective, values, lane.epoch_to_restore) == len(lane.rows)
        if improved or not lane.training or len(lane.rows) in lane.rungs:
            lane.last = state()
        if improved:
            lane.best = lane.last
