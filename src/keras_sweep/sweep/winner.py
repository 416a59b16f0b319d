"""The model that stands for a training: with its own weights, or trained once more on all rows of training and
validation; and what it says of each validation row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_sweep.data.arrays import Arrays, each
from keras_sweep.data.raw_rows import whole
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import Interrupted, ModelError, RecordError, SweepError, UsageError
from keras_sweep.files.arrays import write_arrays
from keras_sweep.process.given import name_of
from keras_sweep.record.facts import Refit
from keras_sweep.record.saved import delete_others, load_weights, load_weights_of, weights_file, weights_file_of
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.events import WinnerRefitted
from keras_sweep.sweep.load import Running
from keras_sweep.sweep.recorded import OpenedTrial, backend_of
from keras_sweep.sweep.replay import told_as_phases, trained_again
from keras_sweep.training.build_trial import compiled_model, fits_itself, predicted
from keras_sweep.training.choose import choose_runner
from keras_sweep.training.folds import fold_outputs
from keras_sweep.training.runner import Watch
from keras_sweep.trial.events import Noticed
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Result, Suggestion, TrialState, Weights
from keras_sweep.trial.row_scores import arrays_digest

if TYPE_CHECKING:
    pass


def refit_winner(running: Running, training: Result) -> None:
    """Train the winner once more on all rows, where that is asked for and not done. Raises as `_trained_on_all`."""
    study, emit = running.study, running.emit
    known = study.facts.refit_of(training)
    if not running.spec.refits:
        if study.facts.refit is not None:
            study.set_attributes({"refit": None})
        return
    if known is not None and refit_weights(study.folder, known) is not None:
        emit(WinnerRefitted(known, earlier=True))
        return
    opened = running.opened(training)
    weights, refit = _trained_on_all(opened, whole(opened.spec, opened.data), study.folder.checkpoints)
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


def weights_of(opened: OpenedTrial) -> Weights:
    """The weights that earned the value of a trial, or finalist; trained again where they are not on disk as written.

    What is on disk serves every backend: its numbers may differ in their last digits on another one, which is said.

    Raises Interrupted: the user asked to stop; UsageError: they would have to be trained again on another backend than
    this one; RecordError: it has none (it failed), or other numbers come out, as after a change of packages.
    """
    import keras

    trial, runner = opened.trial, opened.runner
    here, there = keras.backend.backend(), backend_of(trial.runner)
    why = "its weights are not kept, as those of the best are" if runner is None else "its weights are gone"
    if weights_file_of(opened.study.folder, trial).exists():
        try:
            weights = load_weights_of(opened.study.folder, trial)
        except RecordError as error:
            why = error.message
        else:
            if there != here:
                text = f"{trial.name} was trained on {there}: on {here} its numbers may differ in the last digits"
                opened.emit(Noticed(text))
            return weights
    if trial.state is TrialState.FAIL:
        raise RecordError(f"{trial.name} failed ({trial.reason}), so there are no weights", hint="Choose another")
    if runner is None and there != here:
        raise UsageError(
            f"{trial.name} must be trained again on {there}, since {why}, but the backend is {here}",
            hint=f"Give `--backend {there}`",
        )
    opened.emit(Noticed(f"{trial.name} is trained again, since {why}"))
    if runner is None:
        runner, _ = choose_runner(opened.spec, opened.data, trial.runner.partition("/")[0])
    again = trained_again(opened, runner)
    if again.value == trial.value and again.weights is not None:
        return again.weights
    gives = again.reason if again.value is None else again.value
    raise RecordError(
        f"{trial.name} trained again gives {gives}, but {trial.value} is recorded",
        hint="Use the packages and the backend that the sweep was run with (`sweep show` names them)",
    )


def final_model(opened: OpenedTrial) -> tuple[Any, SearchData, Refit | None]:
    """The model that stands for a training, the rows that it was trained on, and how it was refit.

    Without a refit it has its own weights; with folds, where no one model is, it is trained on all rows for this.
    Raises as `weights_of` and `_trained_on_all`.
    """
    study, data, training = opened.study, opened.data, opened.trial
    refit = study.facts.refit_of(training)
    if refit is None and not data.folds:
        return trained_model(opened.spec, training, weights_of(opened), data), data, None
    rows = whole(opened.spec, data)
    weights = refit_weights(study.folder, refit)
    if weights is None or refit is None:
        why = "with folds no one model stands for a trial" if refit is None else "those weights are gone or damaged"
        opened.emit(Noticed(f"{training.name} is trained on all {len(rows.train):,} rows, since {why}"))
        weights, refit = _trained_on_all(opened, rows)
    return trained_model(opened.spec, training, weights, rows), rows, refit


def _trained_on_all(opened: OpenedTrial, rows: SearchData, checkpoints: Path | None = None) -> tuple[Weights, Refit]:
    """How a training turns out on all rows, for as many epochs as its value is of.

    Raises Interrupted: the user asked to stop; SweepError: it diverged, or its code raised.
    """
    spec, training = opened.spec, opened.trial
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
    kind = (training.runner if opened.runner is None else opened.runner.name).partition("/")[0]
    how = {"checkpoints": checkpoints, "notice": lambda text: opened.emit(Noticed(text)), "workers": opened.workers}
    chosen, _ = choose_runner(alone, rows, kind, **how)
    asked = Suggestion(training.number, params)
    tell = told_as_phases(opened.emit, f"training {training.name} on all {len(rows.train):,} rows")
    again = next(chosen.run([asked], frozenset({asked.number}), Watch(emit=tell, stopping=opened.stopping)), None)
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


def trained_model(spec: SweepSpec, result: Result, weights: Weights, data: SearchData) -> Any:
    """The trial's compiled `keras.Model` with the given weights; it takes rows as in `data.train.x`."""
    model = compiled_model(spec, training_plan(spec, result.params), data)
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
    call: Callable[[Any, Arrays], Arrays] = predicted,
) -> Arrays:
    """[N, ...] what the weights that earned a trial's value say of the validation rows."""
    if data.folds:
        (outputs,) = fold_outputs(spec, data, result.params, [weights], call)
        return each(partial(np.asarray, dtype=np.float32), outputs)
    model = trained_model(spec, result, weights, data)
    return each(np.asarray, call(model, data.validation.x))
