"""After the search: trials' files are made whole; the winner's look at the test rows, its file and card, each once."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache, partial
from typing import Any

import numpy as np

from keras_sweep.data.sealed_test import open_test
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.errors import ChangedSweep, ModelError, RecordError
from keras_sweep.files import disk
from keras_sweep.files.arrays import write_arrays
from keras_sweep.files.atomic import write_text
from keras_sweep.files.plain import file_digest, plain_errors
from keras_sweep.models.model_as_file import PLAIN, opening_call
from keras_sweep.models.own_compile import can_validate
from keras_sweep.record.candidates import MOST_COMPARED
from keras_sweep.record.facts import Facts, TestScores
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.saved import (
    load_scores_of,
    load_weights_of,
    part_of,
    save_scores,
    scores_file,
    weights_file_of,
    with_scores,
)
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder, set_aside
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import counted
from keras_sweep.sweep.card import card_text, kept_card, model_card, test_record
from keras_sweep.sweep.events import TestEvaluated
from keras_sweep.sweep.export import file_model, save_keras
from keras_sweep.sweep.load import Running
from keras_sweep.sweep.recorded import OpenedTrial, SweepAccess
from keras_sweep.sweep.validation_outputs import as_probabilities
from keras_sweep.sweep.winner import final_model, validation_outputs, weights_of
from keras_sweep.training.build_trial import called, predicted
from keras_sweep.training.outcome import Logged, read_numbers
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Result
from keras_sweep.trial.row_scores import RowScores, arrays_digest

OF_THE_MODEL = ("trial", "seed", "trials", "seeds", "refit")  # by these a card is of the model that is to be there


def finish(running: Running, results: Sequence[Result], best: Result, *, test: bool = True) -> bool:
    """Evaluate the winner on the test rows, if it has not been and `test` says so; write `best.keras` and `card.json`.

    `best` is the winner, or the one of its finalists whose model stands for it. What is there already and sound is left
    as it is, so that the same call again does nothing. The card bears the model file's checksum and is written last: a
    kill leaves a model without a card, never with another model's. Returns whether both are there.
    """
    opened, wall = running.opened(best), running.wall
    spec, study, data, emit, folder = opened.spec, opened.study, opened.data, opened.emit, opened.study.folder
    refit, scores = study.facts.refit_of(best), study.facts.test_of(best)
    if scores is not None:
        emit(last_look(study.facts, earlier=True))
    there = _sound_card(study, emit)
    opening = str(there.get("open", PLAIN))
    sweep = RecordedSweep(folder, study.facts, results)
    wanted = model_card(sweep, spec, best, data, opening=opening, refit=refit)
    sound = all(there.get(key) == wanted.get(key) for key in OF_THE_MODEL)
    look = test and scores is None and bool(data.test_rows)
    told = there.get("estimate") == wanted["estimate"] and (there.get("test") is None) == (scores is None)
    if sound and told and not look:
        return True
    if look or not sound:
        with wall.phase("build"):
            model, own, _ = final_model(opened)
        if look:
            try:
                with wall.phase("test"):
                    look_at_test(opened, model, own)
            except ModelError as error:
                emit(Noticed(error.message))
        if not sound:
            try:
                with wall.phase("export"):
                    as_file = file_model(spec, model, own)
            except ModelError as error:  # the trials and their weights are sound all the same
                emit(Noticed(str(error)))
                return False
            opening = opening_call(as_file)
            with plain_errors("remove", folder.card):
                disk.remove(folder.card)  # so that a card never describes another model
            with wall.phase("export"), plain_errors("write", folder.best):
                save_keras(as_file, folder.best)
    now = {"open": opening, "test": test_record(study.facts, best), "sha256": file_digest(folder.best)}
    text = card_text({**wanted, **now})
    study.set_attributes({"card": hashlib.sha256(text.encode()).hexdigest()})
    write_text(folder.card, text, option="--sweeps-dir")
    return True


def _sound_card(study: StudyFile, emit: Listener) -> dict[str, Any]:
    """The card of a sound `best.keras`; {} without one. What was altered, or is of what was, is moved aside."""
    try:
        return kept_card(study.folder, study.facts)
    except RecordError as error:
        for path in (study.folder.card, study.folder.best):
            if path.exists() or path.is_symlink():
                emit(Noticed(f"{error.message}: {path} is {set_aside(path).name} now, and written again"))
        return {}


def evaluate_winner(access: SweepAccess) -> TestScores:
    """One more look at the test rows, counted before they are scored; the listener hears it as `TestEvaluated`.

    Raises as `SweepAccess.opened` and `look_at_test`; SweepBusy: another process runs the sweep.
    """
    with SweepLock(access.folder), access.opened(None) as best:
        model, own, _ = final_model(best)
        return look_at_test(best, model, own)


def last_look(facts: Facts, *, earlier: bool = False) -> TestEvaluated:
    """The event of the last look, of which there is one; `earlier`: it is only told again."""
    assert facts.test is not None
    return TestEvaluated(**asdict(facts.test), looks=facts.test_looks, earlier=earlier)


def look_at_test(opened: OpenedTrial, model: Any, own: SearchData) -> TestScores:
    """Evaluate a trial's model on the sealed rows, of which there must be some, and count the look.

    `own` are the rows that the model was trained on. The count is written when the rows are open and before they are
    scored: a look that a kill cuts short is counted, and taken anew; where the rows can't be had, nobody has looked.

    Raises ChangedSweep: they are not the test rows that the sweep was begun with; DataError: they can't be read;
    ModelError: nothing evaluates the model.
    """
    study, spec, data, best = opened.study, opened.spec, opened.data, opened.trial
    compiled = getattr(model, "compiled", False)
    if not (compiled and can_validate(model)):
        why = "has a `train_step` of its own, but no `test_step`" if compiled else "is not compiled"
        raise ModelError(f"the test rows are not looked at: the winner's model {why}, so nothing evaluates it")
    begun = study.facts.test_fingerprint
    if begun is not None and data.test_fingerprint not in begun.split("+"):  # of all variants of the data
        raise ChangedSweep(
            f"the test rows of {data.name} are not those that the sweep {spec.name!r} was begun with: "
            "they would not judge its winner",
            hint="Bring the former rows back, or run the sweep anew with `--fresh`",
        )
    rows = open_test(spec, data, like=own)
    count_look(study)
    scores = evaluate(spec, best, model, rows, data)
    kept = {
        "number": best.recipe,
        "seed": best.finalist_seed,
        "refit": study.facts.refit_of(best) is not None,
        "stderr": scores.stderrs.get(spec.objective.name.removeprefix("val_")),
        **asdict(scores),
    }
    study.set_attributes({"test": kept})
    opened.emit(last_look(study.facts))
    return scores


def count_look(study: StudyFile) -> int:
    """Write down one more look at the test rows; returns how many there were with it."""
    looks = study.facts.test_looks + 1
    study.set_attributes({"test_looks": looks})
    return looks


def evaluate(spec: SweepSpec, trial: Result, model: Any, rows: Rows, data: SearchData) -> TestScores:
    """One `evaluate()` of a trial's compiled model on held-out rows."""
    arguments = training_plan(spec, trial.params).loss_arguments
    given = {"sample_weight": rows.weights, "verbose": 0, "return_dict": True}
    scores = read_numbers(model.evaluate(rows.x, rows.labels, **given))
    predict = cache(lambda: predicted(model, rows.x))
    logged = [Logged(spec, arguments, name, value, rows, predict) for name, value in scores.items()]
    errors = {one.metric: one.standard_error() for one in logged}
    known = {name: error for name, error in errors.items() if error is not None}
    per_class = None
    if data.classes is not None:
        labels, right = rows.classes, as_probabilities(predict()).argmax(axis=1) == rows.classes
        counts = np.ones(len(rows)) if rows.weights is None else rows.weights.astype(np.float64)
        there = [(name, counts * (labels == index)) for index, name in enumerate(data.names_of_classes)]
        per_class = {name: float(np.average(right, weights=of_class)) for name, of_class in there if of_class.any()}
    return TestScores(len(rows), scores, known, per_class)


def set_damaged_weights_aside(folder: SweepFolder, results: Sequence[Result], emit: Listener) -> list[Result]:
    """Move weights aside that are damaged, or not of their trial or finalist; returns whose. Raises RecordError."""
    damaged = []
    for trial in (one for result in results for one in (result, *result.finalists)):
        path = weights_file_of(folder, trial)
        if path.exists():
            try:
                load_weights_of(folder, trial)
            except RecordError as error:
                emit(Noticed(f"{error.message}: the file is {set_aside(path).name} now"))
                damaged.append(trial)
    return damaged


def rebuild_weights(running: Running, trials: Sequence[Result]) -> None:
    """Write the weights of these trials, whose files were damaged. Raises Interrupted."""
    for trial in trials:
        lost = "trained again it has the same value by weights that differ in their last digits"
        try:
            with running.wall.phase("retrain"):
                weights = weights_of(running.opened(trial))
        except RecordError as error:  # other packages than then: the trial's record is sound all the same
            lost = error.message
        else:
            if arrays_digest(weights) == trial.weights_digest:  # else it was another processor or backend
                write_arrays(weights_file_of(running.study.folder, trial), weights)
                continue
        running.emit(Noticed(f"the weights of {trial.name} are lost: {lost}"))


def rebuild_scores(running: Running, results: Sequence[Result]) -> None:
    """Make the scores whole that can be. A damaged file is moved aside; what is lost is said. Raises RecordError."""
    lost, folder, objective = 0, running.study.folder, running.spec.objective
    finalists = [one for result in results if result.final for one in result.finalists]
    for trial in (one for part in (results, finalists) for one in with_scores(part, objective, best=MOST_COMPARED)):
        path = scores_file(part_of(folder, trial), trial.number)
        try:
            load_scores_of(folder, trial)
        except RecordError as error:
            if path.exists() or path.is_symlink():
                running.emit(Noticed(f"{error.message}: the file is {set_aside(path).name} now"))
            scores = _scores_again(running, trial)
            if scores is None:
                lost += 1
            else:
                save_scores(path, scores)
    if lost:
        whose = f"the scores of {counted(lost, 'trial')} on the validation rows are lost"
        running.emit(Noticed(f"{whose}, without the weights that gave them: they are compared by their values alone"))


def _scores_again(running: Running, trial: Result) -> RowScores | None:
    """The very scores that the record tells of; None without weights, or where other numbers come out of them."""
    opened = running.opened(trial)
    spec, data = opened.spec, opened.data
    assert trial.value is not None
    try:
        weights = load_weights_of(running.study.folder, trial)
    except RecordError:
        return None
    arguments, name = training_plan(spec, trial.params).loss_arguments, spec.objective.name
    for call in (called, predicted):  # a plain call or a compiled one, whichever the runner took
        predict = partial(validation_outputs, spec, trial, weights, data, call)
        scores, _ = Logged(spec, arguments, name, trial.value, data.validation, predict).row_scores()
        if scores is not None and scores.digest == trial.scores_digest:
            return scores
    return None
