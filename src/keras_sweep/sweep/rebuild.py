"""What trials have on disk is made whole: damaged files are moved aside, and what can be had again is written."""

from __future__ import annotations

from collections.abc import Sequence

from keras_sweep.errors import RecordError
from keras_sweep.files.arrays import write_arrays
from keras_sweep.record.saved import (
    load_scores_of,
    load_weights_of,
    part_of,
    save_scores,
    scores_file,
    weights_file_of,
    with_scores,
)
from keras_sweep.record.sweep_folder import SweepFolder, set_aside
from keras_sweep.space.text import counted
from keras_sweep.sweep.comparison import MOST_COMPARED
from keras_sweep.sweep.load import Running
from keras_sweep.sweep.retrain import weights_of
from keras_sweep.sweep.winner import validation_outputs
from keras_sweep.training.build_trial import called, predicted
from keras_sweep.training.row_values import row_scores
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.result import Result
from keras_sweep.trial.row_scores import RowScores, arrays_digest


def set_damaged_weights_aside(folder: SweepFolder, results: Sequence[Result], emit: Listener) -> list[Result]:
    """Move weights that are damaged, or not of their trial or finalist, aside; returns those whose they were.

    Raises RecordError.
    """
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
    parts = [with_scores(part, objective, best=MOST_COMPARED) for part in (results, finalists)]
    for trial in (*parts[0], *parts[1]):
        path = scores_file(part_of(folder, trial), trial.number)
        try:
            load_scores_of(folder, trial)
            continue
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
    spec, data = running.spec, running.data
    assert trial.value is not None
    try:
        weights = load_weights_of(running.study.folder, trial)
    except RecordError:
        return None
    for call in (called, predicted):  # a plain call or a compiled one, whichever the runner took
        outputs = validation_outputs(spec, trial, weights, data, call)
        scores = row_scores(spec.objective.name, spec.loss, trial.value, data.validation.y, outputs)
        if scores is not None and scores.digest == trial.scores_digest:
            return scores
    return None
