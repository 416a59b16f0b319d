"""Build the model of the winner or of another training, and evaluate it on validation and test rows.

The model has the recorded weights, or is trained again on all training and validation rows (a refit).
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.raw_rows import whole
from keras_sweep.data.sealed_test import open_test
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.errors import ChangedSweep, Interrupted, ModelError, RecordError, SweepError
from keras_sweep.files.arrays import write_arrays
from keras_sweep.models.own_compile import can_validate
from keras_sweep.process.compiling import use_fast_initializers
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
from keras_sweep.training.build_trial import build_trained_model, describe_rows, fits_itself
from keras_sweep.training.logged_metric import LoggedMetric
from keras_sweep.training.outcome import read_numbers
from keras_sweep.training.runner import Watch
from keras_sweep.trial.events import Noticed
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Result, Suggestion, Weights
from keras_sweep.trial.row_scores import arrays_digest


def refit_winner(sweep: OpenSweep, training: Result) -> None:
    """Train the winner `training` again on all rows, if the space file asks for this. Raises as `train_on_all`."""
    study, emit = sweep.study, sweep.emit
    old_refit = study.facts.refit_of(training)
    if not sweep.spec.needs_refit:
        if study.facts.refit is not None:
            study.set_attributes({"refit": None})
        return
    if old_refit is not None and refit_weights(study.folder, old_refit) is not None:
        emit(WinnerRefitted(old_refit, earlier=True))
        return
    weights, refit = train_on_all(sweep, training, whole(*sweep.load(training)), study.folder.checkpoints)
    write_arrays(weights_file(study.folder.refit, training.recipe), weights)
    study.set_attributes({"refit": asdict(refit)})
    delete_others(study.folder.refit.weights, [training.recipe])
    emit(WinnerRefitted(refit))


def refit_weights(folder: SweepFolder, refit: Refit | None) -> Weights | None:
    """Load a refit's weights. Return None without a refit, or if the file is missing, damaged or of another refit."""
    try:
        return load_weights(weights_file(folder.refit, refit.trial), refit.digest) if refit is not None else None
    except RecordError:
        return None


def build_final_model(sweep: OpenSweep, training: Result) -> tuple[Any, SearchData, Refit | None]:
    """Build the trained model of a trial or finalist. Return (model, data that trained it, refit or None).

    The model has the weights of the refit (the training on all rows) if a run made it, else the recorded weights. With
    folds there is no single model, so the model is trained on all rows here. Raises as `weights_of` and `train_on_all`.
    """
    spec, data = sweep.load(training)
    refit = sweep.study.facts.refit_of(training)
    if refit is None and not data.folds:
        weights: Weights | None = weights_of(sweep, training)
    else:
        data = whole(spec, data)
        weights = refit_weights(sweep.folder, refit)
    if weights is None:
        reason = "with folds it has several models" if refit is None else "its weights are missing or damaged"
        sweep.emit(Noticed(f"{training.name} is trained on all {len(data.train):,} rows, since {reason}"))
        weights, refit = train_on_all(sweep, training, data)
    model = build_trained_model(spec, training.params, weights, data, training.name)
    if (optimizer := getattr(model, "optimizer", None)) is not None:  # a user's own loop may need none
        with use_fast_initializers():
            optimizer.build(model.trainable_variables)  # else loading the file causes a warning
    return model, data, refit


def train_on_all(
    sweep: OpenSweep, training: Result, rows: SearchData, checkpoints: Path | None = None
) -> tuple[Weights, Refit]:
    """Train a configuration on all rows, until its scored epoch. Return the weights and facts about the training.

    `rows` has the same rows to train and to validate. The running training is saved in `checkpoints`; None saves
    nothing. Raises Interrupted if the user asked to stop, SweepError if the training diverged or user code raised.
    """
    spec, _ = sweep.load(training)
    # A `fit` in phases trains more epochs than its argument says.
    params = training.params if fits_itself(spec) else {**training.params, "epochs": training.epoch or training.epochs}
    params = {name: value for name, value in params.items() if not name.startswith("training.early_stopping.")}
    single = replace(
        spec,
        search=replace(spec.search, seeds=1),
        space=SearchSpace((), params),
        objective=replace(spec.objective, take_best=False, epochs_from=0),
        training=replace(spec.training, early_stopping=None, seconds=None),
        early_terminate=None,
        schedule_epochs=training_plan(spec, training.params).epochs,  # the value may be from an earlier epoch
    )
    name = sweep.runner.name if sweep.is_running else training.runner
    runner = sweep.choose_runner(single, rows, name, checkpoints)
    suggestion = Suggestion(training.recipe, params)
    tell = tell_as_phases(sweep.emit, f"training {training.name} on all {len(rows.train):,} rows")
    watch = Watch(emit=tell, stopping=lambda: sweep.stop.signalled)
    again = next(runner.run([suggestion], frozenset({suggestion.number}), watch), None)
    if again is None:
        raise Interrupted(f"the training of {training.name} on all rows was stopped", hint="The same command resumes")
    if again.weights is None:
        raise SweepError(
            f"the training of {training.name} on all {len(rows.train):,} rows failed: {again.reason}",
            hint="To keep the model of the search, leave out `folds` and `finish: {refit: true}`",
        )
    scores = {name.removeprefix("val_"): value for name, value in again.metrics.items() if name.startswith("val_")}
    numbers, digest = (training.recipe, training.finalist_seed), arrays_digest(again.weights)
    return again.weights, Refit(*numbers, again.epochs, len(rows.train), scores, digest)


def as_probabilities(outputs: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return probabilities [rows, classes]. A single output is the probability of the second of two classes."""
    return outputs if outputs.shape[1] > 1 else np.concatenate([1 - outputs, outputs], axis=1)


def evaluate_winner(sweep: OpenSweep) -> TestScores:
    """Evaluate the winner on the test rows, count the evaluation, and emit it as `TestEvaluated`. Raises SweepBusy if
    another process runs the sweep. Also raises as `OpenSweep.training` and `look_at_test`."""
    with SweepLock(sweep.folder):
        best = sweep.training(None)
        model, training_data, _ = build_final_model(sweep, best)
        return look_at_test(sweep, best, model, training_data)


def last_look(facts: Facts, *, earlier: bool = False) -> TestEvaluated:
    """Return the event of the last evaluation on test rows. `earlier` says that an earlier run evaluated."""
    assert facts.test is not None
    return TestEvaluated(**asdict(facts.test), looks=facts.test_looks, earlier=earlier)


def look_at_test(sweep: OpenSweep, best: Result, model: Any, training_data: SearchData) -> TestScores:
    """Evaluate the winner's model on the sealed test rows, which must exist, and count the evaluation.

    `training_data` holds the rows that trained the model. The count is written once the rows are open, before the
    score. So a killed evaluation is counted, and the next run repeats it. Raises ChangedSweep if the test rows have
    changed since the sweep began, DataError if the rows can't be read (then nothing is counted), and ModelError if the
    model can't be evaluated.
    """
    study, (spec, data) = sweep.study, sweep.load(best)
    compiled = getattr(model, "compiled", False)
    if not (compiled and can_validate(model)):
        reason = "has a `train_step` of its own, but no `test_step`" if compiled else "is not compiled"
        raise ModelError(f"can't evaluate the winner on the test rows: its model {reason}")
    fingerprints = study.facts.test_fingerprint
    if fingerprints is not None and data.test_fingerprint not in fingerprints.split("+"):  # of all variants of the data
        message = f"the test rows of {data.name} have changed since the sweep {spec.name!r} started"
        raise ChangedSweep(message, hint="Restore the old rows, or run the sweep again with `--fresh`")
    rows = open_test(spec, data, like=training_data)
    count_look(study)
    scores = evaluate(spec, best, model, rows, data)
    record = {
        "number": best.recipe,
        "seed": best.finalist_seed,
        "refit": study.facts.refit_of(best) is not None,
        "stderr": scores.stderrs.get(spec.objective.name.removeprefix("val_")),
        **asdict(scores),
    }
    study.set_attributes({"test": record})
    sweep.emit(last_look(study.facts))
    return scores


def count_look(study: StudyFile) -> int:
    """Add an evaluation on the test rows to the record. Return the new count."""
    looks = study.facts.test_looks + 1
    study.set_attributes({"test_looks": looks})
    return looks


def evaluate(spec: SweepSpec, trial: Result, model: Any, rows: Rows, data: SearchData) -> TestScores:
    """Return a trained model's scores on `rows`, their standard errors, and the accuracy of each class of `data`."""
    # A loss may depend on the batch size, which is then the validation's.
    plan = training_plan(spec, trial.params)
    options = {"sample_weight": rows.weights, "batch_size": plan.batch_size, "verbose": 0, "return_dict": True}
    scores = read_numbers(model.evaluate(rows.x, rows.labels, **options))
    facts = describe_rows(model, rows.x, plan.batch_size)
    logged = [
        LoggedMetric.from_spec(spec, plan.loss_arguments, name, value, rows, **facts) for name, value in scores.items()
    ]
    errors = {score.metric: score.standard_error() for score in logged}
    known_errors = {name: error for name, error in errors.items() if error is not None}
    per_class = None
    if data.classes is not None:
        labels, right = rows.classes, as_probabilities(facts["predict"]()).argmax(axis=1) == rows.classes
        counts = np.ones(len(rows)) if rows.weights is None else rows.weights.astype(np.float64)
        by_class = [(name, counts * (labels == index)) for index, name in enumerate(data.names_of_classes)]
        per_class = {name: float(np.average(right, weights=weights)) for name, weights in by_class if weights.any()}
    return TestScores(len(rows), scores, known_errors, per_class)
