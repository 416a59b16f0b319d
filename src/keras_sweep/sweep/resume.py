"""Open the record for a run: a new record, or the existing record if it has the same settings."""

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from keras_sweep.data.arrays import Arrays
from keras_sweep.errors import ChangedSweep, RecordError
from keras_sweep.files.arrays import write_arrays
from keras_sweep.files.atomic import write_text
from keras_sweep.files.plain import read_plain
from keras_sweep.models.build import data_code, find_changed_code, model_code
from keras_sweep.process.backend import KERAS_CONFIG, describe_config_changes, get_versions
from keras_sweep.record import saved
from keras_sweep.record.facts import Facts
from keras_sweep.record.saved import MOST_COMPARED
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder, set_aside
from keras_sweep.space.spec_diff import describe_differences, flatten_spec
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import pluralize
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.sweep.replay import weights_of
from keras_sweep.system.disk import is_open_to_others
from keras_sweep.training.build_trial import (
    call_model,
    compute_added_losses,
    has_masks,
    may_add_losses,
    output_masks,
    predict_rows,
)
from keras_sweep.training.folds import build_first_model, compute_validation_outputs
from keras_sweep.training.logged_metric import LoggedMetric, number_batches
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Result
from keras_sweep.trial.row_scores import RowScores, arrays_digest

MOST_TEXT = 64 * 2**20  # bytes


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
    """Open or create the sweep's record for writing. The caller holds the lock.

    A damaged record is refused and stays as it is. `fingerprint` is the digest of the training and validation rows,
    `test_fingerprint` of the test rows. `keras_config` holds Keras's settings if trials will be trained. A new record
    begins with `learned`, the trials of an earlier sweep. Raises RecordError if the record is damaged or the disk
    fails. Also raises as `check_same`.
    """
    optional = {"test_fingerprint": test_fingerprint, KERAS_CONFIG: keras_config}
    known = {key: value for key, value in optional.items() if value is not None}
    if folder.exists():
        study = StudyFile.open(folder)
    else:
        parts = (folder.weights, folder.scores, folder.checkpoints, folder.spool)
        for path in (*parts, folder.best, folder.card, folder.space):
            if path.exists() or path.is_symlink():
                emit(Noticed(f"{path} belongs to a record that is missing: it is renamed to {set_aside(path).name}"))
        attributes: dict[str, Any] = {"spec": flatten_spec(spec), "fingerprint": fingerprint}
        attributes |= {"versions": get_versions(), "origin": str(spec.folder.resolve())}
        more = {"model_code": model_code(spec), "data_code": data_code(spec), "learned": len(learned)}
        attributes |= {key: value for key, value in more.items() if value}
        study = StudyFile.create(folder, spec, attributes, learned)
        if is_open_to_others(folder.path):
            mode = stat.S_IMODE(folder.path.stat().st_mode)
            advice = f"`chmod 700 {folder.path}` makes it private"
            emit(Noticed(f"other users can open the folder {folder.path} (mode {mode:04o}): {advice}"))
    try:
        check_same(spec, study.facts, {"fingerprint": fingerprint, **known})
        _write_space(folder, spec, study.facts.space, emit)
        search = spec.search
        if spec.objective.where != study.facts.choose:
            study.set_attributes({"choose": spec.objective.where})
        total = search.trials + study.facts.learned
        study.set_attributes({"trials": total, "engine": search.engine_name, "space": spec.text, "done": None, **known})
    except BaseException:
        study.close()
        raise
    return study


def _write_space(folder: SweepFolder, spec: SweepSpec, known: str, emit: Listener) -> None:
    """Write the space file into the sweep's folder. If the old file has neither the new text nor `known`, the text in
    the record, the old file is renamed."""
    path, text = folder.space, b""
    with suppress(OSError):  # the file is missing, a folder, or a pipe
        text = read_plain(path, MOST_TEXT)
    if text == spec.text.encode():
        return
    if text != known.encode() and os.path.lexists(path):
        emit(Noticed(f"{path} was changed: it is renamed to {set_aside(path).name}, and written again"))
    write_text(path, spec.text)


def check_same(spec: SweepSpec, facts: Facts, loaded: Mapping[str, Any] | None = None) -> None:
    """Check that a record's `facts` fit `spec`, the sweep to run. Raises ChangedSweep with the differences.

    `loaded` has the current `fingerprint`, `test_fingerprint` and `keras_config`, if known. If `loaded` is None, the
    data are not loaded yet: the parameters that the user's model adds are unknown, and count as no difference.
    """
    old, new = facts.spec or {}, flatten_spec(spec)
    if loaded is None and spec.model.kind != "dense":
        old, new = (
            {key: value for key, value in flat.items() if key in other_flat or not key.startswith("parameters.model.")}
            for flat, other_flat in ((old, new), (new, old))
        )
    changes, loaded = describe_differences(old, new), loaded or {}
    if facts.fingerprint != loaded.get("fingerprint", facts.fingerprint):
        changes.append("the data: the rows have changed since the sweep started")
    elif facts.test_fingerprint not in (None, loaded.get("test_fingerprint", facts.test_fingerprint)):
        changes.append("the data: the test rows have changed since the sweep started")
    if KERAS_CONFIG in loaded and facts.keras_config is not None:
        for line in describe_config_changes(facts.keras_config, loaded[KERAS_CONFIG]):
            changes.append(f"{line} (by keras.json, the environment, or code that sets it)")
    codes = {"model": (facts.model_code, model_code(spec)), "data": (facts.data_code, data_code(spec))}
    for what, (recorded, now) in codes.items():
        if files := find_changed_code(recorded, now):
            changes.append(f"the code of the {what}: {', '.join(files)} (restore the old code to resume)")
    if not changes:
        return
    message = f"the sweep {spec.name!r} was started with other settings"
    hint = "Choose another name with `--name`, or move the old sweep aside with `--fresh`"
    if facts.origin not in (None, str(spec.folder.resolve())):
        message = f"the sweep {spec.name!r} was started from a file of the same name in {facts.origin}"
        hint = f"Choose another name: `--name {spec.name}-2`"
    raise ChangedSweep(message, hint=hint, changes=changes)


def set_damaged_weights_aside(folder: SweepFolder, results: Sequence[Result], emit: Listener) -> list[Result]:
    """Rename weights files that are damaged or of another trial. Return the trials and finalists that lost their file.
    Raises RecordError if a file can't be renamed."""
    damaged = []
    files = {part: saved.list_numbered_files(part.weights) for part in (folder, folder.finalists)}
    for trial in (trial for result in results for trial in (result, *result.finalists)):
        if (path := files[saved.select_part(folder, trial)].get(trial.number)) is not None:
            try:
                saved.load_weights_of(folder, trial)
            except RecordError as error:
                emit(Noticed(f"{error.message}; the file is renamed to {set_aside(path).name}"))
                damaged.append(trial)
    return damaged


def rebuild_weights(sweep: OpenSweep, trials: Sequence[Result]) -> None:
    """Train the `trials` whose weights files were damaged again, and write the new weights. If the weights differ from
    the recorded digest, only emit a notice. Raises Interrupted if the user asked to stop."""
    for trial in trials:
        lost = "a new training reached the same value, but its weights differ in the last digits"
        try:
            with sweep.wall.phase("retrain"):
                weights = weights_of(sweep, trial)
        except RecordError as error:  # the packages have changed; the trial's record stays valid
            lost = error.message
        else:
            if arrays_digest(weights) == trial.weights_digest:  # else the processor or the backend differs
                write_arrays(saved.weights_file_of(sweep.folder, trial), weights)
                continue
        sweep.emit(Noticed(f"the weights of {trial.name} are lost: {lost}"))


def rebuild_scores(sweep: OpenSweep, results: Sequence[Result]) -> None:
    """Compute the missing scores of validation rows from saved weights, and save them. Damaged files are renamed. A
    notice counts the trials without scores and weights."""
    lost, folder, objective = 0, sweep.folder, sweep.spec.objective
    finalists = [finalist for result in results if result.final for finalist in result.finalists]
    compared = [
        trial for part in (results, finalists) for trial in saved.select_scored(part, objective, best=MOST_COMPARED)
    ]
    for trial in compared:
        path = saved.scores_file(saved.select_part(folder, trial), trial.number)
        try:
            saved.load_scores_of(folder, trial)
        except RecordError as error:
            if path.exists() or path.is_symlink():
                sweep.emit(Noticed(f"{error.message}; the file is renamed to {set_aside(path).name}"))
            if (scores := _recompute_scores(sweep, trial)) is None:
                lost += 1
            else:
                saved.save_scores(path, scores)
    if lost:
        text = f"the scores of the validation rows are missing for {pluralize(lost, 'trial')}, and so are the weights"
        sweep.emit(Noticed(f"{text}: trials are compared by their values alone"))


def _recompute_scores(sweep: OpenSweep, trial: Result) -> RowScores | None:
    spec, data = sweep.load(trial)
    data = data.with_seeds(spec.search.seeds)
    assert trial.value is not None
    try:
        weights = saved.load_weights_of(sweep.folder, trial)
    except RecordError:
        return None
    plan, name = training_plan(spec, trial.params), spec.objective.name
    compute = partial(compute_validation_outputs, spec, trial.params, weights, data, name=trial.name)

    def compute_if(is_needed: Callable[[Any], bool], call: Callable[[Any, Arrays], Any]) -> Any:
        """Compute `call` on the rows if the trial's model needs it, else return None."""
        model = build_first_model(spec, trial.params, weights, data, trial.name)
        return compute(call) if is_needed(model) else None

    for call in (call_model, predict_rows):  # the runner used a plain call or a compiled call
        batches = partial(number_batches, data, plan.batch_size)
        facts: dict[str, Any] = {
            "predict": partial(compute, call),
            "batches": batches,
            "added": lambda: compute_if(may_add_losses, compute_added_losses),
            "mask": lambda: compute_if(lambda model: has_masks(model, data.fold(0).validation.x), output_masks),
        }
        logged = LoggedMetric.from_spec(spec, plan.loss_arguments, name, trial.value, data.validation, **facts)
        scores, _ = logged.row_scores()
        scores = scores and scores.average(spec.search.seeds)
        if scores is not None and scores.digest == trial.scores_digest:
            return scores
    return None
