"""The lanes of one program on their way through the epochs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Self

import numpy as np

from keras_sweep.errors import UsageError
from keras_sweep.space.search_space import Objective
from keras_sweep.training.build_trial import keras_schedule
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.group import Group, Report, Tell
from keras_sweep.training.lane import Lane
from keras_sweep.training.lanes.lane_numbers import LaneNumbers, Numbers
from keras_sweep.training.lanes.program import FoldedProgram, Program
from keras_sweep.training.lanes.programs import Programs
from keras_sweep.training.lanes.signature import PLACEHOLDER
from keras_sweep.trial.result import Seconds


class LaneGroup(Group):
    """Trains its lanes in ever smaller programs."""

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
        super().__init__(programs, lanes, objective, epoch, begins)
        self.signature = lanes[0].signature
        self._places = list(places)  # of the program's first lanes; the rest is filled up with copies
        self._count = count
        self._program: Program | FoldedProgram | None = None  # made by the thread that first trains the group
        self._state: Any = None  # the program's

    def segment_end(self) -> int:
        return self.next_stop(self._programs.segment_epochs(self.signature))

    def at_rest(self) -> Self:
        other = super().at_rest()
        other._count = self.places()[1]  # noqa: SLF001  # of its own copy
        other._program = other._state = None  # noqa: SLF001  # as above
        return other

    def take(self, other: LaneGroup) -> None:
        super().take(other)
        if other is not self:
            mine = {lane.number: lane for lane in self.lanes}
            self._count, self._places = other._count, [mine[lane.number] for lane in other._places]

    @property
    def _in_place(self) -> Sequence[Lane]:
        return self._places or self.lanes

    def _train(self, until: int, stopping: Callable[[], bool], report: Tell) -> None:
        while self.training and self.epoch < until and not stopping():
            report(self._advance())

    def _advance(self) -> Report:
        """Train and validate one epoch. A first one, and one after lanes have left, may compile."""
        running = [lane for lane in self.lanes if lane.training]
        times = [time.perf_counter()]
        program = self._choose_program()
        times.append(time.perf_counter())
        filled = self._places + self._places[:1] * (program.lanes - len(self._places))
        numbers = self._collect_numbers(filled)
        order = program.order(self.epoch)
        state, self._state = self._state, None  # the program uses it up
        state, logs = program.epoch(state, numbers, order, partial(self._compute_rates, filled))
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
                bits = () if right is None else (np.packbits(right[place]),)
                state_of = partial(self._copy_scored_state, place, bits)
                self._log(lane, row, state_of, finite=bool(finite[place]))
        parts = [after - before for before, after in pairwise(times)]
        share = Seconds(0.0, *(seconds / len(running) for seconds in parts))
        for lane in running:
            lane.seconds += share
        rows = {lane.number: lane.rows[-1] for lane in running}
        ended = tuple(lane.number for lane in running if not lane.training)
        return Report(self.epoch, rows, ended, Seconds(0.0, *parts))

    def _copy_scored_state(self, place: int, right: tuple[Any, ...]) -> TrainingState:
        assert self._program is not None
        return self._program.layout.copy_lane(self._state, place)._replace(right=right)

    def list_program_sizes(self) -> Iterator[int]:
        """How many lanes each program has that it will come to, as far as is known."""
        ends = sorted({lane.plan.epochs for lane in self.lanes if lane.plan.epochs > self.epoch})
        for epoch in (self.epoch, *ends[:-1]):
            placed, count = self._find_placed_lanes(epoch)
            wanted = any(lane.wanted and lane.training for lane in placed)
            if wanted or any(rung > epoch for lane in placed for rung in lane.rungs):
                yield count

    def places(self) -> tuple[list[int], int]:
        count = self._program.lanes if self._program else self._count
        return [lane.number for lane in self._places], count

    def state(self, lane: Lane) -> TrainingState | None:
        if self._program is None:
            return self._begins.get(lane.number)
        return self._program.layout.copy_lane(self._state, self._places.index(lane))

    def _choose_program(self) -> Program | FoldedProgram:
        """The program for the lanes that have a place now, with their state in it."""
        program = self._program
        if program is None and self._count:
            program = self._programs.get_program(self.signature, self._count)
            self._move_lanes(program, self._places)
        placed, count = self._find_placed_lanes(self.epoch)
        if program is None or count != program.lanes:
            program = self._programs.get_program(self.signature, count)
            self._move_lanes(program, placed)
        return program

    def _find_placed_lanes(self, epoch: int) -> tuple[list[Lane], int]:
        """The lanes that have a place after an epoch, and how many places their program has."""
        placed = [lane for lane in self.lanes if lane.has_place(epoch)]
        return placed, self._programs.count_places(self.signature, len(self.lanes), len(placed))

    def _move_lanes(self, program: Program | FoldedProgram, lanes: Sequence[Lane]) -> None:
        """Go on with these lanes in a program, from where they stand in the one before."""
        states = [self.state(lane) or program.layout.initial_state(lane.own) for lane in lanes]
        self._program, self._places, self._begins = program, list(lanes), {}
        empty = program.lanes - len(lanes)
        self._state = program.layout.stack([*states, *[states[0]] * empty])

    def _collect_numbers(self, filled: Sequence[Lane]) -> Numbers:
        per_lane = [[lane.per_lane.get(name, PLACEHOLDER) for lane in filled] for name in self.signature.per_lane]
        values = np.array(per_lane).reshape(len(per_lane), len(filled))  # in double precision, as Keras has them
        own = [LaneNumbers.from_model(lane.own) for lane in filled if lane.own is not None]
        return Numbers(
            np.array([lane.learning_rate for lane in filled], np.float32),
            np.array([lane.variant for lane in filled], np.int32),
            np.stack([values, 1 - values], axis=1).astype(np.float32),
            model=LaneNumbers(*(np.stack(each, axis=-1) for each in zip(*own, strict=True))) if own else None,
            batch_size=np.int32(self.lanes[0].plan.batch_size) if self.signature.masked else None,
        )

    def _compute_rates(self, lanes: Sequence[Lane], rows: int) -> Any:
        """[N, T] the learning rates of lanes with schedules in each step of this epoch, of N rows; None without."""
        first = -(-rows // lanes[0].plan.batch_size) * self.epoch
        steps = np.arange(first, first + rows, dtype=np.float32)  # an epoch has fewer, or as many
        scheduled = [(one.learning_rate, one.plan.schedule) for one in lanes if one.plan.schedule]
        each = [keras_schedule(start, *schedule.over(rows))(steps, np) for start, schedule in scheduled]
        return np.stack(each, axis=1).astype(np.float32) if each else None
