"""Scores of rows that are missing or damaged, computed again from the weights, where those are kept."""

from __future__ import annotations

from collections.abc import Sequence

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import RecordError
from keras_sweep.record.row_scores import load_scores, save_scores, scores_file, with_scores
from keras_sweep.record.sweep_folder import SweepFolder, set_aside
from keras_sweep.record.weights import load_weights, weights_file
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import counted
from keras_sweep.sweep.comparison import MOST_COMPARED
from keras_sweep.sweep.winner import validation_outputs
from keras_sweep.training.call_model import called, predicted
from keras_sweep.training.row_values import row_scores
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.result import Result, Weights
from keras_sweep.trial.row_scores import RowScores


def rebuild_scores(
    spec: SweepSpec, data: SearchData, folder: SweepFolder, results: Sequence[Result], emit: Listener
) -> None:
    """Make the scores whole that can be. A damaged file is moved aside; what is lost is said. Raises RecordError."""
    lost = 0
    for result in with_scores(results, spec.objective, best=MOST_COMPARED):
        path = scores_file(folder, result.number)
        try:
            load_scores(path, result.scores_digest or "")
            continue
        except RecordError as error:
            if path.exists() or path.is_symlink():
                emit(Noticed(f"{error.message}: the file is {set_aside(path).name} now"))
        try:
            weights = load_weights(weights_file(folder, result.number), result.weights_digest)
        except RecordError:
            lost += 1
            continue
        scores = _scores_again(spec, data, result, weights)
        if scores is None:
            lost += 1
        else:
            save_scores(path, scores)
    if lost:
        whose = f"the scores of {counted(lost, 'trial')} on the validation rows are lost"
        emit(Noticed(f"{whose}, without the weights that gave them: they are compared by their values alone"))


def _scores_again(spec: SweepSpec, data: SearchData, result: Result, weights: Weights) -> RowScores | None:
    """The very scores that the record tells of; None where other numbers come out, as on another backend."""
    assert result.value is not None
    for call in (called, predicted):  # a plain call or a compiled one, whichever the runner took
        outputs = validation_outputs(spec, result, weights, data, call)
        scores = row_scores(spec.objective.name, spec.loss, result.value, data.validation.y, outputs)
        if scores is not None and scores.digest == result.scores_digest:
            return scores
    return None
