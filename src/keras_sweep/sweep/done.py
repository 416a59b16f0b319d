"""Whether a sweep is complete: by one digest of what its last run was given and of the files that it left."""

import hashlib
import sys
from pathlib import Path

from keras_sweep.data.image_folder import walk_folder
from keras_sweep.errors import RecordError
from keras_sweep.files.plain import file_digest
from keras_sweep.process.backend import config_changes, keras_config
from keras_sweep.process.wall_time import WallTime
from keras_sweep.record.facts import Facts
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.data_spec import find_source
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.evaluate import last_look
from keras_sweep.sweep.events import EndReason, SweepEnded, SweepStarted, WinnerRefitted, short_path
from keras_sweep.sweep.loop import enough_text, exhausted_text
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.ranking import best_training
from keras_sweep.trial.result import Result

KEPT_APART = ("study.db", "run.log", "lock")  # what these names begin with is written to when nothing is done, too


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
        reason, more, done = EndReason.EXHAUSTED, "", exhausted_text(len(results))
    else:
        reason, more = EndReason.GOOD_ENOUGH, ""
        done = f"a trial {enough_text(spec.search.stop.value if spec.search.stop else 0.0)}"
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
