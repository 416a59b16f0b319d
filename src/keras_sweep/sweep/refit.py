"""Trains the winner once more, on all rows of training and validation, before it is tested and exported."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from keras_sweep.data.raw_rows import whole
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import Interrupted, RecordError, SweepError
from keras_sweep.files.arrays import write_arrays
from keras_sweep.record.saved import delete_others, load_weights, weights_file
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.sweep.load import Running
from keras_sweep.sweep.recorded import OpenedTrial
from keras_sweep.sweep.retrain import told_as_phases, weights_of
from keras_sweep.sweep.winner import trained_model
from keras_sweep.training.choose import choose_runner
from keras_sweep.trial.events import Noticed, Refit, WinnerRefitted
from keras_sweep.trial.result import Result, Suggestion, Weights
from keras_sweep.trial.row_scores import arrays_digest


def refit_winner(running: Running, training: Result) -> None:
    """Train the winner's training once more on all rows, where that is asked for, and missing or damaged.

    Raises:
        Interrupted: a signal came.
        SweepError: it diverged, or its code raised.
    """
    study, emit = running.study, running.emit
    known = study.facts.refit_of(training)
    if not running.spec.refits:
        if study.facts.refit is not None:
            study.set_attributes({"refit": None})
        return
    if known is not None and _kept(study.folder, known) is not None:
        emit(WinnerRefitted(known, earlier=True))
        return
    rows = whole(running.spec, running.data)
    weights, refit = _trained_on_all(running.opened(training), rows, study.folder.checkpoints)
    write_arrays(weights_file(study.folder.refit, training.recipe), weights)
    study.set_attributes({"refit": asdict(refit)})
    delete_others(study.folder.refit.weights, [training.recipe])
    emit(WinnerRefitted(refit))


def refit_weights(folder: SweepFolder, refit: Refit) -> Weights:
    """The weights of a refit. Raises RecordError."""
    return load_weights(weights_file(folder.refit, refit.trial), refit.digest)


def final_model(opened: OpenedTrial) -> tuple[Any, SearchData, Refit | None]:
    """The model that stands for a training, the rows that it was trained on, and how it was refit.

    Without a refit it has its own weights; with folds, where no one model is, it is trained on all rows for this.

    Raises:
        UsageError: as `weights_of`.
        SweepError: trained on all rows, it failed.
    """
    study, data, training = opened.study, opened.data, opened.trial
    refit = study.facts.refit_of(training)
    if refit is None and not data.folds:
        return trained_model(opened.spec, training, weights_of(opened), data), data, None
    rows = whole(opened.spec, data)
    weights = _kept(study.folder, refit) if refit is not None else None
    if weights is None:
        why = "with folds no one model stands for a trial" if refit is None else "those weights are gone or damaged"
        opened.emit(Noticed(f"{training.name} is trained on all {len(rows.train):,} rows, since {why}"))
        weights, refit = _trained_on_all(opened, rows)
    return trained_model(opened.spec, training, weights, rows), rows, refit


def _trained_on_all(opened: OpenedTrial, rows: SearchData, checkpoints: Path | None = None) -> tuple[Weights, Refit]:
    """How a training turns out on all rows, for as many epochs as its value is of.

    Raises:
        Interrupted: the user asked to stop.
        SweepError: it diverged, or its code raised.
    """
    spec, training = opened.spec, opened.trial
    params = {**training.params, "epochs": training.epoch or training.epochs}
    alone = replace(
        spec, space=SearchSpace((), params), objective=replace(spec.objective, take_best=False), early_terminate=None
    )
    kind = (training.runner if opened.runner is None else opened.runner.name).partition("/")[0]
    chosen, _ = choose_runner(alone, rows, kind, checkpoints=checkpoints)
    asked = Suggestion(training.number, params)
    tell = told_as_phases(opened.emit, f"training {training.name} on all {len(rows.train):,} rows")
    again = next(chosen.run([asked], frozenset({asked.number}), emit=tell, stopping=opened.stopping), None)
    if again is None:
        raise Interrupted(f"{training.name} was not trained on all rows to its end", hint="The same command goes on")
    if again.weights is None:
        raise SweepError(
            f"{training.name}, trained on all {len(rows.train):,} rows, failed: {again.reason}",
            hint="Without folds and `finish: {refit: true}` its model is taken as it was trained in the search",
        )
    scores = {name.removeprefix("val_"): value for name, value in again.metrics.items() if name.startswith("val_")}
    digest = arrays_digest(again.weights)
    of = (training.recipe, training.finalist_seed)
    return again.weights, Refit(*of, again.epochs, len(rows.train), scores, digest)


def _kept(folder: SweepFolder, refit: Refit) -> Weights | None:
    """Its weights; None where they are missing, damaged or others."""
    try:
        return refit_weights(folder, refit)
    except RecordError:
        return None
