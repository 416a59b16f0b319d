"""Lanes that train together on their way through the epochs, whatever trains them: the rules of each epoch's end."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

from keras_sweep.process.user_code import is_user_error
from keras_sweep.space.search_space import Objective
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.lane import Lane, LaneEnd
from keras_sweep.training.outcome import Failure, find_scored_epoch, has_diverged, trial_objective
from keras_sweep.trial.result import Seconds


@dataclass(frozen=True)
class Report:
    """What was true after an epoch of a group, by the numbers of its lanes; the group may be further already."""

    epoch: int = 0  # counted from 1
    rows: Mapping[int, dict[str, float]] = field(default_factory=dict)  # of the lanes that trained it
    ended: tuple[int, ...] = ()  # those that do not go on
    seconds: Seconds = field(default_factory=Seconds)  # that it took, of all lanes together
    failure: Failure | None = None  # why it failed


@dataclass(frozen=True)
class Segment:
    """Some epochs of a group: where it stands after them, and what each of them reports."""

    group: Group
    reports: Sequence[Report]


Tell: TypeAlias = Callable[[Report], None]  # is told of each epoch as soon as it has ended


class Group(ABC):
    """Trains its lanes epoch by epoch. Used by one thread at a time."""

    moves = True  # whether its lanes can go on elsewhere; else each trains from its start to its end

    def __init__(
        self,
        programs: Any,
        lanes: Sequence[Lane],
        objective: Objective,
        epoch: int,
        begins: Mapping[int, TrainingState | None],  # their states there, by number; None: from initial weights
    ) -> None:
        self.lanes = list(lanes)
        self.epoch = epoch  # epochs done
        self.finished = False  # its program raised, or its lanes went to other groups
        self.attach(programs)
        self._objective = objective
        self._begins = begins

    @property
    def remaining(self) -> int:
        """Lane epochs still to train, at most."""
        return sum(max(lane.plan.epochs - self.epoch, 0) for lane in self.lanes if lane.training)

    @property
    def has_epochs_left(self) -> bool:
        """Whether any lane has epochs left, needed now or not."""
        return not self.finished and any(lane.training for lane in self.lanes)

    @property
    def training(self) -> bool:
        """Whether any lane goes on whose numbers someone needs."""
        return not self.finished and any(lane.training and lane.is_needed for lane in self.lanes)

    def train(self, until: int, stopping: Callable[[], bool] = lambda: False, tell: Tell | None = None) -> Segment:
        """Train to this epoch, or to an earlier one where the group ends, its program raises, or one asks to stop.

        The segment reports of epochs that `tell` was told of only which lanes ended.
        """
        reports: list[Report] = []

        def report(epoch: Report) -> None:
            if tell is not None:
                tell(epoch)
                epoch = Report(epoch.epoch, ended=epoch.ended)
            reports.append(epoch)

        try:
            self._train(until, stopping, report)
        except BaseException as error:  # a user's model may raise anything when it is traced, `sys.exit` does too
            if not is_user_error(error):
                raise
            self.finished = True
            reports.append(Report(failure=Failure.of(error)))
        return Segment(self, reports)

    def next_stop(self, most: int) -> int:
        """The epoch up to which nobody looks at its lanes: that of the next rung or the next end, `most` at most."""
        ends = {epoch for lane in self.lanes if lane.training for epoch in (*lane.rungs, lane.plan.epochs)}
        return min(*(epoch for epoch in ends if epoch > self.epoch), self.epoch + most)

    @abstractmethod
    def segment_end(self) -> int:
        """The epoch to which a worker trains before it answers."""

    def at_rest(self) -> Self:
        """The same on no programs, states as NumPy's arrays: so it can train elsewhere, once it is `on` some."""
        detached = copy.copy(self)
        detached._begins = {lane.number: self.state(lane) for lane in self._in_place}  # noqa: SLF001  # its own
        return detached.attach(None)

    def attach(self, programs: Any) -> Self:
        """The same, which these programs are to train."""
        self._programs = programs
        return self

    def take(self, source: Any) -> None:
        """Stand where a group of the same lanes stands, which was this one before it trained elsewhere."""
        if source is self:
            return
        own_lanes = {lane.number: lane for lane in self.lanes}
        for lane in source.lanes:
            own_lanes[lane.number].copy_progress(lane)
        self.epoch, self.finished = source.epoch, source.finished
        self._begins = source._begins  # noqa: SLF001  # of this kind

    def places(self) -> tuple[list[int], int]:
        """The numbers of the trials in the program's first places, and how many places it has; none before it began."""
        return [], 0

    def state(self, lane: Lane) -> TrainingState | None:
        """Where a lane stands; None before its first epoch. Only while no thread trains the group."""
        return self._begins.get(lane.number)

    @property
    def _in_place(self) -> Sequence[Lane]:
        """The lanes whose states the group holds."""
        return self.lanes

    @abstractmethod
    def _train(self, until: int, stopping: Callable[[], bool], report: Tell) -> None:
        """Train to this epoch, or until `stopping()`, and report each epoch."""

    def _log(self, lane: Lane, row: dict[str, float], state: Callable[[], TrainingState], *, finite: bool) -> None:
        """Take in what an epoch brought a lane, and keep where it stands if that is asked for."""
        lane.log(row, finite=finite and not has_diverged(row))
        if lane.end is LaneEnd.DIVERGED or self._objective.name not in row:
            return
        objective = trial_objective(self._objective, lane.suggestion)
        keeps_best = objective.take_best or lane.restored_epoch is not None
        values = [logged.get(objective.name, math.nan) for logged in lane.rows]
        improved = keeps_best and find_scored_epoch(objective, values, lane.restored_epoch) == len(lane.rows)
        if improved or not lane.training or len(lane.rows) in lane.rungs:
            lane.last = state()
        if improved:
            lane.best = lane.last
