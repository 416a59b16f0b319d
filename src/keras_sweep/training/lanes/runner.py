"""The compiled runner: trials are lanes of a few programs, with the numbers that `fit` gives one by one."""

import copy
import pickle
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import keras
import numpy as np

from keras_sweep.data.search_data import SearchData
from keras_sweep.process.backend import cores
from keras_sweep.process.wall_time import WallTime
from keras_sweep.space.sweep_spec import GENERATION, SweepSpec
from keras_sweep.space.text import joined
from keras_sweep.training.checkpoint import CHECKPOINT_SECONDS, LatestCheckpoint
from keras_sweep.training.compiling import enable_compile_cache
from keras_sweep.training.lanes.generation import LaneGeneration
from keras_sweep.training.lanes.group import Group, Report, Segment
from keras_sweep.training.lanes.lane import EndStates, Lane, LaneEnd
from keras_sweep.training.lanes.packing import Device, device_here
from keras_sweep.training.lanes.programs import Programs
from keras_sweep.training.lanes.segments import Segments, train_segment
from keras_sweep.training.outcome import Failure, failed, scored, scored_epoch, trial_objective
from keras_sweep.training.runner import Runner, Watch
from keras_sweep.training.workers.pool import Pool, error_of
from keras_sweep.training.workers.task import Client
from keras_sweep.trial.events import EpochEnded, Listener, PhaseBegan
from keras_sweep.trial.result import DIVERGED, Result, Suggestion

AT_ONCE = 1_000  # segments that workers are given at the same time: their executor has them wait


class CompiledRunner(Runner):
    """Trains a generation as lanes of compiled programs, on one thread a core."""

    name = "compiled/jax"
    generation = GENERATION
    at_once = 1  # programs of the last generation, each of which one core trains

    def __init__(
        self,
        spec: SweepSpec,
        data: SearchData,
        *,
        checkpoints: Path | None = None,
        keep_states: bool = False,  # where every trial ended, so that a later one may continue it
        workers: Pool | None = None,
        threads: int | None = None,  # programs that run at once; by default one a core, or one: no number depends on it
        device: Device | None = None,  # on which last digits depend; by default that of this process, or of its workers
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        """As `MakeRunner` says."""
        enable_compile_cache()
        self._spec = spec
        self._data = data
        self._shared = Client(workers, spec, data, notice) if workers is not None else None
        if self._shared is not None:
            device, *others = self._shared.look(device_here)
            if any(one != device for one in others):
                notice(f"workers have different devices, which moves last digits: they train as {device.text}")
        self.device = device or device_here()
        self._threads = threads or (len(cores()) if self.device.is_cpu else 1)
        self._wall = WallTime()
        self._programs = Programs(spec, data, self.device)
        self._kept = EndStates(checkpoints) if keep_states else None
        self._checkpoint: LatestCheckpoint | None = None
        if checkpoints is not None:
            self._checkpoint = LatestCheckpoint(checkpoints, spec, data, notice, checkpoint_seconds, self.device.lanes)

    @property
    def compiled(self) -> int:
        return self._programs.compiled

    @property
    def spent(self) -> Mapping[str, float]:
        """By build, compile, train, validate, score, checkpoint."""
        return self._wall.parts

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
        self.at_once = len(generation.groups)
        if unbuilt is None:
            return
        for suggestion, error in unbuilt:
            if suggestion.number in wanted:
                yield failed(suggestion, Failure.of(error))
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
            """Say what the threads do, if that is something else than before; of workers it is not known."""
            nonlocal told
            made, planned = len(self._programs.made), len(self._programs.planned)
            phase = PhaseBegan("compile" if self._programs.making else "train", made, planned)
            phase = phase if self._shared is None else PhaseBegan("train")
            if phase != told:
                told = phase
                watch.emit(phase)

        with self._segments(generation) as segments:
            yield from map(self._result, generation.run_due_rungs())  # a checkpoint may stand where all wait at a rung
            segments.set(generation.groups)
            while segments.working:
                tell_phase()
                stops = watch.stopping()
                writes = stops or (self._checkpoint is not None and self._checkpoint.is_due())
                with self._wall.part("lanes"):  # a segment first, so that training goes on between any two pauses
                    ended = [] if stops else segments.next()
                    if stops or (writes and self._shared is None):  # workers' groups stand still while they train
                        ended += self._paused(segments, tell_phase)
                yield from self._read(ended, generation, watch)
                if writes and self._checkpoint is not None:
                    with self._wall.part("checkpoint"), segments.still():
                        generation.write(self._checkpoint, trials)
                if stops:
                    return
                yield from map(self._result, generation.run_due_rungs())
                segments.set(generation.groups)

    @contextmanager
    def _segments(self, generation: LaneGeneration) -> Iterator[Segments]:
        """What has groups trained: by the threads of a pool, an epoch at a time, or by workers; at the end none is."""
        shared, policy = self._shared, keras.config.dtype_policy()  # of this thread: each has its own

        def by_workers(group: Group) -> Future[Segment]:
            assert shared is not None
            until = group.next_stop(self._programs.segment_epochs(group.signature))
            return shared.submit(train_segment, self.device, pickle.dumps(group.at_rest()), until)

        with ThreadPoolExecutor(self._threads, "lanes", keras.config.set_dtype_policy, (policy,)) as pool:

            def by_threads(group: Group) -> Future[Segment]:
                return pool.submit(group.train, group.epoch + 1)

            train, at_once = (by_threads, self._threads) if shared is None else (by_workers, AT_ONCE)
            segments = Segments(train, at_once, lambda group: not group.waits_at(generation.compared_at))
            try:
                yield segments
            finally:
                self._paused(segments, lambda: None)

    def _paused(self, segments: Segments, meanwhile: Callable[[], None]) -> list[tuple[Group, Future[Segment]]]:
        """As `Segments.pause`; workers are asked to stop after their epochs."""
        if self._shared is None:
            return segments.pause(meanwhile)
        self._shared.stop(now=True)
        try:
            return segments.pause(meanwhile)
        finally:
            self._shared.stop(now=False)

    def _read(
        self, ended: Sequence[tuple[Group, Future[Segment]]], generation: LaneGeneration, watch: Watch
    ) -> Iterator[Result]:
        """Pass on what segments report; results of the lanes that ended."""
        for group, segment in ended:
            if (error := error_of(segment)) is not None:
                if self._shared is None:
                    raise error
                trials = joined([str(lane.number) for lane in group.lanes if lane.training], "and")
                self._shared.lost(f"train trial {trials} from epoch {group.epoch + 1} on", error)
                continue
            for report in segment.result().reports:
                if report.failure is not None:  # it takes down all lanes of the program
                    for lane in [lane for lane in group.lanes if lane.training]:
                        lane.end = LaneEnd.FAILED
                        if lane.wanted:
                            yield failed(lane.suggestion, report.failure, lane.curve, lane.seconds)
                yield from self._told(report, generation, watch)

    def _told(self, report: Report, generation: LaneGeneration, watch: Watch) -> Iterator[Result]:
        generation.seconds += report.seconds
        for number, row in report.rows.items():
            lane = generation.lanes[number]
            lane.seen = report.epoch
            if lane.wanted:
                watch.emit(EpochEnded(number, report.epoch, row))
        for lane in map(generation.lanes.__getitem__, report.ended):
            if self._kept is not None:
                with self._wall.part("checkpoint"):
                    self._kept.keep(lane)
            if lane.wanted:
                yield self._result(lane)

    def _result(self, lane: Lane) -> Result:
        if lane.end is LaneEnd.DIVERGED:
            return failed(lane.suggestion, Failure(DIVERGED), lane.curve, lane.seconds)
        rows = self._data.validation
        state = lane.best or lane.last
        assert state is not None
        values = lane.curve[self._spec.objective.name]
        with self._wall.part("score"):
            return scored(
                self._spec,
                lane.suggestion,
                curve=lane.curve,
                epoch=scored_epoch(trial_objective(self._spec.objective, lane.suggestion), values, lane.restored),
                weights=self._programs.weights(lane, state),
                seconds=lane.seconds,
                rows=rows,
                right=np.unpackbits(state.right[0], count=len(rows)).astype(bool) if state.right else None,
                predict=lambda: self._programs.predict(lane, state),
                model=lambda: self._programs.model(lane, state),
                pruned_at=len(lane.rows) if lane.end is LaneEnd.PRUNED else None,
            )
