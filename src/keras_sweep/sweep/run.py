"""Run a sweep: check, search, evaluate on the test rows, and write the best model. The same call again resumes."""

import contextlib
import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any

from keras_sweep.data.image_folder import walk_folder
from keras_sweep.errors import RecordError, UsageError
from keras_sweep.files.plain import file_digest, plain_errors
from keras_sweep.process.backend import describe_config_changes, keras_config
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.process.user_code import forget_edited_modules
from keras_sweep.process.wall_time import WallTime
from keras_sweep.record.facts import Facts
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.reader import read_facts
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.record.trial_record import TrialRecord, list_waiting
from keras_sweep.search.engines import complete_point, make_engine
from keras_sweep.space.data_spec import find_source
from keras_sweep.space.search_space import Params
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.earlier import load_earlier_trials
from keras_sweep.sweep.events import EARLY, SEARCHED, EndReason, SweepEnded, SweepStarted, WinnerRefitted, short_path
from keras_sweep.sweep.export import finish
from keras_sweep.sweep.finalists import train_finalists
from keras_sweep.sweep.loop import (
    complete_added_point,
    describe_exhausted_space,
    find_early_end,
    find_end_reason,
    search,
    train_point,
)
from keras_sweep.sweep.open_sweep import OpenSweep, load_for_run
from keras_sweep.sweep.resume import check_same, open_study, rebuild_scores, rebuild_weights, set_damaged_weights_aside
from keras_sweep.sweep.time_estimate import tell_faster_fit
from keras_sweep.sweep.winner import last_look, refit_winner
from keras_sweep.training.checkpoint import read_kept_epochs
from keras_sweep.training.choose import RUNNERS
from keras_sweep.training.workers.pool import workers_of
from keras_sweep.trial.events import Listener, Noticed, PhaseBegan
from keras_sweep.trial.ranking import is_imported
from keras_sweep.trial.result import Result

KEPT_APART = ("study.db", "run.log", "lock", "files/")  # prefixes of files that every run writes: not in the digest


@dataclass(frozen=True, slots=True)
class RunOptions:
    runner: str | None = None  # a name in RUNNERS; None: the fastest available
    more: int | None = None  # number of additional trials, instead of a total
    seconds: float | None = None  # time limit
    fresh: bool = False  # move an older sweep with this name aside
    force: bool = False  # take over the lock of another host
    test: bool = True  # evaluate the winner on the sealed test rows
    max_failures: int | None = None  # the search ends with an error after more failed trials
    add: Params | None = None  # a point to train instead of a search
    workers: str | int | Executor | None = None  # as `workers_of` takes them; None: this process trains

    def __post_init__(self) -> None:
        if self.runner is not None:
            RUNNERS.find(self.runner)
        workers_of(self.workers)
        for option, value, least in (("more", self.more, 1), ("max-failures", self.max_failures, 0)):
            if value is not None and value < least:
                raise UsageError(f"`--{option}` must be at least {least}, but got {value}")
        if self.seconds is not None and not (isinstance(self.seconds, Real) and self.seconds > 0):
            raise UsageError(f"`seconds` must be a number above 0, but got {self.seconds!r}")

    def total(self, spec: SweepSpec, recorded: Sequence[Result], learned: int) -> int:
        """Return how many trials the sweep will have, including the `learned` trials of an earlier sweep."""
        more = self.more if self.add is None else int(complete_added_point(spec, recorded, self.add)[1] is None)
        return spec.search.trials + learned if more is None else len(recorded) + more


def run_sweep(
    spec: SweepSpec, folder: SweepFolder, options: RunOptions, emit: Listener, wall: WallTime, stop: StopRequest
) -> SweepEnded:
    """Search until done, then evaluate the winner and write the model file. Set KERAS_BACKEND before the call.

    Raises as `keras_sweep.run`. A signal raises Interrupted only before the search begins; later it ends the run early.
    """
    wall.tell = lambda phase: emit(PhaseBegan(phase))
    wall.add("start", wall.total()["other"])
    forget_edited_modules(spec.code, spec.folder)
    if options.seconds is not None:
        stop.limit(options.seconds)
    if options.add is not None and spec.model.kind == "dense":  # other models may add parameters
        complete_point(spec, options.add)
    # Before anything is read, so that the next run notices files written during this run.
    inputs = describe_inputs(spec)
    if folder.exists() and not options.fresh:
        with contextlib.suppress(RecordError):  # raised again when the record is opened
            check_same(spec, read_facts(folder))
        adds_trials = options.more is not None or options.add is not None
        if not adds_trials and (ended := tell_again(spec, inputs, folder, emit, wall, test=options.test)):
            return ended
    with contextlib.ExitStack() as stack:
        sweep = OpenSweep(folder, emit, wall=wall, stop=stop)
        _open_to_run(sweep, spec, options, stack)
        with wall.part("record"):
            record = TrialRecord(sweep.study, sweep.spec.objective, notice=lambda text: emit(Noticed(text)))
            damaged = set_damaged_weights_aside(folder, sweep.study.load_results(), emit)
        total = options.total(sweep.spec, record.results(), sweep.study.facts.learned)
        if options.more is not None:
            sweep.study.set_attributes({"trials": total})
        rows = "" if sweep.spec.function else sweep.data.parts
        emit(SweepStarted.from_spec(sweep.spec, folder, sweep.runner.name, total, record.results(), rows))
        stop.can_finish = True
        with plain_errors("continue", folder.path):  # faults outside of trials: a full disk
            if options.add is not None:
                reason = train_point(sweep, record, options.add)
            else:
                reason = search(sweep, record, total, most_failures=options.max_failures)
            record.close()
            is_complete = reason not in SEARCHED or train_finalists(sweep, record.results())
        spent = sum((Counter(runner.spent) for runner in sweep.runners), Counter[str]())
        wall.split("train", spent, rest="report")  # the rest is the time to emit events
        with wall.part("record"):
            if reason in EARLY:
                sweep.study.set_attributes({reason.name.lower(): len(record.results())})
            recorded = sweep.read()
            waiting, kept = _find_unfinished(sweep, len(recorded.results), total) if is_complete else ((), {})
        reason = reason if is_complete and not stop.signalled else find_end_reason(stop)
        ended = SweepEnded(spec.name, reason, tuple(recorded.results), kept=kept, waiting=waiting)
        digest = None
        if recorded.best is not None and not stop.signalled:
            lost = [trial for trial in damaged if trial.suggestion.recipe is not None or trial.number in record.best]
            training = recorded.training(None)
            with wall.part("export"):
                rebuild_weights(sweep, lost)
                rebuild_scores(sweep, recorded.results)
                recorded.keep_comparison(sweep.study)
                with wall.part("refit"):
                    refit_winner(sweep, training)
                is_whole = bool(spec.function) or finish(sweep, recorded.results, training, test=options.test)
            model = "" if spec.function else short_path(folder.best)
            ended = replace(ended, model=model, comparison=recorded.comparison)
            if is_whole and reason in SEARCHED and options.add is None:
                digest = digest_state(inputs, folder, sweep.study.facts, training, test=options.test)
        return _end(sweep, recorded, ended, digest)


def _open_to_run(sweep: OpenSweep, spec: SweepSpec, options: RunOptions, stack: contextlib.ExitStack) -> None:
    """Load data and runner, lock the folder and open the record. Closing `stack` closes the record and unlocks."""
    folder, emit, wall = sweep.folder, sweep.emit, sweep.wall
    if (make_workers := workers_of(options.workers)) is not None:
        sweep.workers = stack.enter_context(contextlib.closing(make_workers()))
    spec, data, runner = load_for_run(spec, folder.checkpoints, options.runner, emit, wall, sweep.stop, sweep.workers)
    sweep.spec, sweep.data, sweep.runner = spec, data, runner
    make_engine(spec)  # raises before anything is written
    tell_faster_fit(spec, data, runner, emit, measure=False)
    is_new = options.fresh or not folder.exists()
    if options.add is not None:
        complete_point(spec, options.add, {} if is_new else None)
    learned = load_earlier_trials(spec, data.fingerprint, folder.path.parent, emit) if is_new else []
    lock = stack.enter_context(SweepLock(folder, force=options.force))
    if lock.taken_over is not None:
        emit(Noticed(f"the sweep resumes where process {lock.taken_over.pid} stopped"))
    if options.fresh and folder.exists():
        emit(Noticed(f"the old sweep is renamed to {lock.move_aside().name}"))
    with wall.phase("record"):
        details: Any = {"test_fingerprint": data.test_fingerprint, "keras_config": keras_config()}
        sweep.study = open_study(folder, spec, data.fingerprint, emit, **details, learned=learned)
    stack.enter_context(sweep)
    _note_device(sweep)


def _note_device(sweep: OpenSweep) -> None:
    """Emit a notice of the accelerator, and record the accelerator. It decides how many trials share a program, and so
    the last digits of values."""
    device, study = sweep.runner.device, sweep.study
    if device is None or device.is_cpu:
        return
    first = study.facts.versions.get("device", device.text)
    warning = "" if first == device.text else f"; the sweep started on {first}, so the last digits may differ"
    sweep.emit(Noticed(f"{device.text}{warning}"))
    study.set_attributes({"versions": {**study.facts.versions, "device": first}})


def _find_unfinished(sweep: OpenSweep, recorded: int, total: int) -> tuple[tuple[int, ...], dict[int, int]]:
    """Return (numbers of trials that ended but are not recorded, {number of a stopped trial: its last saved epoch}).
    Only numbers from `recorded` up to `total`, exclusive, count."""
    waiting = list_waiting(sweep.folder, recorded, total)
    if not sweep.stop or recorded >= total:
        return tuple(waiting), {}
    epochs = read_kept_epochs(sweep.folder.checkpoints)
    numbers = sorted(set(range(recorded, total)).difference(waiting))
    return tuple(waiting), {number: epochs[number] for number in numbers if epochs.get(number)}


def _end(sweep: OpenSweep, recorded: RecordedSweep, ended: SweepEnded, digest: str | None) -> SweepEnded:
    """Record the run's seconds and `digest`, the hash by which a later run sees that nothing is left; None: incomplete.
    Emit and return `ended` with the seconds. Raises RecordError if there is no winner, unless the run was stopped."""
    with contextlib.suppress(OSError):  # not empty if trials were stopped in training
        sweep.folder.checkpoints.rmdir()
    seconds, earlier = sweep.wall.total(), sweep.study.facts.seconds
    all_runs = {name: earlier.get(name, 0.0) + seconds.get(name, 0.0) for name in {**earlier, **seconds}}
    sweep.study.set_attributes({"seconds": all_runs, "done": digest})
    trained = [trial for trial in ended.results if not is_imported(trial)]
    if is_out_of_time := ended.reason is EndReason.OUT_OF_TIME:
        resumes = "the time is up; the same command resumes"
        nothing = "the time was up before any trial finished its first epoch: allow more time with `--for`"
        sweep.emit(Noticed(resumes if trained or ended.kept or ended.waiting else nothing))
    ended = replace(ended, seconds=seconds)
    sweep.emit(ended)
    if trained and not is_out_of_time and not sweep.stop.signalled:
        recorded.require_winner()
    return ended


def describe_inputs(spec: SweepSpec) -> str:
    """Return a text that changes with the inputs of a run: the spec, and the times of the user's files. Return "" if a
    file can't be read. Also return "" for rows of a function or without a file: only reading them shows changes."""
    source = find_source(spec.data.kind)
    if source.names in (None, "function"):
        return ""
    modules = (source.partition(":")[0].replace(".", "/") for source in spec.code)
    files = [spec.folder / f"{module}.py" for module in modules]
    files += [Path(spec.data.source)] if source.is_path else []
    try:
        changes = [(str(path), _find_last_change(path)) for path in files]
    except OSError:
        return ""
    return repr((spec.search.trials, spec.search.engine_name, spec.text, changes))


def digest_state(inputs: str, folder: SweepFolder, facts: Facts, training: Result, *, test: bool) -> str:
    """Return the digest of a complete sweep from its files and `inputs`, the text of `describe_inputs`. `training` is
    the winner's training. `test` says whether a run evaluates on the test rows. Raises RecordError if a file can't be
    read."""
    files = sorted((path for path in folder.path.rglob("*") if path.is_file()), key=lambda path: path.parts)
    names = {path.relative_to(folder.path).as_posix(): path for path in files}
    digests = {name: file_digest(path) for name, path in names.items() if not name.startswith(KEPT_APART)}
    tested = test or facts.test_of(training) is not None
    return hashlib.sha256(repr((inputs, tested, digests)).encode()).hexdigest()


def tell_again(
    spec: SweepSpec, inputs: str, folder: SweepFolder, emit: Listener, wall: WallTime, *, test: bool
) -> SweepEnded | None:
    """If a sweep is complete, emit the events of its last run again, and return the last event. Else return None.

    A sweep is incomplete, too, if its files are missing or altered, or data or code files of the user are newer.
    `inputs` and `test` are as in `digest_state`.
    """
    try:
        facts = read_facts(folder)
        if facts.done is None or not inputs or (facts.trials or 0) < spec.search.trials + facts.learned:
            return None
        sweep = RecordedSweep.read(folder)
        training = sweep.training(None)
        if sweep.facts.done != digest_state(inputs, folder, sweep.facts, training, test=test):
            return None
    except (RecordError, OSError):
        return None
    if "keras" in sys.modules and describe_config_changes(sweep.facts.keras_config or {}, keras_config()):
        return None
    results, total = sweep.results, spec.search.trials + sweep.facts.learned
    emit(SweepStarted.from_spec(spec, folder, results[-1].runner, total, results))
    if sweep.refit is not None:
        emit(WinnerRefitted(sweep.refit, earlier=True))
    if sweep.facts.test_of(training) is not None:
        emit(last_look(sweep.facts, earlier=True))
    if len(results) >= total:
        reason, advice = EndReason.DONE, "; `--more N` adds trials"
        message = f"all {len(results)} trials are done" if len(results) > 1 else "its trial is done"
    else:
        early = find_early_end(spec, results) or (EndReason.EXHAUSTED, describe_exhausted_space(len(results)))
        (reason, message), advice = early, ""
    emit(Noticed(f"the sweep is complete: {message}{advice}"))
    model = "" if spec.function else short_path(folder.best)
    ended = SweepEnded(spec.name, reason, tuple(results), wall.total(), model, comparison=sweep.comparison)
    emit(ended)
    return ended


def _find_last_change(path: Path) -> float:
    """Return when a file, or anything in a folder, was last written, moved or linked (Unix time). Raises OSError."""
    faults = list[OSError]()
    folders = walk_folder(path, faults) if path.is_dir() else [(path, list[Path]())]
    paths = [path for entry, files in folders for path in (entry, *files)]
    for fault in faults:
        raise fault
    # A copy may keep the old time of writing (mtime); the disk sets the time of the change (ctime).
    return max(time for path in paths for time in (path.stat().st_mtime, path.stat().st_ctime, path.lstat().st_ctime))
