"""`sweep run` as a function: check, search, test evaluation, best model; the same call again resumes."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from keras_sweep.errors import RecordError, SweepError
from keras_sweep.files.plain import plain_errors
from keras_sweep.process.keras_config import keras_config
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.reader import read_facts
from keras_sweep.record.saved import saved_trials
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.search.engines import make_engine
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.comparison import keep_comparison
from keras_sweep.sweep.finalists import Finalists
from keras_sweep.sweep.finish import Finishing
from keras_sweep.sweep.load import Loaded, load, short_path, sweep_started
from keras_sweep.sweep.loop import Limits, search
from keras_sweep.sweep.open_record import check_spec, open_study, set_damaged_weights_aside, tell_again
from keras_sweep.sweep.rebuild import BestWeights, rebuild_scores
from keras_sweep.sweep.recorded import why_none
from keras_sweep.sweep.refit import Refitting
from keras_sweep.training import checkpoint
from keras_sweep.training.choose import RUNNERS
from keras_sweep.training.fit.checkpoint import FILE as OF_FIT
from keras_sweep.training.lanes.snapshot import FILE as OF_LANES
from keras_sweep.trial.comparison import Comparison
from keras_sweep.trial.events import EndReason, Listener, Noticed, SweepEnded
from keras_sweep.trial.ranking import best_training, imported, winner
from keras_sweep.trial.result import DIVERGED, Result
from keras_sweep.trial.wall_time import WallTime


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a sweep is run, beside what its space file says."""

    runner: str | None = None  # one of RUNNERS, or None: the fastest that can be had
    more: int | None = None  # trials on top of those that are there, instead of a total
    seconds: float | None = None  # stop after so long
    fresh: bool = False  # move an older sweep of that name aside
    force: bool = False  # take over the lock of another host
    test: bool = True  # evaluate the winner on the sealed test set
    max_failures: int | None = None

    def __post_init__(self) -> None:
        """Raises UsageError where there is no such runner."""
        if self.runner is not None:
            RUNNERS.find(self.runner)


def run_sweep(
    spec: SweepSpec, folder: SweepFolder, options: RunOptions, emit: Listener, wall: WallTime, stop: StopRequest
) -> SweepEnded:
    """Search until done, then evaluate and export the winner. KERAS_BACKEND is set before this is called.

    Raises:
        Interrupted: a signal came before there was anything to finish.
        UsageError: the data, the model or the space do not fit each other; nothing was written.
        ChangedSweep: there is a sweep of that name with another space, data or seed.
        SweepBusy: another process runs it.
        RecordError: the record is damaged, or the disk fails.
        SweepError: the trials fail.
    """
    wall.emit = emit
    wall.name_rest("start")
    if options.seconds is not None:
        stop.limit(options.seconds)
    if folder.exists() and not options.fresh:
        with contextlib.suppress(RecordError):  # which is told once the record is opened
            check_spec(folder, spec, read_facts(folder))
        if options.more is None and (ended := tell_again(spec, folder, emit, wall, test=options.test)):
            return ended
    loaded = load(spec, folder, options.runner, emit, wall, stop)
    with SweepLock(folder, force=options.force) as lock:
        if lock.taken_over is not None:
            emit(Noticed(f"the sweep goes on where process {lock.taken_over.pid} left it"))
        if options.fresh and folder.exists():
            emit(Noticed(f"the older sweep is {lock.move_aside().name} now"))
        with wall.phase("record"):
            study = open_study(
                folder,
                loaded.spec,
                loaded.data.fingerprint,
                emit,
                test_fingerprint=loaded.data.test_fingerprint,
                keras_config=keras_config(),
            )
        with study:
            for text in loaded.notices:
                emit(Noticed(text))
            return _Run(study, loaded, options, emit, wall, stop).to_its_end()


@dataclass(frozen=True, slots=True)
class _Left:
    """What is kept of trials that are not in the record."""

    training: Mapping[int, int] = field(default_factory=dict)  # stopped in training -> epoch at which it is kept
    waiting: tuple[int, ...] = ()  # ended, in the spool until those with lower numbers are recorded


@dataclass(frozen=True, slots=True)
class _Run:
    """A sweep whose record is open and whose lock is held."""

    study: StudyFile
    loaded: Loaded
    options: RunOptions
    emit: Listener
    wall: WallTime
    stop: StopRequest

    def to_its_end(self) -> SweepEnded:
        """Search, finish the winner, and write down and tell how it ended. Raises as `run_sweep`."""
        spec, folder = self.loaded.spec, self.study.folder
        with self.wall.part("record"):
            record = TrialRecord(self.study, spec.objective, notice=lambda text: self.emit(Noticed(text)))
            earlier = record.results()
            damaged = set_damaged_weights_aside(folder, earlier, self.emit)
            trained = self.study.finalists().results() if saved_trials(folder.finalists) else []
            damaged_finalists = set_damaged_weights_aside(folder.finalists, trained, self.emit)
        total = self._total(len(earlier))
        self.emit(sweep_started(spec, folder, self.loaded.runner.name, total, earlier))
        ended, finalists_ended = self._search(record, total)
        reason = ended if finalists_ended else _stopped(self.stop)
        with self.wall.part("record"):
            results = self.study.ranked_results()
            left = self._left(record, len(results), total) if ended is reason else _Left()
            if ended is EndReason.EXHAUSTED:
                self.study.set_attributes({"exhausted": len(results)})
        best = winner(results, spec.objective)
        model, comparison = None, None
        if best is not None and not self.stop.signalled:
            finalists = {one.number: one for result in results for one in result.finalists}
            lost = [results[one] for one in damaged if one in record.best]
            lost += [finalists[one] for one in damaged_finalists if one in finalists]
            comparison = self._finish(results, best, lost)
            model = short_path(folder.best)
        seconds = self._write_down()
        if reason is EndReason.OUT_OF_TIME:
            self.emit(Noticed(_to_go_on(left, results)))
        told = SweepEnded(spec.name, reason, tuple(results), seconds, model, left.training, left.waiting, comparison)
        self.emit(told)
        own = _trained_here(results)
        if best is None and own and reason is not EndReason.OUT_OF_TIME and not self.stop.signalled:
            hint = f"`sweep show {spec.name} {own[0].number}` says more"
            if any(one.reason == DIVERGED for one in own):
                hint += "; what diverges wants a lower learning rate, or a target and inputs of about -1 to 1"
            raise SweepError(f"no trial completed, {why_none(own)}", hint=hint)
        return told

    def _total(self, earlier: int) -> int:
        """How many trials there are to be, counting those of earlier runs; the record then says so, too."""
        asked = self.loaded.spec.search.trials
        total = asked if self.options.more is None else earlier + self.options.more
        if total != asked:
            self.study.set_attributes({"trials": total})
        return total

    def _search(self, record: TrialRecord, total: int) -> tuple[EndReason, bool]:
        """Why the search ended, and whether all that was to follow it in training did."""
        spec, runner = self.loaded.spec, self.loaded.runner
        limits = Limits(total, self.options.max_failures)
        self.stop.can_finish = True
        with plain_errors("go on with", self.study.folder.path):  # what no trial is to blame for, as a full disk
            reason = search(
                lambda: make_engine(spec), runner, record, limits, emit=self.emit, stop=self.stop, wall=self.wall
            )
            record.close()
            complete = True
            if reason in (EndReason.DONE, EndReason.EXHAUSTED):
                finalists = Finalists(spec, self.study, runner, self.emit, self.stop, self.wall)
                complete = finalists.train(record.results())
        self.wall.split("train", runner.spent, rest="report")  # telling of epochs
        return reason, complete

    def _left(self, record: TrialRecord, recorded: int, total: int) -> _Left:
        waiting = record.numbers_waiting
        training: Mapping[int, int] = {}
        if self.stop and recorded < total:
            training = kept_training(self.study.folder, set(range(recorded, total)) - set(waiting))
        return _Left(training, tuple(number for number in waiting if number < total))

    def _finish(self, results: list[Result], best: Result, damaged: Sequence[Result]) -> Comparison:
        """Make whole what trials have on disk, compare them, evaluate the winner and write its model."""
        spec, data, runner = self.loaded.spec, self.loaded.data, self.loaded.runner
        weights = BestWeights(spec, self.study, runner, self.emit, self.wall, self.stop)
        with self.wall.part("export"):
            weights.write_again(damaged)
            rebuild_scores(spec, data, self.study.folder, results, self.emit)
            finalists = [one for result in results if result.final for one in result.finalists]
            rebuild_scores(spec, data, self.study.folder.finalists, finalists, self.emit)
            training = best_training(best, spec.objective)
            comparison = keep_comparison(self.study, results)
            refitting = Refitting(spec, self.study, data, runner.name, self.emit, lambda: self.stop.signalled)
            with self.wall.part("refit"):
                refit = refitting.of(training)
            Finishing(
                spec,
                self.study,
                data,
                results,
                training,
                lambda: weights.of(training) if refit is None else refitting.weights(refit),
                self.emit,
                self.wall,
                test=self.options.test,
                refit=refit,
            ).finish()
        return comparison

    def _write_down(self) -> dict[str, float]:
        """Write into the record what all runs together took; returns the seconds of this one."""
        with contextlib.suppress(OSError):  # it holds what still trains, if anything
            self.study.folder.checkpoints.rmdir()
        seconds = self.wall.total()
        self.study.set_attributes({"seconds": _added(self.study.facts.seconds, seconds)})
        return seconds


def _stopped(stop: StopRequest) -> EndReason:
    return EndReason.INTERRUPTED if stop.signalled else EndReason.OUT_OF_TIME


def _trained_here(results: Sequence[Result]) -> list[Result]:
    return [one for one in results if not imported(one)]


def _to_go_on(left: _Left, results: Sequence[Result]) -> str:
    """What to do once the time that was given has passed."""
    if _trained_here(results) or left.training or left.waiting:
        return "the time is up; the same command goes on from what is kept"
    return "the time is up before any trial ended its first epoch: give it more with `--for`"


def _added(known: Mapping[str, float], new: Mapping[str, float]) -> dict[str, float]:
    """The wall time of all runs of a sweep together."""
    return {name: known.get(name, 0.0) + new.get(name, 0.0) for name in {**known, **new}}


def kept_training(folder: SweepFolder, wanted: Collection[int]) -> dict[int, int]:
    """The epoch at which each wanted trial is kept, by its number; {} where nothing usable is there."""
    kept: dict[int, int] = {}
    try:
        lanes = checkpoint.read_facts(folder.checkpoints / OF_LANES)["lanes"]
        kept = {int(number): len(lane["rows"]) for number, lane in lanes.items()}
    except (FileNotFoundError, checkpoint.Damaged, KeyError, TypeError, ValueError):
        try:  # by `fit` one trial trains at a time, the next one
            kept = {min(wanted): len(checkpoint.read_facts(folder.checkpoints / OF_FIT)["rows"])}
        except (FileNotFoundError, checkpoint.Damaged, KeyError, TypeError, ValueError):
            return {}
    return {number: epoch for number, epoch in sorted(kept.items()) if epoch and number in wanted}
