"""The weights of the best trials as they are on disk, or trained again where they are missing or damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_sweep.errors import RecordError
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.weights import load_weights, save_weights, weights_file_of
from keras_sweep.search.engines import make_engine
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.finalists import finalist_weights
from keras_sweep.sweep.retrain import retrained_weights
from keras_sweep.sweep.wall_time import WallTime
from keras_sweep.training.runner import Runner
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.result import Result, Weights
from keras_sweep.trial.row_scores import arrays_digest


@dataclass(frozen=True, slots=True)
class BestWeights:
    """The weights of a sweep's best trials."""

    spec: SweepSpec
    study: StudyFile
    runner: Runner
    results: Sequence[Result]  # all trials of the search, in the order of their numbers
    emit: Listener
    wall: WallTime
    stop: StopRequest

    def of(self, trial: Result) -> Weights:
        """The weights on disk; where they can't be read, the trial is trained again.

        Raises:
            Interrupted: a signal came while it was trained.
            RecordError: other numbers came out than the record has.
        """
        path = weights_file_of(self.study.folder, trial)
        try:
            return load_weights(path, trial.weights_digest)
        except RecordError as error:
            self.emit(Noticed(f"{trial.name} is trained again, since {_why_not_loaded(path, error)}"))
            with self.wall.phase("retrain"):
                return self._again(trial)

    def _again(self, trial: Result) -> Weights:
        def stopping() -> bool:
            return self.stop.signalled

        if trial.suggestion.recipe is not None:
            return finalist_weights(self.runner, self.study, self.results, trial, stopping)
        return retrained_weights(
            lambda: make_engine(self.spec), self.runner, self.results, trial.number, stopping=stopping
        )

    def write_again(self, trials: Sequence[Result]) -> None:
        """Write the weights of these trials, whose files were damaged. Raises Interrupted."""
        for trial in trials:
            try:
                weights = self.of(trial)
            except RecordError as error:  # other packages than then: the trial's record is sound all the same
                self.emit(Noticed(f"the weights of {trial.name} are lost: {error.message}"))
                continue
            if arrays_digest(weights) == trial.weights_digest:
                save_weights(weights_file_of(self.study.folder, trial), weights)
            else:  # another processor or backend: the value is the same, and the last digits are not
                lost = "trained again it has the same value by weights that differ in their last digits"
                self.emit(Noticed(f"the weights of {trial.name} are lost: {lost}"))


def _why_not_loaded(path: Path, error: RecordError) -> str:
    return error.message if path.exists() else f"its weights {path} are gone"
