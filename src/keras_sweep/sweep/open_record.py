"""Opens the record of a sweep that is to run: a new one, or the one that is there if it is of the same sweep."""

import os
import stat
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from keras_sweep.data.image_folder import walk_folder
from keras_sweep.errors import ChangedSweep, RecordError
from keras_sweep.files.atomic import write_text
from keras_sweep.files.plain import read_plain
from keras_sweep.models.build import MODEL_CODE, changed_code, model_code
from keras_sweep.process.backend import KERAS_CONFIG, config_changes, keras_config, versions
from keras_sweep.record.facts import Facts
from keras_sweep.record.lock import read_owner
from keras_sweep.record.saved import load_scores_of, load_weights_of, weights_file_of
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder, set_aside
from keras_sweep.space.data_spec import find_source
from keras_sweep.space.spec_diff import differences, flat_spec
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.card import is_card_of, kept_card, refit_record
from keras_sweep.sweep.comparison import RecordedSweep
from keras_sweep.sweep.finish import last_look
from keras_sweep.sweep.load import short_path, sweep_started
from keras_sweep.sweep.winner import refit_weights
from keras_sweep.trial.events import (
    EndReason,
    Listener,
    Noticed,
    SweepEnded,
    WinnerRefitted,
    enough_text,
    exhausted_text,
)
from keras_sweep.trial.finalists import chosen
from keras_sweep.trial.ranking import best_training
from keras_sweep.trial.result import Result
from keras_sweep.trial.wall_time import WallTime

MOST_TEXT = 64 * 2**20  # bytes of a space file


def open_study(
    folder: SweepFolder,
    spec: SweepSpec,
    fingerprint: str,
    emit: Listener = lambda _: None,
    *,
    test_fingerprint: str | None = None,
    keras_config: Mapping[str, Any] | None = None,
    learned: Sequence[Result] = (),
) -> StudyFile:
    """The sweep's record, ready to be written, and sound files beside it. The caller holds the lock.

    A damaged record is refused and left as it is. A copy of the space file that was altered is moved aside and written
    again. `fingerprint` is of the rows of training and validation, `keras_config` where trials are to be trained. A new
    record begins with the trials that are `learned` from an earlier sweep.

    Raises as `check_same`; RecordError: the record is damaged, or the disk fails.
    """
    known_later = {"test_fingerprint": test_fingerprint, KERAS_CONFIG: keras_config}
    sealed = {key: value for key, value in known_later.items() if value is not None}
    if folder.exists():
        study = StudyFile.open(folder)
    else:
        parts = (folder.weights, folder.scores, folder.checkpoints, folder.spool)
        for path in (*parts, folder.best, folder.card, folder.space):
            if path.exists() or path.is_symlink():
                emit(Noticed(f"{path} is of a record that is gone: it is {set_aside(path).name} now"))
        begun: dict[str, Any] = {"spec": flat_spec(spec), "fingerprint": fingerprint, "versions": versions()}
        code = model_code(spec)
        begun |= {"origin": str(spec.folder.resolve()), **({MODEL_CODE: code} if code else {})}
        begun |= {"learned": len(learned)} if learned else {}
        study = StudyFile.create(folder, spec, begun, learned)
        if folder.open_to_others():
            mode = stat.S_IMODE(folder.path.stat().st_mode)
            closing = f"it was there before with files in it, or is another user's; `chmod 700 {folder.path}` closes it"
            emit(Noticed(f"{folder.path} is open to others (mode {mode:04o}): {closing}"))
    try:
        check_same(spec, study.facts, {"fingerprint": fingerprint, **sealed})
        _write_space(folder, spec, study.facts.space, emit)
        search = spec.search
        if spec.objective.where != study.facts.choose:
            study.set_attributes({"choose": spec.objective.where})
        total = search.trials + study.facts.learned
        study.set_attributes({"trials": total, "engine": search.engine_name, "space": spec.text, **sealed})
    except BaseException:
        study.close()
        raise
    return study


def _write_space(folder: SweepFolder, spec: SweepSpec, known: str, emit: Listener) -> None:
    """The copy of the space file as it is run now. One that was altered since it was written is moved aside."""
    path, text = folder.space, b""
    with suppress(OSError):  # it is missing, or a folder, or a pipe
        text = read_plain(path, MOST_TEXT)
    if text == spec.text.encode():
        return
    if text != known.encode() and os.path.lexists(path):
        emit(Noticed(f"{path} was altered: it is {set_aside(path).name} now, and written again"))
    write_text(path, spec.text)


def check_same(spec: SweepSpec, facts: Facts, loaded: Mapping[str, Any] | None = None) -> None:
    """Compare a record with the sweep that is to run: by its space file, or with what is loaded. Raises ChangedSweep.

    What a model of the user's adds to the parameters is not known before it is loaded, and is no difference then.
    """
    old, new = facts.spec or {}, flat_spec(spec)
    if loaded is None and spec.model.kind != "dense":
        old, new = (
            {key: value for key, value in one.items() if key in other or not key.startswith("parameters.model.")}
            for one, other in ((old, new), (new, old))
        )
    changes, loaded = differences(old, new), loaded or {}
    if facts.fingerprint != loaded.get("fingerprint", facts.fingerprint):
        changes.append("the data: its rows are not those that the sweep was begun with")
    elif facts.test_fingerprint not in (None, loaded.get("test_fingerprint", facts.test_fingerprint)):
        changes.append("the data: its test rows are not those that the sweep was begun with")
    if KERAS_CONFIG in loaded and facts.keras_config is not None:
        for line in config_changes(facts.keras_config, loaded[KERAS_CONFIG]):
            changes.append(f"{line} (by keras.json, the environment, or code that sets it)")
    if parts := changed_code(facts.model_code, model_code(spec)):
        changes.append(f"the code of the model: {', '.join(parts)} (bring it back to go on)")
    if not changes:
        return
    message = f"the sweep {spec.name!r} was begun with something else"
    hint = "Go on with another name (`--name`), or move the old one aside (`--fresh`)"
    if facts.origin not in (None, str(spec.folder.resolve())):
        message = f"the sweep {spec.name!r} was begun from another file of that name, in {facts.origin}"
        hint = f"Run this one under a name of its own: `--name {spec.name}-2`"
    raise ChangedSweep(message, hint=hint, changes=changes)


def tell_again(
    spec: SweepSpec, folder: SweepFolder, emit: Listener, wall: WallTime, *, test: bool
) -> SweepEnded | None:
    """Tell of a finished sweep what its last run told; None, and nothing is told, where anything is left to do.

    That is also so where a file beside the record is missing or altered, or where a file of the user's, data or code,
    was written since: then the whole way is gone, on which that is noticed.
    """
    try:
        sweep = RecordedSweep.read(folder)
        if sweep.best is None or not _is_done(sweep, sweep.best, spec, test=test):
            return None
        for trial in (one for result in sweep.results for one in (result, *result.finalists)):
            if weights_file_of(folder, trial).exists():
                load_weights_of(folder, trial)
                if trial.scores_digest:
                    load_scores_of(folder, trial)
    except (RecordError, OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    results, training = sweep.results, best_training(sweep.best, spec.objective)
    total = spec.search.trials + sweep.facts.learned
    emit(sweep_started(spec, folder, results[-1].runner, total, results))
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


def _is_done(sweep: RecordedSweep, best: Result, spec: SweepSpec, *, test: bool) -> bool:
    """Whether a run would find nothing to do. What it raises says that it would."""
    folder, facts, results = sweep.folder, sweep.facts, sweep.results
    total = spec.search.trials + facts.learned
    if (total, spec.search.engine_name, spec.text) != (facts.trials, facts.engine, facts.space):
        return False
    if len(results) < total and len(results) not in (facts.exhausted, facts.good_enough):
        return False
    if best.final is not bool(chosen(spec, results).recipes):
        return False
    waits = folder.spool.exists() or folder.finalists.spool.exists()
    if waits or read_owner(folder) is not None or folder.space.read_text() != spec.text:
        return False
    training = best_training(best, spec.objective)
    card = kept_card(folder, facts)
    if not is_card_of(card, training, facts.seed) or card["trials"] != len(results):
        return False
    if (refit_weights(folder, sweep.refit) is None) is spec.refits or card["refit"] != refit_record(sweep.refit):
        return False
    scores = facts.test_of(training)
    if (scores is None) != (card["test"] is None) or (test and scores is None and card["data"]["test_rows"]):
        return False
    if "keras" in sys.modules and config_changes(facts.keras_config or {}, keras_config()):
        return False
    if folder.comparison.exists() and sweep.kept_comparison is None:
        return False
    modules = (source.partition(":")[0].replace(".", "/") for source in spec.code)
    files = [spec.folder / f"{module}.py" for module in modules]  # of the user's
    source = find_source(spec.data)
    files += [Path(spec.data.source)] if source.is_path else []
    written = folder.card.stat().st_mtime
    # Of a source that names none of these only reading its rows says whether they are the same.
    return source.names is not None and all(_last_change(path) < written for path in files)


def _last_change(path: Path) -> float:
    """When a file, or what is in a folder, was last written, moved or linked to (seconds). Raises OSError."""
    faults = list[OSError]()
    folders = walk_folder(path, faults) if path.is_dir() else [(path, list[Path]())]
    paths = [each for place, files in folders for each in (place, *files)]
    for fault in faults:
        raise fault
    # A copy may keep an older file's time of writing; the time of the change is the disk's own.
    return max(time for each in paths for time in (each.stat().st_mtime, each.stat().st_ctime, each.lstat().st_ctime))
