"""The base class of both runners: train a generation in groups of lanes, in this process or by workers."""

import copy
import pickle
from abc import abstractmethod
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import ModelError, SweepError
from keras_sweep.models.hyper_model import RETURNED
from keras_sweep.process.compiling import enable_compile_cache
from keras_sweep.process.wall_time import WallTime
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import join
from keras_sweep.training.build_trial import compute_added_losses, may_add_losses, output_masks
from keras_sweep.training.checkpoint import CHECKPOINT_SECONDS, LatestCheckpoint, TrainingState
from keras_sweep.training.folds import compute_validation_outputs
from keras_sweep.training.generation import TrainingGeneration
from keras_sweep.training.group import Group, Report, Segment, Tell
from keras_sweep.training.lane import EndStates, Lane, LaneEnd
from keras_sweep.training.logged_metric import number_batches
from keras_sweep.training.outcome import (
    Failure,
    find_scored_epoch,
    is_out_of_memory,
    make_failure,
    make_result,
    trial_objective,
)
from keras_sweep.training.runner import Runner, Watch
from keras_sweep.training.segments import Segments, train_segment
from keras_sweep.training.workers.pool import Pool, error_of
from keras_sweep.training.workers.task import Client
from keras_sweep.trial.events import EpochEnded, Noticed, PhaseBegan
from keras_sweep.trial.result import DIVERGED, Result, Suggestion

Train: TypeAlias = Callable[[Group], Future[Segment]]
MAX_SEGMENTS = 1_000  # sent to workers at once; the executor queues segments beyond the number of workers


class GroupRunner(Runner):
    """Trains a generation in groups of lanes. A subclass defines the groups, and the programs that train a group."""

    _generation: type[TrainingGeneration]
    _programs: Any  # set by the subclass

    def __init__(
        self,
        spec: SweepSpec,
        data: SearchData,
        *,
        checkpoints: Path | None = None,
        workers: Pool | None = None,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        enable_compile_cache()
        self._spec = spec
        self._data = data
        self._shared = Client(workers, spec, data, notice) if workers is not None else None
        self._seconds = checkpoint_seconds
        self._wall = WallTime()
        self._begun = 1  # number of groups in the last generation
        self._ends: EndStates | None = None
        self._checkpoint: LatestCheckpoint | None = None
        if checkpoints is not None:
            self._checkpoint = LatestCheckpoint(checkpoints, spec, data, notice, checkpoint_seconds)

    @property
    def compiled(self) -> int:
        return int(self._programs.compiled)

    @property
    def spent(self) -> Mapping[str, float]:
        """Part of the work ("build", "compile", "train", "validate", "score", "checkpoint") -> seconds until now."""
        return self._wall.parts

    @abstractmethod
    def _train_here(self, stack: ExitStack, stopping: Callable[[], bool], tell: Tell) -> tuple[Train, int]:
        """Prepare training in this process. Return (function that trains a group's next epochs, `at_once`).

        `at_once` groups can train in parallel. If 0, the function trains in the calling thread, calls `tell` after each
        epoch, and stops early if `stopping()` is true. Closing `stack` releases what the function needs.
        """

    def run(self, trials: Sequence[Suggestion], wanted: frozenset[int], watch: Watch) -> Generator[Result, None, None]:
        """Train the generation from its checkpoint or the start. Yield the results of the trial numbers `wanted`."""
        generation = self._generation(self._spec, self._programs, self._ends, watch)
        if not (yield from self._fill(generation, trials, wanted)):
            return
        try:
            if not watch.stopping():  # workers would finish the groups that they get
                yield from self._train(generation, watch)
        finally:
            # Several groups train at once, so the waiting time is split in proportion to the groups' own times.
            spent = generation.seconds
            parts = {"compile": spent.compile, "train": spent.train, "validate": spent.validate}
            self._wall.split("lanes", parts, rest="train")
            open_lanes = [lane for lane in generation.lanes.values() if lane.training and lane.wanted]
            if self._checkpoint is not None and not open_lanes:
                self._checkpoint.remove()

    def _fill(
        self, generation: TrainingGeneration, trials: Sequence[Suggestion], wanted: frozenset[int]
    ) -> Generator[Result, None, bool]:
        """Add trials to `generation`. Yield results that are known at once. Return False if the user stops."""
        with self._wall.part("build"):
            unbuilt = generation.fill(trials, wanted)
        self._begun = len(generation.groups)
        if unbuilt is None:
            return False
        for suggestion, error in unbuilt:
            if suggestion.number in wanted:
                yield self._check(make_failure(suggestion, Failure.from_error(error)))
        if self._checkpoint is not None:
            with self._wall.part("checkpoint"):
                generation.restore(self._checkpoint, trials)
        for lane in generation.select_lanes(trials):
            if lane.rows and not lane.training and lane.wanted:
                yield self._make_result(lane)
        return True

    def keep_only(self, numbers: Collection[int]) -> None:
        if self._ends is not None:
            self._ends.keep_only(numbers)

    def missing(self, trials: Sequence[Suggestion]) -> frozenset[int]:
        if self._ends is None:
            return frozenset()
        predecessors = {trial.continues for trial in trials if trial.continues is not None}
        return frozenset(number for number in predecessors if self._ends.end(number) is None)

    def without_checkpoints(self) -> Self:
        runner = copy.copy(self)
        runner._checkpoint = None  # noqa: SLF001  # a copy of self
        runner._ends = EndStates(None) if self._ends is not None else None  # noqa: SLF001  # a copy of self
        return runner

    def _train(self, generation: TrainingGeneration, watch: Watch) -> Iterator[Result]:
        last_phase: PhaseBegan | None = None
        pruned: list[Lane] = []

        def tell_phase() -> None:
            nonlocal last_phase
            phase = self._programs.phase if self._shared is None else PhaseBegan("train")
            if phase is not None and phase != last_phase:
                last_phase = phase
                watch.emit(phase)

        def tell(report: Report) -> None:
            """Log an epoch that this thread trained. Run due rungs, and write a checkpoint if it is due."""
            self._log_report(report, generation, watch)
            pruned.extend(generation.run_due_rungs())
            if self._checkpoint is not None and self._checkpoint.is_due():
                with self._wall.part("checkpoint"):
                    generation.write(self._checkpoint)

        with ExitStack() as stack:
            by_workers = self._train_by_workers, self._count_segments()
            train, at_once = by_workers if self._shared else self._train_here(stack, watch.stopping, tell)
            segments = Segments(train, at_once, generation.can_go_on)
            stack.callback(self._pause_segments, segments, lambda: None)  # no training outlives this generator
            while True:
                yield from self._grow(generation, watch, pruned)
                segments.set(generation.groups)
                if not segments.is_working:
                    return
                tell_phase()
                stops = watch.stopping()
                writes = stops or (self._checkpoint is not None and self._checkpoint.is_due())
                with self._wall.part("lanes"):  # read a segment first, so that training advances between two pauses
                    ended = [] if stops else segments.next()
                    if stops or (writes and self._shared is None):  # with workers, our copies of groups stay unchanged
                        ended += self._pause_segments(segments, tell_phase)
                yield from self._read_segments(ended, generation, watch)
                if writes and self._checkpoint is not None:
                    with self._wall.part("checkpoint"), segments.lock:
                        generation.write(self._checkpoint)
                if stops:
                    return

    def _grow(self, generation: TrainingGeneration, watch: Watch, pruned: list[Lane]) -> Iterator[Result]:
        """Run due rungs, and add the generations that begin by now. Yield the results of the lanes that end."""
        while True:
            pruned += generation.run_due_rungs()
            while pruned:
                yield self._make_result(pruned.pop(0))
            joining = watch.join(generation.progress())
            if joining is None or not (yield from self._fill(generation, *joining)):
                return

    def _train_by_workers(self, group: Group) -> Future[Segment]:
        assert self._shared is not None
        until, pickled = group.segment_end(), pickle.dumps(group.at_rest())
        return self._shared.submit(train_segment, self.device, pickled, until, self._seconds)

    def _count_segments(self) -> int:
        return MAX_SEGMENTS

    def _pause_segments(self, segments: Segments, meanwhile: Callable[[], None]) -> list[tuple[Group, Future[Segment]]]:
        """Pause training: call `meanwhile` until no group trains. Return [(group, ended segment), ...] to be read."""
        if self._shared is None:
            return segments.pause(meanwhile)
        self._shared.workers.stop(now=True)
        try:
            return segments.pause(meanwhile)
        finally:
            self._shared.workers.stop(now=False)

    def _read_segments(
        self, ended: Sequence[tuple[Group, Future[Segment]]], generation: TrainingGeneration, watch: Watch
    ) -> Iterator[Result]:
        """Report epochs to `watch`. Yield ended lanes' results. Raises SweepError if workers lose a segment 3 times."""
        for group, segment in ended:
            if (error := error_of(segment)) is not None:
                if (failure := self._find_failure(group, error)) is not None:
                    yield from self._fail(group, failure, generation, watch, shrinks=True)
                continue
            for report in segment.result().reports:
                if report.failure is not None:
                    shrinks = report.failure.is_out_of_memory
                    yield from self._fail(group, report.failure, generation, watch, shrinks=shrinks)
                self._log_report(report, generation, watch)
                yield from self._end_lanes([generation.lanes[number] for number in report.ended])

    def _find_failure(self, group: Group, error: BaseException) -> Failure | None:
        """Return the failure of trials whose training ended their worker; None if they are worth another try."""
        if self._shared is None:
            raise error
        if is_out_of_memory(error):
            return Failure.from_error(error)
        what = f"train trial {_name_trials(group)} from epoch {group.epoch + 1}"
        try:
            self._shared.mark_lost(what, error)
        except SweepError as lost:
            if not isinstance(error, ChildProcessError):  # other trials would not reach the workers either
                raise
            return Failure(lost.message)
        return None

    def _fail(
        self, group: Group, failure: Failure, generation: TrainingGeneration, watch: Watch, *, shrinks: bool
    ) -> Iterator[Result]:
        """Fail all lanes of a group. If it `shrinks` and is not the smallest, they start again in smaller groups."""
        trials = _name_trials(group)
        group.finished = True
        if shrinks and generation.shrink(group):
            watch.emit(Noticed(f"with less memory for each program, trial {trials} is trained again: {failure.reason}"))
            return
        for lane in [lane for lane in group.lanes if lane.training]:
            lane.end = LaneEnd.FAILED
            if lane.wanted:
                yield self._check(make_failure(lane.suggestion, failure, lane.curve, lane.seconds))

    def _end_lanes(self, lanes: Sequence[Lane]) -> Iterator[Result]:
        for lane in lanes:
            if self._ends is not None:
                with self._wall.part("checkpoint"):
                    self._ends.keep(lane)
            if lane.wanted:
                yield self._make_result(lane)

    def _log_report(self, report: Report, generation: TrainingGeneration, watch: Watch) -> None:
        generation.seconds += report.seconds
        for number, row in report.rows.items():
            lane = generation.lanes[number]
            lane.seen = report.epoch
            if lane.wanted:
                watch.emit(EpochEnded(number, report.epoch, row))

    def _check(self, result: Result) -> Result:
        """Return `result`. Raises ModelError if the HyperModel's `fit` returned no objective for the first trial."""
        if result.suggestion.recipe is None and result.number == 0 and (result.reason or "").startswith(RETURNED):
            raise ModelError(str(result.reason))
        return result

    def _compute_masks(self, lane: Lane, state: TrainingState) -> Any:
        """Return the masks [N, ...] of the outputs on the validation rows; None if no output has a mask."""
        if self._spec.function or not self._programs.has_masks(lane, state):
            return None
        weights = self._programs.weights(lane, state)
        return compute_validation_outputs(self._spec, lane.suggestion.params, weights, self._data, output_masks)

    def _compute_added_losses(self, lane: Lane, state: TrainingState) -> npt.NDArray[np.float64] | None:
        """Return the losses that layers add for each validation row, [N]; None if no layer does."""
        if self._spec.function or not may_add_losses(self._programs.get_architecture(lane, state)):
            return None
        weights = self._programs.weights(lane, state)
        params = lane.suggestion.params
        return np.asarray(compute_validation_outputs(self._spec, params, weights, self._data, compute_added_losses))

    def _make_result(self, lane: Lane) -> Result:
        if lane.end is LaneEnd.DIVERGED:
            return make_failure(lane.suggestion, Failure(DIVERGED), lane.curve, lane.seconds)
        rows, scored = self._data.validation, lane.scored
        timed = f"ended after {lane.plan.training.seconds:g} s of training" if lane.end is LaneEnd.TIMED else None
        state = lane.last if scored.at_end else lane.best or lane.last
        assert state is not None
        values = lane.curve[self._spec.objective.name]
        epoch = find_scored_epoch(trial_objective(self._spec.objective, lane.suggestion), values, lane.epoch_to_restore)
        with self._wall.part("score"):
            return make_result(
                self._spec,
                lane.suggestion,
                curve=lane.curve,
                epoch=len(lane.rows) if scored.at_end else epoch,
                weights=self._programs.weights(lane, state),
                seconds=lane.seconds,
                rows=rows,
                right=np.unpackbits(state.right[0], count=len(rows.y)).astype(bool) if state.right else None,
                predict=lambda: self._programs.predict(lane, state),
                model=lambda: self._programs.model(lane, state),
                batches=partial(number_batches, self._data, lane.plan.batch_size),
                added=lambda: self._compute_added_losses(lane, state),
                mask=cache(lambda: self._compute_masks(lane, state)),
                is_validation_score=scored.is_validation_score,
                reason="; ".join(filter(None, (timed, scored.reason))) or None,
                pruned_at=len(lane.rows) if lane.end is LaneEnd.PRUNED else None,
            )


def _name_trials(group: Group) -> str:
    return join([str(lane.number) for lane in group.lanes if lane.training], "and")
