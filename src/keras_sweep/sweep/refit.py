"""Trains the winner once more, on all rows of training and validation, before it is tested and exported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from keras_sweep.data.raw_rows import whole
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import Interrupted, RecordError, SweepError
from keras_sweep.files.arrays import write_arrays
from keras_sweep.record.saved import delete_others, load_weights, weights_file
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.load import Running
from keras_sweep.sweep.recorded import OpenedTrial, weights_of
from keras_sweep.sweep.retrain import told_as_phases
from keras_sweep.training.choose import choose_runner
from keras_sweep.trial.events import Listener, Noticed, Refit, WinnerRefitted
from keras_sweep.trial.result import Result, Suggestion, TrialState, Weights
from keras_sweep.trial.row_scores import arrays_digest


def refit_winner(running: Running, training: Result) -> Refit | None:
    """The refit of the winner's training, trained where it is missing or damaged; None where none is asked for.

    Raises:
        Interrupted: a signal came.
        SweepError: it diverged, or its code raised.
    """
    spec, study, emit = running.spec, running.study, running.emit
    known = study.facts.refit_of(training)
    if not spec.refits:
        if study.facts.refit is not None:
            study.set_attributes({"refit": None})
        return None
    if known is not None and _kept(study, known) is not None:
        emit(WinnerRefitted(known, earlier=True))
        return known
    rows = whole(spec, running.data)
    again = trained_on_all(
        spec, rows, training, running.runner.name, emit, lambda: running.stop.signalled, study.folder.checkpoints
    )
    assert again.weights is not None
    write_arrays(weights_file(study.folder.refit, training.recipe), again.weights)
    refit = _refit(training, again, rows, arrays_digest(again.weights))
    study.set_attributes({"refit": asdict(refit)})
    delete_others(study.folder.refit.weights, [training.recipe])
    emit(WinnerRefitted(refit))
    return refit


def refit_weights(folder: SweepFolder, refit: Refit) -> Weights:
    """The weights of a refit. Raises RecordError."""
    return load_weights(weights_file(folder.refit, refit.trial), refit.digest)


def final_weights(opened: OpenedTrial) -> tuple[Weights, SearchData, Refit | None]:
    """The weights of the model that stands for a training, the rows that it was trained on, and how it was refit.

    Without a refit they are its own; with folds, where no one model is, it is trained on all rows for this.

    Raises:
        UsageError: as `weights_of`.
        SweepError: trained on all rows, it failed.
    """
    study, spec, data, training = opened.study, opened.spec, opened.data, opened.trial
    refit = study.facts.refit_of(training)
    if refit is None and not data.folds:
        return weights_of(opened), data, None
    rows = whole(spec, data)
    weights = _kept(study, refit) if refit is not None else None
    if refit is not None and weights is not None:
        return weights, rows, refit
    why = "with folds no one model stands for a trial" if refit is None else "those weights are gone or damaged"
    opened.emit(Noticed(f"{training.name} is trained on all {len(rows.train):,} rows, since {why}"))
    again = trained_on_all(spec, rows, training, training.runner, opened.emit)
    assert again.weights is not None
    return again.weights, rows, _refit(training, again, rows, "")


def trained_on_all(
    spec: SweepSpec,
    rows: SearchData,
    training: Result,
    runner: str,
    emit: Listener,
    stopping: Callable[[], bool] = lambda: False,
    checkpoints: Path | None = None,
) -> Result:
    """How a training turns out on all rows, for as many epochs as its value is of.

    Raises:
        Interrupted: `stopping` said so.
        SweepError: it diverged, or its code raised.
    """
    params = {**training.params, "epochs": training.epoch or training.epochs}
    alone = replace(
        spec, space=SearchSpace((), params), objective=replace(spec.objective, take_best=False), early_terminate=None
    )
    kind = runner.partition("/")[0]
    chosen, _ = choose_runner(alone, rows, kind, checkpoints=checkpoints)
    asked = Suggestion(training.number, params)
    tell = told_as_phases(emit, f"training {training.name} on all {len(rows.train):,} rows")
    for again in chosen.run([asked], frozenset({asked.number}), emit=tell, stopping=stopping):
        if again.state is TrialState.FAIL:
            raise SweepError(
                f"{training.name}, trained on all {len(rows.train):,} rows, failed: {again.reason}",
                hint="Without folds and `finish: {refit: true}` its model is taken as it was trained in the search",
            )
        return again
    raise Interrupted(f"{training.name} was not trained on all rows to its end", hint="The same command goes on")


def _refit(training: Result, again: Result, rows: SearchData, digest: str) -> Refit:
    scores = {name.removeprefix("val_"): value for name, value in again.metrics.items() if name.startswith("val_")}
    return Refit(training.recipe, training.finalist_seed, again.epochs, len(rows.train), scores, digest)


def _kept(study: StudyFile, refit: Refit) -> Weights | None:
    """Its weights; None where they are missing, damaged or others."""
    try:
        return refit_weights(study.folder, refit)
    except RecordError:
        return None
