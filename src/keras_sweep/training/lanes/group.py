"""The lanes of one program on their way through the epochs."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from keras_sweep.errors import UsageError
from keras_sweep.space.search_space import Objective
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.lanes.folded import FoldedProgram
from keras_sweep.training.lanes.lane import LaneEnd, LaneProgress
from keras_sweep.training.lanes.lane_numbers import LaneNumbers, Numbers, stacked
from keras_sweep.training.lanes.program import Program
from keras_sweep.training.lanes.program_cache import ProgramCache
from keras_sweep.training.lanes.signature import PLACEHOLDER
from keras_sweep.training.outcome import best_epoch, diverged
from keras_sweep.training.row_values import packed
from keras_sweep.trial.result import Seconds


@dataclass(frozen=True)
class Epoch:
    """What one epoch of a group brought."""

    number: int  # counted from 1
    rows: tuple[tuple[LaneProgress, dict[str, float]], ...]  # of the lanes that trained it
    ended: tuple[LaneProgress, ...]  # those that do not go on
    seconds: Seconds  # that it took, of all lanes together


class Group:
    """Trains its lanes epoch by epoch, in ever smaller programs. Used by one thread at a time."""

    def __init__(
        self,
        programs: ProgramCache,
        lanes: Sequence[LaneProgress],
        objective: Objective,
        *,
        take_best: bool,
        epoch: int = 0,
        states: Sequence[TrainingState] = (),
    ) -> None:
        """Begin after `epoch`, from the lanes' states there (none: from initial weights).

        They share a signature and a batch size.
        """
        self.signature = lanes[0].spec.signature
        self.lanes = list(lanes)
        self.epoch = epoch  # epochs done
        self.finished = False  # its program raised, or its lanes went to other groups
        self._programs = programs
        self._objective = objective
        self._take_best = take_best
        self._begin = list(states)
        self._places: list[LaneProgress] = []  # of the program's first lanes; the rest is filled up with copies
        self._program: Program | FoldedProgram | None = None
        self._state: Any = None  # the program's
        self._restored: tuple[int, list[TrainingState]] | None = None  # how many places, and the lanes' states in them

    @property
    def remaining(self) -> int:
        """Lane epochs still to train, at most."""
        return sum(max(lane.spec.epochs - self.epoch, 0) for lane in self.lanes if lane.training)

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
        return self.epoch not in done and any(lane.training and self.epoch in lane.spec.rungs for lane in self.lanes)

    def advance(self) -> Epoch:
        """Train and validate one epoch. A first one, and one after lanes have left, may compile."""
        running = [lane for lane in self.lanes if lane.training]
        times = [time.perf_counter()]
        program, state = self._fitted()
        times.append(time.perf_counter())
        numbers = self._numbers(program.lanes)
        order = program.order(self.epoch)
        self._state = None  # the program uses it up
        state, logs = program.epoch(state, numbers, order)
        times.append(time.perf_counter())
        state, validation, finite, right = program.validate(state, numbers)
        times.append(time.perf_counter())
        self._state = state
        self.epoch += 1
        for place, lane in enumerate(self._places):
            if lane.training:
                row = {name: float(values[place]) for name, values in logs.items()}
                row |= {f"val_{name}": float(values[place]) for name, values in validation.items()}
                self._log(lane, place, row, None if right is None else right[place], finite=bool(finite[place]))
        parts = [after - before for before, after in pairwise(times)]
        share = Seconds(0.0, *(seconds / len(running) for seconds in parts))
        for lane in running:
            lane.seconds += share
        rows = tuple((lane, lane.rows[-1]) for lane in running)
        ended = tuple(lane for lane in running if not lane.training)
        return Epoch(self.epoch, rows, ended, Seconds(0.0, *parts))

    def _log(self, lane: LaneProgress, place: int, row: dict[str, float], right: Any, *, finite: bool) -> None:
        assert self._program is not None and self._state is not None
        if self._objective.name not in row:
            raise UsageError(f"the metric {self._objective.name!r} was not logged, only {sorted(row)}")
        lane.log(row, finite=finite and not diverged(list(row.values())))
        if lane.end is LaneEnd.DIVERGED:
            return
        values = [logged[self._objective.name] for logged in lane.rows]
        improved = self._take_best and best_epoch(self._objective, values) == self.epoch
        if improved or not lane.training or self.epoch in lane.spec.rungs:
            lane.last = replace(self._program.layout.lane(self._state, place), right=packed(right))
        if improved:
            lane.best = lane.last

    def plan(self) -> Iterator[int]:
        """How many lanes each program has that it will come to, as far as is known."""
        ends = sorted({lane.spec.epochs for lane in self.lanes if lane.spec.epochs > self.epoch})
        for epoch in (self.epoch, *ends[:-1]):
            placed = [lane for lane in self.lanes if lane.has_place(epoch)]
            wanted = any(lane.spec.wanted and lane.training for lane in placed)
            if wanted or any(rung > epoch for lane in placed for rung in lane.spec.rungs):
                yield self._places_for(placed)

    def places(self) -> tuple[list[int], int]:
        """The numbers of the trials in the program's first places, and how many places it has; none before it began."""
        count = self._restored[0] if self._restored else self._program.lanes if self._program else 0
        return [lane.number for lane in self._places], count

    def state(self, lane: LaneProgress) -> TrainingState | None:
        """Where a lane stands; None before its first epoch. Only while no thread trains the group."""
        if self._restored is not None:
            return self._restored[1][self._places.index(lane)]
        if self._program is None:
            return self._begin[self.lanes.index(lane)] if self._begin else None
        assert self._state is not None
        return self._program.layout.lane(self._state, self._places.index(lane))

    def restore(self, places: Sequence[LaneProgress], count: int, states: Sequence[TrainingState]) -> None:
        """Take up places as they were in a program of `count` lanes, so that the last digits come out as they would.

        The program is made where the group first trains: by its thread, and not at all if nobody needs its lanes.
        """
        self._places = list(places)
        self._restored = count, list(states)

    def _fitted(self) -> tuple[Program | FoldedProgram, Any]:
        """The program for the lanes that have a place now, and their state in it."""
        if self._restored is not None:
            (size, restored), self._restored = self._restored, None
            self._program = self._programs.program(self.signature, size)
            self._place(self._places, restored)
        placed = [lane for lane in self.lanes if lane.has_place(self.epoch)]
        count = self._places_for(placed)
        if self._program is None or self._state is None or count != self._program.lanes:
            program = self._programs.program(self.signature, count)
            states = [self.state(lane) or program.layout.initial(lane.spec.own) for lane in placed]
            self._program = program
            self._place(placed, states)
        assert self._program is not None and self._state is not None
        return self._program, self._state

    def _places_for(self, placed: Sequence[LaneProgress]) -> int:
        return self._programs.templates.places(self.signature, len(self.lanes), len(placed))

    def _place(self, lanes: Sequence[LaneProgress], states: Sequence[TrainingState]) -> None:
        assert self._program is not None
        self._places = list(lanes)
        empty = self._program.lanes - len(lanes)
        self._state = self._program.layout.stack([*states, *[states[0]] * empty])

    def _numbers(self, count: int) -> Numbers:
        filled = self._places + self._places[:1] * (count - len(self._places))
        per_lane = [[lane.spec.per_lane.get(name, PLACEHOLDER) for lane in filled] for name in self.signature.per_lane]
        values = np.array(per_lane).reshape(len(per_lane), count)  # in double precision, as Keras has them
        numbers = Numbers(
            np.array([lane.spec.learning_rate for lane in filled], np.float32),
            np.array([lane.spec.variant for lane in filled], np.int32),
            np.stack([values, 1 - values], axis=1).astype(np.float32),
            batch_size=np.int32(self.lanes[0].spec.batch_size) if self.signature.masked else None,
        )
        own = [LaneNumbers.of(lane.spec.own) for lane in filled if lane.spec.own is not None]
        return numbers._replace(model=stacked(own)) if own else numbers
