"""The lanes of one program on their way through the epochs."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from keras_sweep.errors import UsageError
from keras_sweep.space.search_space import Objective
from keras_sweep.training.build_trial import keras_schedule
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.lanes.folded import FoldedProgram
from keras_sweep.training.lanes.lane import Lane, LaneEnd
from keras_sweep.training.lanes.lane_numbers import LaneNumbers, Numbers
from keras_sweep.training.lanes.program import Program
from keras_sweep.training.lanes.programs import Programs
from keras_sweep.training.lanes.signature import PLACEHOLDER
from keras_sweep.training.outcome import Failure, diverged, scored_epoch, trial_objective
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


class Group:
    """Trains its lanes epoch by epoch, in ever smaller programs. Used by one thread at a time."""

    def __init__(
        self,
        programs: Programs,
        lanes: Sequence[Lane],
        objective: Objective,
        epoch: int,
        begins: Mapping[int, TrainingState | None],  # their states there, by number; None: from initial weights
        places: Sequence[Lane] = (),  # those in the first places of a program that was stopped
        count: int = 0,  # how many places that program has, which is taken up so that the last digits come out the same
    ) -> None:
        """Take up lanes that share a signature and a batch size, after so many epochs."""
        self.signature = lanes[0].signature
        self.lanes = list(lanes)
        self.epoch = epoch  # epochs done
        self.finished = False  # its program raised, or its lanes went to other groups
        self.on(programs)
        self._objective = objective
        self._begins = begins
        self._places = list(places)  # of the program's first lanes; the rest is filled up with copies
        self._count = count
        self._program: Program | FoldedProgram | None = None  # made by the thread that first trains the group
        self._state: Any = None  # the program's

    @property
    def remaining(self) -> int:
        """Lane epochs still to train, at most."""
        return sum(max(lane.plan.epochs - self.epoch, 0) for lane in self.lanes if lane.training)

    @property
    def goes_on(self) -> bool:
        """Whether any lane has epochs left, needed now or not."""
        return not self.finished and any(lane.training for lane in self.lanes)

    @property
    def training(self) -> bool:
        """Whether any lane goes on whose numbers someone needs."""
        return not self.finished and any(lane.training and lane.needed for lane in self.lanes)

    def waits_at(self, done: Collection[int]) -> bool:
        """Whether one of its lanes stands at a rung that is not among those done."""
        return self.epoch not in done and any(lane.training and self.epoch in lane.rungs for lane in self.lanes)

    def train(self, until: int, stopping: Callable[[], bool] = lambda: False) -> Segment:
        """Train to this epoch, or to an earlier one where the group ends, its program raises, or one asks to stop."""
        reports: list[Report] = []
        try:
            while self.training and self.epoch < until and not stopping():
                reports.append(self._advance())
        except BaseException as error:  # a user's model may raise anything when it is traced, `sys.exit` does too
            self.finished = True
            reports.append(Report(failure=Failure.of(error)))
        return Segment(self, reports)

    def next_stop(self, most: int) -> int:
        """The epoch up to which nobody looks at its lanes: that of the next rung or the next end, `most` at most."""
        ends = {epoch for lane in self.lanes if lane.training for epoch in (*lane.rungs, lane.plan.epochs)}
        return min(*(epoch for epoch in ends if epoch > self.epoch), self.epoch + most)

    def at_rest(self) -> Group:
        """The same on no programs, states as NumPy's arrays: so it can train elsewhere, once it is `on` some."""
        other = copy.copy(self)
        other._begins = {lane.number: self.state(lane) for lane in self._places or self.lanes}  # noqa: SLF001  # its own
        other._count = self.places()[1]  # noqa: SLF001  # as above
        other._program = other._state = None  # noqa: SLF001  # as above
        return other.on(None)

    def on(self, programs: Programs | None) -> Group:
        """The same, which these programs are to train."""
        self._programs: Any = programs
        return self

    def take(self, other: Group) -> None:
        """Stand where a group of the same lanes stands, which was this one before it trained elsewhere."""
        if other is self:
            return
        mine = {lane.number: lane for lane in self.lanes}
        for lane in other.lanes:  # all but `seen`, which the loop's thread sets
            stands = {name: value for name, value in vars(lane).items() if name != "seen"}
            vars(mine[lane.number]).update(stands)
        self.epoch, self.finished = other.epoch, other.finished
        self._begins, self._count = other._begins, other._count
        self._places = [mine[lane.number] for lane in other._places]

    def _advance(self) -> Report:
        """Train and validate one epoch. A first one, and one after lanes have left, may compile."""
        running = [lane for lane in self.lanes if lane.training]
        times = [time.perf_counter()]
        program = self._fitted()
        times.append(time.perf_counter())
        filled = self._places + self._places[:1] * (program.lanes - len(self._places))
        numbers = self._numbers(filled)
        order = program.order(self.epoch)
        state, self._state = self._state, None  # the program uses it up
        state, logs = program.epoch(state, numbers, order, partial(self._rates, filled))
        times.append(time.perf_counter())
        state, validation, finite, right = program.validate(state, numbers)
        times.append(time.perf_counter())
        self._state = state
        self.epoch += 1
        for place, lane in enumerate(self._places):
            if lane.training:
                row = {name: float(values[place]) for name, values in logs.items()}
                row |= {f"val_{name}": float(values[place]) for name, values in validation.items()}
                if self._objective.name not in row:
                    raise UsageError(f"the metric {self._objective.name!r} was not logged, only {sorted(row)}")
                lane.log(row, finite=bool(finite[place]) and not diverged(list(row.values())))
                if lane.end is not LaneEnd.DIVERGED:
                    self._keep(lane, None if right is None else right[place])
        parts = [after - before for before, after in pairwise(times)]
        share = Seconds(0.0, *(seconds / len(running) for seconds in parts))
        for lane in running:
            lane.seconds += share
        rows = {lane.number: lane.rows[-1] for lane in running}
        ended = tuple(lane.number for lane in running if not lane.training)
        return Report(self.epoch, rows, ended, Seconds(0.0, *parts))

    def _keep(self, lane: Lane, right: Any) -> None:
        """Keep where a lane stands after an epoch, where that is asked for."""
        values = [logged[self._objective.name] for logged in lane.rows]
        objective = trial_objective(self._objective, lane.suggestion)
        kept = objective.take_best or lane.restored is not None
        improved = kept and scored_epoch(objective, values, lane.restored) == self.epoch
        if improved or not lane.training or self.epoch in lane.rungs:
            state = self.state(lane)
            assert state is not None
            lane.last = state._replace(right=() if right is None else (np.packbits(right),))
        if improved:
            lane.best = lane.last

    def plan(self) -> Iterator[int]:
        """How many lanes each program has that it will come to, as far as is known."""
        ends = sorted({lane.plan.epochs for lane in self.lanes if lane.plan.epochs > self.epoch})
        for epoch in (self.epoch, *ends[:-1]):
            placed = [lane for lane in self.lanes if lane.has_place(epoch)]
            wanted = any(lane.wanted and lane.training for lane in placed)
            if wanted or any(rung > epoch for lane in placed for rung in lane.rungs):
                yield self._places_for(placed)

    def places(self) -> tuple[list[int], int]:
        """The numbers of the trials in the program's first places, and how many places it has; none before it began."""
        count = self._program.lanes if self._program else self._count
        return [lane.number for lane in self._places], count

    def state(self, lane: Lane) -> TrainingState | None:
        """Where a lane stands; None before its first epoch. Only while no thread trains the group."""
        if self._program is None:
            return self._begins.get(lane.number)
        return self._program.layout.lane(self._state, self._places.index(lane))

    def _fitted(self) -> Program | FoldedProgram:
        """The program for the lanes that have a place now, with their state in it."""
        program = self._program
        if program is None and self._count:
            program = self._programs.program(self.signature, self._count)
            self._place(program, self._places)
        placed = [lane for lane in self.lanes if lane.has_place(self.epoch)]
        count = self._places_for(placed)
        if program is None or count != program.lanes:
            program = self._programs.program(self.signature, count)
            self._place(program, placed)
        return program

    def _places_for(self, placed: Sequence[Lane]) -> int:
        programs: Programs = self._programs
        return programs.places(self.signature, len(self.lanes), len(placed))

    def _place(self, program: Program | FoldedProgram, lanes: Sequence[Lane]) -> None:
        """Go on with these lanes in a program, from where they stand in the one before."""
        states = [self.state(lane) or program.layout.initial(lane.own) for lane in lanes]
        self._program, self._places, self._begins = program, list(lanes), {}
        empty = program.lanes - len(lanes)
        self._state = program.layout.stack([*states, *[states[0]] * empty])

    def _numbers(self, filled: Sequence[Lane]) -> Numbers:
        per_lane = [[lane.per_lane.get(name, PLACEHOLDER) for lane in filled] for name in self.signature.per_lane]
        values = np.array(per_lane).reshape(len(per_lane), len(filled))  # in double precision, as Keras has them
        own = [LaneNumbers.of(lane.own) for lane in filled if lane.own is not None]
        return Numbers(
            np.array([lane.learning_rate for lane in filled], np.float32),
            np.array([lane.variant for lane in filled], np.int32),
            np.stack([values, 1 - values], axis=1).astype(np.float32),
            model=LaneNumbers(*(np.stack(each, axis=-1) for each in zip(*own, strict=True))) if own else None,
            batch_size=np.int32(self.lanes[0].plan.batch_size) if self.signature.masked else None,
        )

    def _rates(self, lanes: Sequence[Lane], rows: int) -> Any:
        """[N, T] the learning rates of lanes with schedules in each step of this epoch, of N rows; None without."""
        first = -(-rows // lanes[0].plan.batch_size) * self.epoch
        steps = np.arange(first, first + rows, dtype=np.float32)  # an epoch has fewer, or as many
        scheduled = [(one.learning_rate, one.plan.schedule) for one in lanes if one.plan.schedule]
        each = [keras_schedule(start, *schedule.over(rows))(steps, np) for start, schedule in scheduled]
        return np.stack(each, axis=1).astype(np.float32) if each else None
