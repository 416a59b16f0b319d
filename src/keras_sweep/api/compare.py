"""Compare sweeps with each other (`compare`), and an exported model with its model card (`verify`)."""

import os
from pathlib import Path

from keras_sweep.api.edge import cut_traceback, warn_of_notices
from keras_sweep.api.trial import Answer
from keras_sweep.record.sweep_folder import find
from keras_sweep.record.sweep_folder import sweeps_dir as folder_of_sweeps
from keras_sweep.sweep.compare import SideBySide, compare_sweeps
from keras_sweep.sweep.replay import Replay
from keras_sweep.sweep.verify import Verified, verify_model
from keras_sweep.trial.events import Listener
from keras_sweep.views.compare import compare_columns, verdict_lines
from keras_sweep.views.notebook import answer_html
from keras_sweep.views.replay_view import replay_columns, replay_lines, verify_columns, verify_verdict
from keras_sweep.views.terminal.table import drop_middle

MOST_ROWS = 20  # rows of a table in a notebook


class ComparedSweeps(Answer, SideBySide):
    """The result of `compare`: sweeps side by side, and how far each winner is behind the best winner."""

    def __repr__(self) -> str:
        return f"ComparedSweeps({'; '.join(verdict_lines(self))})"

    def _repr_html_(self) -> str:
        return answer_html(self.objective.name, compare_columns(self), verdict_lines(self))


class ReplayedTrial(Answer, Replay):
    """The result of `Sweep.replay`: a trial that was trained again, compared with the record of its first training."""

    def __repr__(self) -> str:
        return f"ReplayedTrial({self._what}: {'; '.join(replay_lines(self))})"

    def _repr_html_(self) -> str:
        return answer_html(self._what, drop_middle(replay_columns(self), MOST_ROWS)[0], replay_lines(self))

    @property
    def _what(self) -> str:
        return f"{self.recorded.name} of {self.sweep}"


class VerifiedModel(Answer, Verified):
    """The result of `verify`: an exported model that was evaluated again, compared with its model card."""

    def __repr__(self) -> str:
        return f"VerifiedModel({self.model}: {verify_verdict(self)})"

    def _repr_html_(self) -> str:
        return answer_html(str(self.model), verify_columns(self), [verify_verdict(self)])


@cut_traceback
def compare(*names: str, sweeps_dir: str | os.PathLike[str] | None = None) -> ComparedSweeps:
    """Compare two or more sweeps that have the same metric and the same validation rows.

    In the result, `.first` is the sweep with the best winner, and `.sides` has every sweep in the order of `names`.
    `.behind` maps a sweep's name to its winner's distance from the best winner. The distance has `.behind` in the
    metric's unit, `.stderr`, and `.tie`: whether the rows can't tell the winners apart. Without scores per row, the map
    is {}.

    Raises:
        UsageError: fewer than two names, a name occurs twice, a sweep does not exist, or metrics or rows differ.
        RecordError: a sweep has no completed trial, or its record can't be read.
    """
    return ComparedSweeps.from_record(compare_sweeps([find(name, sweeps_dir) for name in names]))


@cut_traceback
def verify(
    path: str | os.PathLike[str],
    *,
    test: bool = False,
    trust: bool = False,
    backend: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    sweeps_dir: str | os.PathLike[str] | None = None,
    listener: Listener = warn_of_notices,
) -> VerifiedModel:
    """Evaluate an exported model on the rows of its model card; `.matches` says whether the card's numbers are right.

    Args:
        path: a `.keras` file with its model card beside it.
        test: also evaluate on the test rows. If `sweeps_dir` has the sweep, its record counts the evaluation.
        trust: import and run the Python functions and layers that the card and the model file refer to.
        backend: the Keras backend; by default the backend that trained the model.
        data_dir: the folder of the card's data file; by default the space file's folder. If `sweeps_dir` does not have
            the sweep, by default the working directory.
        sweeps_dir: the folder of all sweeps; by default SWEEPS_DIR, or ./sweeps.
        listener: called with every event, as in `run`; by default notices are Python warnings.

    Raises:
        UsageError: the file, its card, or test scores to compare are missing, or code is needed and `trust` is not set.
        RecordError: the file is damaged, or the card is of another model.
        ChangedSweep: the rows differ from the rows of the card.
    """
    verification = verify_model(
        Path(path),
        listener,
        sweeps=folder_of_sweeps(sweeps_dir),
        test=test,
        trust=trust,
        backend=backend,
        data_dir=Path(data_dir) if data_dir is not None else None,
    )
    return VerifiedModel.from_record(verification)
