"""`sweep run` as a function: check, search, test evaluation, best model; the same call again resumes."""

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
from keras_sweep.errors import RecordError, SweepError, UsageError
from keras_sweep.files.plain import file_digest, plain_errors
from keras_sweep.process.backend import config_changes, keras_config
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.process.user_code import forget_edited_modules
from keras_sweep.process.wall_time import WallTime
from keras_sweep.record.facts import Facts
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.reader import read_facts
from keras_sweep.record.recorded_sweep import CHOOSE_ANEW, RecordedSweep, why_none
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.record.trial_record import TrialRecord, waiting_beside
from keras_sweep.search.engines import make_engine, whole_point
from keras_sweep.space.data_spec import find_source
from keras_sweep.space.search_space import Params
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.earlier import earlier_trials
from keras_sweep.sweep.events import SEARCHED, EndReason, SweepEnded, SweepStarted, WinnerRefitted, short_path
from keras_sweep.sweep.export import finish
from keras_sweep.sweep.finalists import train_finalists
from keras_sweep.sweep.loop import (
    complete_point,
    describe_exhausted_space,
    describe_good_enough,
    find_end_reason,
    search,
    train_point,
)
from keras_sweep.sweep.open_sweep import OpenSweep, load
from keras_sweep.sweep.resume import check_same, open_study, rebuild_scores, rebuild_weights, set_damaged_weights_aside
from keras_sweep.sweep.winner import last_look, refit_winner
from keras_sweep.training.checkpoint import read_kept_epochs
from keras_sweep.training.choose import RUNNERS
from keras_sweep.training.workers.pool import workers_of
from keras_sweep.trial.events import Listener, Noticed, PhaseBegan
from keras_sweep.trial.ranking import best_training, comparable, is_imported, winner
from keras_sweep.trial.result import DIVERGED, Result

KEPT_APART = ("study.db", "run.log", "lock")  # what these names begin with is written to when nothing is done, too


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
    add: Params | None = None  # a point to train instead of a search
    workers: str | int | Executor | None = None  # who trains, as `workers_of` has them; None: this process

    def __post_init__(self) -> None:
        """Raises UsageError where there is no such runner, or a number is too small."""
        if self.runner is not None:
            RUNNERS.find(self.runner)
        workers_of(self.workers)
        for option, value, least in (("more", self.more, 1), ("max-failures", self.max_failures, 0)):
            if value is not None and value < least:
                raise UsageError(f"`--{option}` must be at least {least}, but got {value}")
        if self.seconds is not None and not (isinstance(self.seconds, Real) and self.seconds > 0):
            raise UsageError(f"`seconds` must be a number above 0, but got {self.seconds!r}")

    def total(self, spec: SweepSpec, there: Sequence[Result], learned: int) -> int:
        """How many trials there are to be, where these are there, of which `learned` are of an earlier sweep."""
        more = self.more if self.add is None else int(complete_point(spec, there, self.add)[1] is None)
        return spec.search.trials + learned if more is None else len(there) + more


def run_sweep(
    spec: SweepSpec, folder: SweepFolder, options: RunOptions, emit: Listener, wall: WallTime, stop: StopRequest
) -> SweepEnded:
    """Search until done, then evaluate and export the winner. KERAS_BACKEND is set before this is called.

    Raises as `keras_sweep.run`, but Interrupted only where a signal came before there was anything to finish.
    """
    wall.tell = lambda phase: emit(PhaseBegan(phase))
    wall.add("start", wall.total()["other"])
    forget_edited_modules(spec.code, spec.folder)
    if options.seconds is not None:
        stop.limit(options.seconds)
    if options.add is not None and spec.model.kind == "dense":  # another model may bring parameters
        whole_point(spec, options.add)
    inputs = describe_inputs(spec)  # before anything is read: what is written meanwhile is noticed next time
    if folder.exists() and not options.fresh:
        with contextlib.suppress(RecordError):  # which is told once the record is opened
            check_same(spec, read_facts(folder))
        goes_on = options.more is not None or options.add is not None
        if not goes_on and (ended := tell_again(spec, inputs, folder, emit, wall, test=options.test)):
            return ended
    with contextlib.ExitStack() as stack:
        sweep = OpenSweep(folder, emit, wall=wall, stop=stop)
        _open_to_run(sweep, spec, options, stack)
        with wall.part("record"):
            record = TrialRecord(sweep.study, sweep.spec.objective, notice=lambda text: emit(Noticed(text)))
            damaged = set_damaged_weights_aside(folder, sweep.study.rank_results(), emit)
        total = options.total(sweep.spec, record.results(), sweep.study.facts.learned)
        if options.more is not None:
            sweep.study.set_attributes({"trials": total})
        emit(SweepStarted.from_spec(sweep.spec, folder, sweep.runner.name, total, record.results()))
        stop.can_finish = True
        with plain_errors("go on with", folder.path):  # what no trial is to blame for, as a full disk
            if options.add is not None:
                reason = train_point(sweep, record, options.add)
            else:
                reason = search(sweep, record, total, most_failures=options.max_failures)
            record.close()
            is_complete = reason not in SEARCHED or train_finalists(sweep, record.results())
        spent = sum((Counter(runner.spent) for runner in sweep.runners), Counter[str]())
        wall.split("train", spent, rest="report")  # telling of epochs
        with wall.part("record"):
            if reason in (EndReason.EXHAUSTED, EndReason.GOOD_ENOUGH):
                sweep.study.set_attributes({reason.name.lower(): len(record.results())})
            recorded = sweep.read()
            waiting, kept = _unfinished(sweep, len(recorded.results), total) if is_complete else ((), {})
        reason = reason if is_complete else find_end_reason(stop)
        ended = SweepEnded(spec.name, reason, tuple(recorded.results), kept=kept, waiting=waiting)
        done = None
        if recorded.best is not None and not stop.signalled:
            lost = [one for one in damaged if one.suggestion.recipe is not None or one.number in record.best]
            training = recorded.training(None)
            with wall.part("export"):
                rebuild_weights(sweep, lost)
                rebuild_scores(sweep, recorded.results)
                recorded.keep_comparison(sweep.study)
                with wall.part("refit"):
                    refit_winner(sweep, training)
                is_whole = finish(sweep, recorded.results, training, test=options.test)
            ended = replace(ended, model=short_path(folder.best), comparison=recorded.comparison)
            if is_whole and reason in SEARCHED and options.add is None:
                done = digest_state(inputs, folder, sweep.study.facts, training, test=options.test)
        return _end(sweep, ended, done)


def _open_to_run(sweep: OpenSweep, spec: SweepSpec, options: RunOptions, stack: contextlib.ExitStack) -> None:
    """Load a sweep, lock its folder and open its record, until the stack is closed."""
    folder, emit, wall = sweep.folder, sweep.emit, sweep.wall
    if (make := workers_of(options.workers)) is not None:
        sweep.workers = stack.enter_context(contextlib.closing(make()))
    spec, data, runner = load(spec, folder.checkpoints, options.runner, emit, wall, sweep.stop, sweep.workers)
    sweep.spec, sweep.data, sweep.runner = spec, data, runner
    make_engine(spec)  # so that what no engine can search is refused before anything is written
    begins = options.fresh or not folder.exists()
    if options.add is not None:
        whole_point(spec, options.add, {} if begins else None)
    learned = earlier_trials(spec, data.fingerprint, folder.path.parent, emit) if begins else []
    lock = stack.enter_context(SweepLock(folder, force=options.force))
    if lock.taken_over is not None:
        emit(Noticed(f"the sweep goes on where process {lock.taken_over.pid} left it"))
    if options.fresh and folder.exists():
        emit(Noticed(f"the older sweep is {lock.move_aside().name} now"))
    with wall.phase("record"):
        known: Any = {"test_fingerprint": data.test_fingerprint, "keras_config": keras_config()}
        sweep.study = open_study(folder, spec, data.fingerprint, emit, **known, learned=learned)
    stack.enter_context(sweep)
    _note_device(sweep)


def _note_device(sweep: OpenSweep) -> None:
    """Say and record which accelerator trains lanes, if one does: how many share a program moves last digits."""
    device, study = sweep.runner.device, sweep.study
    if device is None or device.is_cpu:
        return
    begun = study.facts.versions.get("device", device.text)
    other = "" if begun == device.text else f"; the sweep was begun on {begun}, so that last digits may differ"
    sweep.emit(Noticed(f"{device.text}{other}"))
    study.set_attributes({"versions": {**study.facts.versions, "device": begun}})


def _unfinished(sweep: OpenSweep, recorded: int, total: int) -> tuple[tuple[int, ...], dict[int, int]]:
    """Find the trials from number `recorded` on that are kept beside the record.

    Returns:
        Those that ended, in the spool until trials with lower numbers are recorded; and of those that were stopped in
        training the epoch at which each is kept.
    """
    waiting = waiting_beside(sweep.folder, recorded, total)
    if not sweep.stop or recorded >= total:
        return tuple(waiting), {}
    epochs = read_kept_epochs(sweep.folder.checkpoints)
    numbers = sorted(set(range(recorded, total)).difference(waiting))
    return tuple(waiting), {number: epochs[number] for number in numbers if epochs.get(number)}


def _end(sweep: OpenSweep, ended: SweepEnded, done: str | None) -> SweepEnded:
    """Write down and tell how a run ended. Raises SweepError where trials were trained and none of them won."""
    with contextlib.suppress(OSError):  # it holds what still trains, if anything
        sweep.folder.checkpoints.rmdir()
    seconds, before = sweep.wall.total(), sweep.study.facts.seconds
    of_all_runs = {name: before.get(name, 0.0) + seconds.get(name, 0.0) for name in {**before, **seconds}}
    sweep.study.set_attributes({"seconds": of_all_runs, "done": done})
    own = [one for one in ended.results if not is_imported(one)]
    if is_out_of_time := ended.reason is EndReason.OUT_OF_TIME:
        resumes = "the time is up; the same command goes on from what is kept"
        nothing = "the time is up before any trial ended its first epoch: give it more with `--for`"
        sweep.emit(Noticed(resumes if own or ended.kept or ended.waiting else nothing))
    ended = replace(ended, seconds=seconds)
    sweep.emit(ended)
    if own and not is_out_of_time and not sweep.stop.signalled and winner(own, sweep.spec.objective) is None:
        raise _explain_no_winner(sweep.spec, own)
    return ended


def _explain_no_winner(spec: SweepSpec, trials: Sequence[Result]) -> SweepError:
    """Make the error that says why none of the trials, of which there is at least one, is the winner."""
    if any(comparable(trial, spec.objective) for trial in trials):
        return SweepError(f"no trial meets `{spec.objective.where}`", hint=CHOOSE_ANEW)
    hint = f"`sweep show {spec.name} {trials[0].number}` says more"
    if any(trial.reason == DIVERGED for trial in trials):
        hint += "; what diverges wants a lower learning rate, or a target and inputs of about -1 to 1"
    return SweepError(f"no trial completed, {why_none(trials)}", hint=hint)


def describe_inputs(spec: SweepSpec) -> str:
    """Say what a run is given: the spec, and when the user's files were written; "" where a file can't be read.

    "" too for rows of no file: only reading them tells whether they changed.
    """
    source = find_source(spec.data.kind)
    if source.names is None:
        return ""
    modules = (source.partition(":")[0].replace(".", "/") for source in spec.code)
    files = [spec.folder / f"{module}.py" for module in modules]
    files += [Path(spec.data.source)] if source.is_path else []
    try:
        changes = [(str(path), _last_change(path)) for path in files]
    except OSError:
        return ""
    return repr((spec.search.trials, spec.search.engine_name, spec.text, changes))


def digest_state(inputs: str, folder: SweepFolder, facts: Facts, training: Result, *, test: bool) -> str:
    """Compute the digest of a complete sweep, whose model is that of `training`: its inputs and the files that it left.

    `test` says whether the test rows are to be looked at, if they have not been. Raises RecordError.
    """
    files = sorted(path for path in folder.path.rglob("*") if path.is_file())
    names = {path.relative_to(folder.path).as_posix(): path for path in files}
    left = {name: file_digest(path) for name, path in names.items() if not name.startswith(KEPT_APART)}
    tested = test or facts.test_of(training) is not None
    return hashlib.sha256(repr((inputs, tested, left)).encode()).hexdigest()


def tell_again(
    spec: SweepSpec, inputs: str, folder: SweepFolder, emit: Listener, wall: WallTime, *, test: bool
) -> SweepEnded | None:
    """Tell of a complete sweep what its last run told; None, and nothing is told, if anything is left to do.

    That is also so if a file beside the record is missing or altered, or if a file of the user's, data or code, was
    written since. The whole run then says what changed.
    """
    try:
        sweep = RecordedSweep.read(folder)
        if sweep.best is None or sweep.facts.done is None or not inputs:
            return None
        training = best_training(sweep.best, spec.objective)
        if sweep.facts.done != digest_state(inputs, folder, sweep.facts, training, test=test):
            return None
    except (RecordError, OSError):
        return None
    if "keras" in sys.modules and config_changes(sweep.facts.keras_config or {}, keras_config()):
        return None
    results, total = sweep.results, spec.search.trials + sweep.facts.learned
    emit(SweepStarted.from_spec(spec, folder, results[-1].runner, total, results))
    if sweep.refit is not None:
        emit(WinnerRefitted(sweep.refit, earlier=True))
    if sweep.facts.test_of(training) is not None:
        emit(last_look(sweep.facts, earlier=True))
    if len(results) >= total:
        reason, more = EndReason.DONE, "; `--more N` adds some"
        done = f"all of its {len(results)} trials are done" if len(results) > 1 else "its one trial is done"
    elif sweep.facts.exhausted == len(results):
        reason, more, done = EndReason.EXHAUSTED, "", describe_exhausted_space(len(results))
    else:
        reason, more = EndReason.GOOD_ENOUGH, ""
        done = f"a trial {describe_good_enough(spec.search.stop.value if spec.search.stop else 0.0)}"
    emit(Noticed(f"{done}, and nothing is left to do{more}"))
    model = short_path(folder.best)
    ended = SweepEnded(spec.name, reason, tuple(results), wall.total(), model, comparison=sweep.comparison)
    emit(ended)
    return ended


def _last_change(path: Path) -> float:
    """When a file, or what is in a folder, was last written, moved or linked to (seconds). Raises OSError."""
    faults = list[OSError]()
    folders = walk_folder(path, faults) if path.is_dir() else [(path, list[Path]())]
    paths = [each for place, files in folders for each in (place, *files)]
    for fault in faults:
        raise fault
    # A copy may keep an older file's time of writing; the time of the change is the disk's own.
    return max(time for each in paths for time in (each.stat().st_mtime, each.stat().st_ctime, each.lstat().st_ctime))
