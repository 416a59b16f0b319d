"""The compiled runner: trials are lanes of a few programs, with the numbers that `fit` gives one by one."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from pathlib import Path
from typing import Self

from keras_sweep.data.search_data import SearchData
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.checkpoint import CHECKPOINT_SECONDS, OF_GENERATION, LatestCheckpoint
from keras_sweep.training.compiling import enable_compile_cache
from keras_sweep.training.lanes.generation import LaneGeneration
from keras_sweep.training.lanes.group import Group
from keras_sweep.training.lanes.lane import EndStates, LaneEnd, LaneProgress
from keras_sweep.training.lanes.lane_threads import LaneThreads, Report
from keras_sweep.training.lanes.packing import LANE_LIMIT
from keras_sweep.training.lanes.program_cache import ProgramCache
from keras_sweep.training.lanes.snapshot import restore_snapshot, write_snapshot
from keras_sweep.training.outcome import failed, scored
from keras_sweep.training.row_values import unpacked
from keras_sweep.training.runner import TO_THE_END, Judge
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
        """
        Args:
            spec: the sweep.
            data: its training and validation rows.
            checkpoints: the folder for snapshots of a generation in training, and for kept states; None keeps nothing.
            keep_states: keep where every trial ended, so that a later one may continue it.
            threads: how many programs run at once; by default one a core. No number depends on it.
            lane_limit: the most lanes of a program. The last digits of results depend on it.
            checkpoint_seconds: between two snapshots.
            notice: is called with what the user should know, a sentence.
        """
        enable_compile_cache()
        self._spec = spec
        self._data = data
        self._threads = threads or len(os.sched_getaffinity(0))
        self._wall = WallTime()
        self.spent = self._wall.parts  # build, compile, train, validate, score, checkpoint
        self._programs = ProgramCache(spec, data, lane_limit=lane_limit)
        self._kept = EndStates(checkpoints) if keep_states else None
        self._snapshot: LatestCheckpoint | None = None
        if checkpoints is not None:
            self._snapshot = LatestCheckpoint(
                checkpoints, spec, data, notice, OF_GENERATION, checkpoint_seconds, lane_limit
            )

    @property
    def compiled(self) -> int:
        return self._programs.compiled

    def programs(
        self, trials: Sequence[Suggestion], wanted: frozenset[int], emit: Listener = lambda _: None
    ) -> list[tuple[int, int]]:
        generation = LaneGeneration(self._spec, self._programs, self._kept, TO_THE_END)
        with self._wall.part("build"):
            generation.fill(trials, wanted, emit, lambda: False)
        return generation.programs

    def run(
        self,
        trials: Sequence[Suggestion],
        wanted: frozenset[int],
        judge: Judge = TO_THE_END,
        emit: Listener = lambda _: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Generator[Result, None, None]:
        """Train from the start, or from where the generation was stopped, if it left a snapshot."""
        generation = LaneGeneration(self._spec, self._programs, self._kept, judge)
        with self._wall.part("build"):
            unbuilt = generation.fill(trials, wanted, emit, stopping)
        if unbuilt is None:
            return
        for suggestion, error in unbuilt:
            if suggestion.number in wanted:
                yield failed(suggestion, error, runner=self.name)
        if self._snapshot is not None:
            with self._wall.part("checkpoint"):
                restore_snapshot(self._snapshot, trials, generation, emit)
        try:
            for lane in generation.lanes.values():
                if lane.rows and not lane.training and lane.spec.wanted:
                    yield self._result(lane)
            yield from self._train(trials, generation, emit, stopping)
        finally:
            # Several groups train at once: what the wait for them took is shared out as their own times stand.
            spent = generation.seconds
            parts = {"compile": spent.compile, "train": spent.train, "validate": spent.validate}
            self._wall.split("lanes", parts, rest="train")
            if self._snapshot is not None and generation.over:
                self._snapshot.remove()

    def keep_only(self, numbers: Collection[int]) -> None:
        if self._kept is not None:
            self._kept.keep_only(numbers)

    def missing(self, trials: Sequence[Suggestion]) -> frozenset[int]:
        if self._kept is None:
            return frozenset()
        continued = {one.continues for one in trials if one.continues is not None}
        return frozenset(number for number in continued if not self._kept.has(number))

    def without_checkpoints(self) -> Self:
        other = copy.copy(self)
        other._snapshot = None  # noqa: SLF001  # of its own copy
        other._kept = EndStates(None) if self._kept is not None else None  # noqa: SLF001  # as above
        return other

    def _train(
        self,
        trials: Sequence[Suggestion],
        generation: LaneGeneration,
        emit: Listener,
        stopping: Callable[[], bool],
    ) -> Iterator[Result]:
        told: PhaseBegan | None = None

        def tell_phase() -> None:
            """Say what the threads do, if that is something else than before."""
            nonlocal told
            made, planned = len(self._programs.made), len(self._programs.planned)
            phase = PhaseBegan("compile" if self._programs.making else "train", made, planned)
            if phase != told:
                told = phase
                emit(phase)

        with LaneThreads(self._threads, lambda group: not group.waits_at(generation.compared_at)) as threads:
            yield from self._run_due_rungs(generation)  # a snapshot may stand where all wait at a rung
            threads.set(generation.groups)
            while threads.working:
                tell_phase()
                stops = stopping()
                if not stops:
                    with self._wall.part("lanes"):
                        report = threads.report()
                    if report is not None:
                        yield from self._read([report], generation, emit)
                        yield from self._run_due_rungs(generation)
                        threads.set(generation.groups)
                due = self._snapshot is not None and self._snapshot.is_due()
                if stops or due:
                    with self._wall.part("lanes"):
                        threads.pause(tell_phase)
                    yield from self._read(threads.unread(), generation, emit)
                    if self._snapshot is not None:
                        with self._wall.part("checkpoint"):
                            write_snapshot(self._snapshot, trials, generation)
                    if stops:
                        return
                    yield from self._run_due_rungs(generation)  # the reports just read are not read again
                    threads.set(generation.groups)
                    threads.resume()

    def _run_due_rungs(self, generation: LaneGeneration) -> Iterator[Result]:
        """Run the rungs that all have come to; results of the pruned."""
        for lane in generation.run_due_rungs():
            if lane.spec.wanted:
                yield self._result(lane)

    def _read(self, reports: Sequence[Report], generation: LaneGeneration, emit: Listener) -> Iterator[Result]:
        """Pass on what groups report; results of the lanes that ended."""
        for report in reports:
            if report.error is not None:
                yield from self._raised(report.group, report.error)
            if (epoch := report.epoch) is None:
                continue
            generation.seconds += epoch.seconds
            for lane, row in epoch.rows:
                lane.seen = epoch.number
                if lane.spec.wanted:
                    emit(EpochEnded(lane.number, epoch.number, row))
            for lane in epoch.ended:
                if self._kept is not None:
                    with self._wall.part("checkpoint"):
                        self._kept.keep(lane)
                if lane.spec.wanted:
                    yield self._result(lane)

    def _raised(self, group: Group, error: BaseException) -> Iterator[Result]:
        """Results of the lanes that a failing program takes down."""
        for lane in group.lanes:
            if lane.training:
                lane.end = LaneEnd.FAILED
                if lane.spec.wanted:
                    yield self._failed(lane, error)

    def _result(self, lane: LaneProgress) -> Result:
        if lane.end is LaneEnd.DIVERGED:
            return self._failed(lane, DIVERGED)
        template = self._programs.templates.ended(lane.spec.signature)
        state = lane.best if self._spec.objective.take_best else lane.last
        assert state is not None
        with self._wall.part("score"):
            return scored(
                self._spec,
                lane.spec.suggestion,
                curve=lane.curve,
                weights=template.weights(state, lane.spec.own),
                seconds=lane.seconds,
                runner=self.name,
                y=self._data.validation.y,
                right=unpacked(state.right, len(self._data.validation)),
                predict=lambda: template.predict(state, self._data.validation.x, lane.spec.own),
                pruned_at=len(lane.rows) if lane.end is LaneEnd.PRUNED else None,
            )

    def _failed(self, lane: LaneProgress, why: str | BaseException) -> Result:
        return failed(lane.spec.suggestion, why, runner=self.name, curve=lane.curve, seconds=lane.seconds)
