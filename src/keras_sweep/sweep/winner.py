"""The winner, or another training: the model that stands for it, what that says of rows, and its looks at test rows.

The model has its own weights, or is trained once more on all rows of training and validation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.arrays import Arrays, each
from keras_sweep.data.raw_rows import whole
from keras_sweep.data.sealed_test import open_test
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.errors import ChangedSweep, Interrupted, ModelError, RecordError, SweepError
from keras_sweep.files.arrays import write_arrays
from keras_sweep.models.own_compile import can_validate
from keras_sweep.process.given import name_of
from keras_sweep.record.facts import Facts, Refit, TestScores
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.saved import delete_others, load_weights, weights_file
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.events import TestEvaluated, WinnerRefitted
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.sweep.replay import tell_as_phases, weights_of
from keras_sweep.training.build_trial import compile_model, fits_itself, predict_rows
from keras_sweep.training.folds import fold_outputs
from keras_sweep.training.outcome import Logged, read_numbers
from keras_sweep.training.runner import Watch
from keras_sweep.trial.events import Noticed
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Result, Suggestion, Weights
from keras_sweep.trial.row_scores import arrays_digest


def refit_winner(sweep: OpenSweep, training: Result) -> None:
    """Train the winner once more on all rows, where that is asked for and not done. Raises as `train_on_all`."""
    study, emit = sweep.study, sweep.emit
    known = study.facts.refit_of(training)
    if not sweep.spec.refits:
        if study.facts.refit is not None:
            study.set_attributes({"refit": None})
        return
    if known is not None and refit_weights(study.folder, known) is not None:
        emit(WinnerRefitted(known, earlier=True))
        return
    weights, refit = train_on_all(sweep, training, whole(*sweep.load(training)), study.folder.checkpoints)
    write_arrays(weights_file(study.folder.refit, training.recipe), weights)
    study.set_attributes({"refit": asdict(refit)})
    delete_others(study.folder.refit.weights, [training.recipe])
    emit(WinnerRefitted(refit))


def refit_weights(folder: SweepFolder, refit: Refit | None) -> Weights | None:
    """The weights of a refit; None where they are missing, damaged or others."""
    try:
        return load_weights(weights_file(folder.refit, refit.trial), refit.digest) if refit is not None else None
    except RecordError:
        return None


def final_model(sweep: OpenSweep, training: Result) -> tuple[Any, SearchData, Refit | None]:
    """The model that stands for a training, the rows that it was trained on, and how it was refit.

    Without a refit it has its own weights; with folds, where no one model is, it is trained on all rows for this.
    Raises as `weights_of` and `train_on_all`.
    """
    spec, data = sweep.load(training)
    refit = sweep.study.facts.refit_of(training)
    if refit is None and not data.folds:
        return build_trained_model(spec, training, weights_of(sweep, training), data), data, None
    rows = whole(spec, data)
    weights = refit_weights(sweep.folder, refit)
    if weights is None or refit is None:
        why = "with folds no one model stands for a trial" if refit is None else "those weights are gone or damaged"
        sweep.emit(Noticed(f"{training.name} is trained on all {len(rows.train):,} rows, since {why}"))
        weights, refit = train_on_all(sweep, training, rows)
    return build_trained_model(spec, training, weights, rows), rows, refit


def train_on_all(
    sweep: OpenSweep, training: Result, rows: SearchData, checkpoints: Path | None = None
) -> tuple[Weights, Refit]:
    """How a training turns out on all rows, for as many epochs as its value is of.

    Raises Interrupted: the user asked to stop; SweepError: it diverged, or its code raised.
    """
    spec, _ = sweep.load(training)
    # A `fit` in phases trains more epochs than it is asked for.
    own = {} if fits_itself(spec) else {"epochs": training.epoch or training.epochs}
    params = {**training.params, **own}
    params = {name: value for name, value in params.items() if not name.startswith("training.early_stopping.")}
    alone = replace(
        spec,
        space=SearchSpace((), params),
        objective=replace(spec.objective, take_best=False, epochs_from=0),
        training=replace(spec.training, early_stopping=None),
        early_terminate=None,
        schedule_epochs=training_plan(spec, training.params).epochs,  # its value may be of an earlier one
    )
    name = sweep.runner.name if sweep.is_running else training.runner
    runner = sweep.choose_runner(alone, rows, name, checkpoints)
    asked = Suggestion(training.number, params)
    tell = tell_as_phases(sweep.emit, f"training {training.name} on all {len(rows.train):,} rows")
    watch = Watch(emit=tell, stopping=lambda: sweep.stop.signalled)
    again = next(runner.run([asked], frozenset({asked.number}), watch), None)
    if again is None:
        raise Interrupted(f"{training.name} was not trained on all rows to its end", hint="The same command goes on")
    if again.weights is None:
        raise SweepError(
            f"{training.name}, trained on all {len(rows.train):,} rows, failed: {again.reason}",
            hint="Without folds and `finish: {refit: true}` its model is taken as it was trained in the search",
        )
    scores = {name.removeprefix("val_"): value for name, value in again.metrics.items() if name.startswith("val_")}
    of, digest = (training.recipe, training.finalist_seed), arrays_digest(again.weights)
    return again.weights, Refit(*of, again.epochs, len(rows.train), scores, digest)


def build_trained_model(spec: SweepSpec, result: Result, weights: Weights, data: SearchData) -> Any:
    """The trial's compiled `keras.Model` with the given weights; it takes rows as in `data.train.x`."""
    model = compile_model(spec, training_plan(spec, result.params), data)
    try:
        model.set_weights(list(weights))
    except ValueError as error:
        why = f"{name_of(spec.model.source)} gives another model now than it gave for {result.name}"
        raise ModelError(f"{why}: {error}", hint="Let the model depend on the function's arguments alone") from error
    if (optimizer := getattr(model, "optimizer", None)) is not None:  # which a loop of the user's has for itself
        optimizer.build(model.trainable_variables)  # else loading its file warns of variables that are not there
    return model


def validation_outputs(
    spec: SweepSpec,
    result: Result,
    weights: Weights,
    data: SearchData,
    call: Callable[[Any, Arrays], Arrays] = predict_rows,
) -> Arrays:
    """[N, ...] what the weights that earned a trial's value say of the validation rows."""
    if data.folds:
        (outputs,) = fold_outputs(spec, data, result.params, [weights], call)
        return each(partial(np.asarray, dtype=np.float32), outputs)
    model = build_trained_model(spec, result, weights, data)
    return each(np.asarray, call(model, data.validation.x))


def as_probabilities(outputs: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """[N, C] as it is; of two classes [N, 1], which is the second's, as [N, 2]."""
    return outputs if outputs.shape[1] > 1 else np.concatenate([1 - outputs, outputs], axis=1)


def evaluate_winner(sweep: OpenSweep) -> TestScores:
    """One more look at the test rows, counted before they are scored; the listener hears it as `TestEvaluated`.

    Raises as `OpenSweep.training`, `OpenSweep.load` and `look_at_test`; SweepBusy: another process runs the sweep.
    """
    with SweepLock(sweep.folder):
        best = sweep.training(None)
        model, own, _ = final_model(sweep, best)
        return look_at_test(sweep, best, model, own)


def last_look(facts: Facts, *, earlier: bool = False) -> TestEvaluated:
    """The event of the last look, of which there is one; `earlier`: it is only told again."""
    assert facts.test is not None
    return TestEvaluated(**asdict(facts.test), looks=facts.test_looks, earlier=earlier)


def look_at_test(sweep: OpenSweep, best: Result, model: Any, own: SearchData) -> TestScores:
    """Evaluate the model of the winner on the sealed rows, of which there must be some, and count the look.

    `own` are the rows that the model was trained on. The count is written when the rows are open and before they are
    scored: a look that a kill cuts short is counted, and taken anew; where the rows can't be had, nobody has looked.

    Raises ChangedSweep: they are not the test rows that the sweep was begun with; DataError: they can't be read;
    ModelError: nothing evaluates the model.
    """
    study, (spec, data) = sweep.study, sweep.load(best)
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
    sweep.emit(last_look(study.facts))
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
    predict = cache(lambda: predict_rows(model, rows.x))
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
