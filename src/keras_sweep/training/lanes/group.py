"""Train a group: the lanes of a program, epoch by epoch."""

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
    """Lanes that train together in a compiled program. When a lane ends, the rest may move to a smaller program."""

    def __init__(
        self,
        programs: Programs,
        lanes: Sequence[Lane],
        objective: Objective,
        epoch: int,
        begins: Mapping[int, TrainingState | None],
        places: Sequence[Lane] = (),
        count: int = 0,
    ) -> None:
        """Create a group that continues `lanes`, of the same signature and batch size, after `epoch` trained epochs.

        Args:
            begins: Trial number -> the lane's state after `epoch` epochs. None: initial weights.
            places: If an interrupted program continues, its lanes in order, ended lanes included. Empty: a new program.
            count: The interrupted program's lane count, used again so that the last digits of scores match. 0: new.
        """
        super().__init__(programs, lanes, objective, epoch, begins)
        self.signature = lanes[0].signature
        self._places = list(places)  # the program's first lanes; copies of a lane fill the rest
        self._count = count
        self._limit = programs.find_lane_limit(self.signature)  # a worker does not know which programs were too large
        self._program: Program | FoldedProgram | None = None  # created by the training thread
        self._state: Any = None  # of the program

    def segment_end(self) -> int:
        ends = {epoch for lane in self.lanes if lane.training for epoch in (*lane.rungs, lane.plan.epochs)}
        most: int = self.epoch + self._programs.segment_epochs(self.signature)
        return min(*(epoch for epoch in ends if epoch > self.epoch), most)

    def at_rest(self) -> Self:
        copied = super().at_rest()
        copied._count = self.places()[1]  # noqa: SLF001  # a copy
        copied._program = copied._state = None  # noqa: SLF001  # as above
        return copied

    def take(self, other: LaneGroup) -> None:
        super().take(other)
        own_lanes = {lane.number: lane for lane in self.lanes}
        self._count, self._places = other._count, [own_lanes[lane.number] for lane in other._places]

    @property
    def _in_place(self) -> Sequence[Lane]:
        return self._places or self.lanes

    def _train(self, until: int, stopping: Callable[[], bool], report: Tell) -> None:
        while self.training and self.epoch < until and not stopping():
            report(self._advance())

    def _advance(self) -> Report:
        active_lanes = [lane for lane in self.lanes if lane.training]
        times = [time.perf_counter()]
        program = self._choose_program()
        times.append(time.perf_counter())
        lanes = self._places + self._places[:1] * (program.lanes - len(self._places))
        numbers = self._collect_numbers(lanes)
        order = program.order(self.epoch)
        state, self._state = self._state, None  # the program deletes the arrays
        state, logs = program.epoch(state, numbers, order, partial(self._compute_rates, lanes))
        times.append(time.perf_counter())
        state, validation, finite, right = program.validate(state, numbers)
        times.append(time.perf_counter())
        self._state = state
        self.epoch += 1
        seconds_by_part = [after - before for before, after in pairwise(times)]
        share = Seconds(0.0, *(seconds / len(active_lanes) for seconds in seconds_by_part))
        for lane in active_lanes:  # before the epoch is logged, which ends lanes whose time is over
            lane.seconds += share
        for place, lane in enumerate(self._places):
            if lane.training:
                row = {name: float(values[place]) for name, values in logs.items()}
                row |= {f"val_{name}": float(values[place]) for name, values in validation.items()}
                if self._objective.name not in row:
                    raise UsageError(f"the metric {self._objective.name!r} was not logged, only {', '.join(row)}")
                bits = () if right is None else (np.packbits(right[place]),)
                state_of = partial(self._copy_scored_state, place, bits)
                self._log(lane, row, state_of, finite=bool(finite[place]))
        rows = {lane.number: lane.rows[-1] for lane in active_lanes}
        ended = tuple(lane.number for lane in active_lanes if not lane.training)
        return Report(self.epoch, rows, ended, Seconds(0.0, *seconds_by_part))

    def _copy_scored_state(self, place: int, right: tuple[Any, ...]) -> TrainingState:
        assert self._program is not None
        return self._program.layout.copy_lane(self._state, place)._replace(right=right)

    def list_program_sizes(self) -> Iterator[int]:
        """Yield the lane count of each program that the group needs if every lane trains all its epochs."""
        end_epochs = sorted({lane.plan.epochs for lane in self.lanes if lane.plan.epochs > self.epoch})
        for epoch in (self.epoch, *end_epochs[:-1]):
            active, count = self._find_active_lanes(epoch)
            is_wanted = any(lane.wanted and lane.training for lane in active)
            if is_wanted or any(rung > epoch for lane in active for rung in lane.rungs):
                yield count

    def places(self) -> tuple[list[int], int]:
        return [lane.number for lane in self._places], self._program.lanes if self._program else self._count

    def state(self, lane: Lane) -> TrainingState | None:
        if self._program is None:
            return self._begins.get(lane.number)
        return self._program.layout.copy_lane(self._state, self._places.index(lane))

    def count_places(self) -> int:
        """Return the number of lanes, empty lanes included, of the program that trains the next epoch."""
        return self._find_active_lanes(self.epoch)[1]

    def _choose_program(self) -> Program | FoldedProgram:
        program = self._program
        if program is None and self._count:
            program = self._move_lanes(self._places, self._count)
        active, count = self._find_active_lanes(self.epoch)
        return program if program is not None and count == program.lanes else self._move_lanes(active, count)

    def _find_active_lanes(self, epoch: int) -> tuple[list[Lane], int]:
        """Return the lanes in the program after `epoch` epochs, and the program's lane count, empty lanes included."""
        active = [lane for lane in self.lanes if lane.has_place(epoch)]
        return active, self._programs.count_places(self.signature, len(self.lanes), len(active), self._limit)

    def _move_lanes(self, lanes: Sequence[Lane], count: int) -> Program | FoldedProgram:
        program: Program | FoldedProgram = self._programs.get_program(self.signature, count)
        states = [self.state(lane) or program.layout.initial_state(lane.own) for lane in lanes]
        self._program, self._places, self._begins = program, list(lanes), {}
        empty_places = program.lanes - len(lanes)
        self._state = program.layout.stack([*states, *[states[0]] * empty_places])
        return program

    def _collect_numbers(self, lanes: Sequence[Lane]) -> Numbers:
        per_lane = [[lane.per_lane.get(name, PLACEHOLDER) for lane in lanes] for name in self.signature.per_lane]
        values = np.array(per_lane).reshape(len(per_lane), len(lanes))  # double precision, as in Keras
        parts = [LaneNumbers.from_model(lane.own) for lane in lanes if lane.own is not None]
        return Numbers(
            np.array([lane.learning_rate for lane in lanes], np.float32),
            np.array([lane.variant for lane in lanes], np.int32),
            np.stack([values, 1 - values], axis=1).astype(np.float32),
            model=LaneNumbers(*(np.stack(arrays, axis=-1) for arrays in zip(*parts, strict=True))) if parts else None,
            batch_size=np.int32(self.lanes[0].plan.batch_size) if self.signature.masked else None,
        )

    def _compute_rates(self, lanes: Sequence[Lane], rows: int) -> Any:
        """Return the learning rates of this epoch's steps, padded to [training rows, lanes]; None: no schedules."""
        first = -(-rows // lanes[0].plan.batch_size) * self.epoch
        steps = np.arange(first, first + rows, dtype=np.float32)
        scheduled = [(lane.learning_rate, lane.plan.schedule) for lane in lanes if lane.plan.schedule]
        lane_rates = [keras_schedule(start, *schedule.over(rows))(steps, np) for start, schedule in scheduled]
        return np.stack(lane_rates, axis=1).astype(np.float32) if lane_rates else None
