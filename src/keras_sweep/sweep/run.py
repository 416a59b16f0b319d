"""`sweep run` as a function: check, search, test evaluation, best model; the same call again resumes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.compatibility import check_task
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import RecordError, SweepError
from keras_sweep.files.plain_errors import plain_errors
from keras_sweep.models.inspect_model import inspect_model
from keras_sweep.process.garbage import no_gc
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.reader import read_attributes
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.record.weights import load_weights, save_weights, weights_file
from keras_sweep.search.engines import make_engine
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.already_done import already_done
from keras_sweep.sweep.finish_winner import finish, known_look
from keras_sweep.sweep.kept_training import kept_training
from keras_sweep.sweep.loop import Limits, search
from keras_sweep.sweep.open_record import check_spec, open_study, set_damaged_weights_aside
from keras_sweep.sweep.retrain import retrained_weights
from keras_sweep.sweep.wall_time import WallTime
from keras_sweep.training.choose import RUNNERS, choose_runner
from keras_sweep.training.runner import Runner
from keras_sweep.trial.end_reason import EndReason
from keras_sweep.trial.events import Event, Listener, Noticed, SweepEnded, SweepStarted
from keras_sweep.trial.ranking import imported, winner
from keras_sweep.trial.result import Result, Weights


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
        check_spec(folder, spec, _attributes(folder))
        if options.more is None and (ended := _nothing_left(spec, folder, options, emit, wall)):
            return ended
    with no_gc():
        data = _load(spec, wall)
    with wall.phase("build"):
        inspected = inspect_model(spec, data)
        spec = inspected.spec
        check_task(spec, data, inspected.output_shape, inspected.activation)
        runner, note = choose_runner(
            spec, data, options.runner, checkpoints=folder.checkpoints, notice=lambda text: emit(Noticed(text))
        )
    with SweepLock(folder, force=options.force) as lock:
        if lock.taken_over is not None:
            emit(Noticed(f"the sweep goes on where process {lock.taken_over.pid} left it"))
        if options.fresh and folder.exists():
            emit(Noticed(f"the older sweep is {lock.move_aside().name} now"))
        with wall.phase("record"):
            opened = open_study(folder, spec, data.fingerprint, emit, test_fingerprint=data.test_fingerprint)
        with opened as study:
            for text in (*data.notices, *inspected.notices, *([note] if note else [])):
                emit(Noticed(text))
            return _run(spec, study, data, runner, options, emit, wall, stop)


def _attributes(folder: SweepFolder) -> Mapping[str, Any]:
    """What a record says of its sweep; nothing where it can't be read, which is told once it is opened."""
    try:
        return read_attributes(folder)
    except RecordError:
        return {}


def _nothing_left(
    spec: SweepSpec, folder: SweepFolder, options: RunOptions, emit: Listener, wall: WallTime
) -> SweepEnded | None:
    """The end of a sweep that has ended before; None where anything is left to do."""
    known = already_done(spec, folder, test=options.test)
    if known is None:
        return None
    results, best, scores, looks = known
    emit(_started(spec, folder, results[-1].runner, spec.search.trials, results))
    if scores is not None:
        emit(known_look(best, scores, looks))
    emit(Noticed(f"all of its {len(results)} trials are done, and nothing is left to do; `--more N` adds some"))
    reason = EndReason.DONE if len(results) >= spec.search.trials else EndReason.EXHAUSTED
    ended = SweepEnded(spec.name, reason, tuple(results), wall.total(), _shown(folder.best))
    emit(ended)
    return ended


def _run(
    spec: SweepSpec,
    study: StudyFile,
    data: SearchData,
    runner: Runner,
    options: RunOptions,
    emit: Listener,
    wall: WallTime,
    stop: StopRequest,
) -> SweepEnded:
    folder = study.folder
    with wall.part("record"):
        record = TrialRecord(study, spec.objective, notice=lambda text: emit(Noticed(text)))
        damaged = set_damaged_weights_aside(folder, emit)
        earlier = record.results()
    total = len(earlier) + options.more if options.more is not None else spec.search.trials
    if total != spec.search.trials:
        study.set_attributes({"trials": total})
    emit(_started(spec, folder, runner.name, total, earlier))
    limits = Limits(total, options.max_failures)
    stop.can_finish = True
    with plain_errors("go on with", folder.path):  # what no trial is to blame for, as a disk that is full
        reason = search(lambda: make_engine(spec), runner, record, limits, emit=emit, stop=stop, wall=wall)
        record.close()
    wall.split("train", runner.spent)
    with wall.part("record"):
        results = record.results()
        wanted = set(range(len(results), total)) - set(record.numbers_waiting)
        training = kept_training(folder, wanted) if stop and len(results) < total else {}
        waiting = tuple(number for number in record.numbers_waiting if number < total)
    best = winner(results, spec.objective)
    model = None
    if best is not None and not stop.signalled:
        with wall.part("export"):

            def weights_of(one: Result) -> Weights:
                return best_weights(spec, study, runner, results, one, emit, wall, stopping=lambda: stop.signalled)

            rebuilt = [results[number] for number in damaged if number in record.best]
            _rebuild_weights(folder, rebuilt, weights_of, emit)
            finish(spec, study, results, best, lambda: weights_of(best), data, test=options.test, emit=emit, wall=wall)
        model = _shown(folder.best)
    seconds = wall.total()
    exhausted = {"exhausted": len(results)} if reason is EndReason.EXHAUSTED else {}
    study.set_attributes({"seconds": _added(study.attributes.get("seconds"), seconds), **exhausted})
    if reason is EndReason.OUT_OF_TIME:
        emit(Noticed(_to_go_on(training, waiting, results)))
    ended = SweepEnded(spec.name, reason, tuple(results), seconds, model, training, waiting)
    emit(ended)
    if best is None and reason is not EndReason.OUT_OF_TIME and not stop.signalled and (own := _trained_here(results)):
        why = f"`sweep show {spec.name} {own[0].number}` says why the first did not"
        raise SweepError("no trial completed", hint=why)
    return ended


def _trained_here(results: Sequence[Result]) -> list[Result]:
    return [one for one in results if not imported(one)]


def _to_go_on(training: Mapping[int, int], waiting: Sequence[int], results: Sequence[Result]) -> str:
    """What to do once the time that was given has passed."""
    if _trained_here(results) or training or waiting:
        return "the time is up; the same command goes on from what is kept"
    return "the time is up before any trial ended its first epoch: give it more with `--for`"


def _rebuild_weights(
    folder: SweepFolder, damaged: Sequence[Result], weights_of: Callable[[Result], Weights], emit: Listener
) -> None:
    """Write the weights again that were damaged."""
    for one in damaged:
        try:
            weights = weights_of(one)
        except RecordError as error:  # other packages than then: the trial's record is sound all the same
            emit(Noticed(f"the weights of trial {one.number} are lost: {error.message}"))
            continue
        save_weights(weights_file(folder, one.number), weights)


def best_weights(
    spec: SweepSpec,
    study: StudyFile,
    runner: Runner,
    results: Sequence[Result],
    best: Result,
    emit: Listener,
    wall: WallTime | None = None,
    *,
    stopping: Callable[[], bool] = lambda: False,
) -> Weights:
    """The weights on disk; where they are missing or damaged the trial is trained again."""
    path = weights_file(study.folder, best.number)
    try:
        return load_weights(path)
    except RecordError as error:
        emit(Noticed(f"trial {best.number} is trained again, since {_why_not_loaded(path, error)}"))
        with (wall or WallTime()).phase("retrain"):
            return retrained_weights(lambda: make_engine(spec), runner, results, best.number, stopping)


def _why_not_loaded(path: Path, error: RecordError) -> str:
    return error.message if path.exists() else f"its weights {path} are gone"


def _load(spec: SweepSpec, wall: WallTime) -> SearchData:
    """The data, read while Keras is imported by another thread."""

    def import_keras() -> None:
        import keras  # noqa: F401

    thread = threading.Thread(target=import_keras)
    with wall.phase("data"):
        thread.start()
        try:
            return load_search_data(spec)
        finally:
            with wall.phase("import"):
                thread.join()


def _started(spec: SweepSpec, folder: SweepFolder, runner: str, total: int, earlier: Sequence[Result]) -> Event:
    return SweepStarted(
        name=spec.name,
        folder=_shown(folder.path),
        engine=f"{spec.search.engine}/{spec.search.sampler}",
        runner=runner,
        total=total,
        finished=tuple(earlier),
        metric=spec.objective.name,
        goal=spec.objective.goal.value,
        space_size=spec.space.size,
        take_best=spec.take_best,
        parameters=tuple(parameter.name for parameter in spec.space.parameters),
    )


def _shown(path: os.PathLike[str]) -> str:
    """The path as a user would type it: relative where that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(os.fspath(path)) else os.fspath(path)


def _added(old: object, new: dict[str, float]) -> dict[str, float]:
    """The wall time of all runs of a sweep together."""
    known = old if isinstance(old, dict) else {}
    return {name: known.get(name, 0.0) + new.get(name, 0.0) for name in {**known, **new}}
