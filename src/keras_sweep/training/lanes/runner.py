"""The compiled runner: trials are lanes of a few programs, with the numbers that `fit` gives one by one."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from keras_sweep.data.search_data import SearchData
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.checkpoint import CHECKPOINT_SECONDS, LatestCheckpoint
from keras_sweep.training.compiling import enable_compile_cache
from keras_sweep.training.lanes.generation import LaneGeneration
from keras_sweep.training.lanes.group import Report
from keras_sweep.training.lanes.lane import EndStates, Lane, LaneEnd
from keras_sweep.training.lanes.lane_threads import LaneThreads
from keras_sweep.training.lanes.packing import LANE_LIMIT
from keras_sweep.training.lanes.programs import Programs
from keras_sweep.training.outcome import failed, scored
from keras_sweep.training.runner import Watch
from keras_sweep.trial.events import EpochEnded, Listener, PhaseBegan
from keras_sweep.trial.result import DIVERGED, Result, Suggestion
from keras_sweep.trial.wall_time import WallTime


class CompiledRunner:
    """Trains a generation as lanes of compiled programs, on one thread a core. Its methods are those of `Runner`."""

    name = "compiled/jax"
    generation = 16

    def __init__(
        self,
        spec: SweepSpec,
        data: SearchData,
        *,
        checkpoints: Path | None = None,
        keep_states: bool = False,
        threads: int | None = None,
        lane_limit: int = LANE_LIMIT,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        notice: Callable[[str], None] | None = None,
    ) -> None:
        """As `MakeRunner` says, and:

        Args:
            keep_states: keep where every trial ended, so that a later one may continue it.
            threads: how many programs run at once; by default one a core. No number depends on it.
            lane_limit: the most lanes of a program. The last digits of results depend on it.
        """
        enable_compile_cache()
        self._spec = spec
        self._data = data
        self._threads = threads or len(os.sched_getaffinity(0))
        self._wall = WallTime()
        self.spent = self._wall.parts  # build, compile, train, validate, score, checkpoint
        self._programs = Programs(spec, data, lane_limit=lane_limit)
        self._kept = EndStates(checkpoints) if keep_states else None
        self._checkpoint: LatestCheckpoint | None = None
        if checkpoints is not None:
            self._checkpoint = LatestCheckpoint(checkpoints, spec, data, notice, checkpoint_seconds, lane_limit)

    @property
    def compiled(self) -> int:
        return self._programs.compiled

    def programs(self, trials: Sequence[Suggestion], wanted: frozenset[int], emit: Listener) -> list[tuple[int, int]]:
        generation = LaneGeneration(self._spec, self._programs, self._kept, Watch(emit=emit))
        with self._wall.part("build"):
            generation.fill(trials, wanted)
        return generation.programs

    def run(self, trials: Sequence[Suggestion], wanted: frozenset[int], watch: Watch) -> Generator[Result, None, None]:
        """Train from the start, or from where the generation was stopped, if it left a checkpoint."""
        generation = LaneGeneration(self._spec, self._programs, self._kept, watch)
        with self._wall.part("build"):
            unbuilt = generation.fill(trials, wanted)
        if unbuilt is None:
            return
        for suggestion, error in unbuilt:
            if suggestion.number in wanted:
                yield failed(suggestion, error)
        if self._checkpoint is not None:
            with self._wall.part("checkpoint"):
                generation.restore(self._checkpoint, trials)
        try:
            for lane in generation.lanes.values():
                if lane.rows and not lane.training and lane.wanted:
                    yield self._result(lane)
            yield from self._train(trials, generation, watch)
        finally:
            # Several groups train at once: what the wait for them took is shared out as their own times stand.
            spent = generation.seconds
            parts = {"compile": spent.compile, "train": spent.train, "validate": spent.validate}
            self._wall.split("lanes", parts, rest="train")
            open_lanes = [lane for lane in generation.lanes.values() if lane.training and lane.wanted]
            if self._checkpoint is not None and not open_lanes:
                self._checkpoint.remove()

    def keep_only(self, numbers: Collection[int]) -> None:
        if self._kept is not None:
            self._kept.keep_only(numbers)

    def missing(self, trials: Sequence[Suggestion]) -> frozenset[int]:
        if self._kept is None:
            return frozenset()
        continued = {one.continues for one in trials if one.continues is not None}
        return frozenset(number for number in continued if self._kept.end(number) is None)

    def without_checkpoints(self) -> Self:
        other = copy.copy(self)
        other._checkpoint = None  # noqa: SLF001  # of its own copy
        other._kept = EndStates(None) if self._kept is not None else None  # noqa: SLF001  # as above
        return other

    def _train(self, trials: Sequence[Suggestion], generation: LaneGeneration, watch: Watch) -> Iterator[Result]:
        told: PhaseBegan | None = None

        def tell_phase() -> None:
            """Say what the threads do, if that is something else than before."""
            nonlocal told
            made, planned = len(self._programs.made), len(self._programs.planned)
            phase = PhaseBegan("compile" if self._programs.making else "train", made, planned)
            if phase != told:
                told = phase
                watch.emit(phase)

        with LaneThreads(self._threads, lambda group: not group.waits_at(generation.compared_at)) as threads:
            yield from map(self._result, generation.run_due_rungs())  # a checkpoint may stand where all wait at a rung
            threads.set(generation.groups)
            while threads.working:
                tell_phase()
                stops = watch.stopping()
                pauses = stops or (self._checkpoint is not None and self._checkpoint.is_due())
                with self._wall.part("lanes"):  # a report first, so that training goes on between any two pauses
                    reports = [] if stops else threads.next_report()
                    reports += threads.pause(tell_phase) if pauses else []
                yield from self._read(reports, generation, watch)
                if pauses and self._checkpoint is not None:
                    with self._wall.part("checkpoint"):
                        generation.write(self._checkpoint, trials)
                if stops:
                    return
                yield from map(self._result, generation.run_due_rungs())
                threads.set(generation.groups)

    def _read(self, reports: Sequence[Report], generation: LaneGeneration, watch: Watch) -> Iterator[Result]:
        """Pass on what groups report; results of the lanes that ended."""
        for report in reports:
            if report.error is not None:  # it takes down all lanes of the program
                failing = [lane for lane in report.group.lanes if lane.training]
                for lane in failing:
                    lane.end = LaneEnd.FAILED
                    if lane.wanted:
                        yield failed(lane.suggestion, report.error, lane.curve, lane.seconds)
            generation.seconds += report.seconds
            for lane, row in report.rows:
                lane.seen = report.epoch
                if lane.wanted:
                    watch.emit(EpochEnded(lane.number, report.epoch, row))
            for lane in report.ended:
                if self._kept is not None:
                    with self._wall.part("checkpoint"):
                        self._kept.keep(lane)
                if lane.wanted:
                    yield self._result(lane)

    def _result(self, lane: Lane) -> Result:
        if lane.end is LaneEnd.DIVERGED:
            return failed(lane.suggestion, DIVERGED, lane.curve, lane.seconds)
        rows = self._data.validation
        state = lane.best if self._spec.objective.take_best else lane.last
        assert state is not None
        with self._wall.part("score"):
            return scored(
                self._spec,
                lane.suggestion,
                curve=lane.curve,
                weights=self._programs.weights(lane, state),
                seconds=lane.seconds,
                y=rows.y,
                right=np.unpackbits(state.right[0], count=len(rows)).astype(bool) if state.right else None,
                predict=lambda: self._programs.predict(lane, state),
                pruned_at=len(lane.rows) if lane.end is LaneEnd.PRUNED else None,
            )
