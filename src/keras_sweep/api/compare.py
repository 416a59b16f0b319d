"""`keras_sweep.compare`: sweeps side by side; `keras_sweep.verify`: an exported model against its card."""

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

MOST_ROWS = 20  # of a table in a notebook


class ComparedSweeps(Answer, SideBySide):
    """Sweeps side by side."""

    def __repr__(self) -> str:
        return f"ComparedSweeps({'; '.join(verdict_lines(self))})"

    def _repr_html_(self) -> str:
        return answer_html(self.objective.name, compare_columns(self), verdict_lines(self))


class ReplayedTrial(Answer, Replay):
    """A trial that was trained again."""

    def __repr__(self) -> str:
        return f"ReplayedTrial({self._what}: {'; '.join(replay_lines(self))})"

    def _repr_html_(self) -> str:
        return answer_html(self._what, drop_middle(replay_columns(self), MOST_ROWS)[0], replay_lines(self))

    @property
    def _what(self) -> str:
        return f"{self.recorded.name} of {self.sweep}"


class VerifiedModel(Answer, Verified):
    """A model whose scores were looked at again."""

    def __repr__(self) -> str:
        return f"VerifiedModel({self.model}: {verify_verdict(self)})"

    def _repr_html_(self) -> str:
        return answer_html(str(self.model), verify_columns(self), [verify_verdict(self)])


@cut_traceback
def compare(*names: str, sweeps_dir: str | os.PathLike[str] | None = None) -> ComparedSweeps:
    """Sweeps of one metric and the same rows, side by side: `.first`, `.sides`, `.behind`.

    Raises:
        UsageError: fewer than two are named, one twice, one is not there, or they are of other metrics or rows.
        RecordError: no trial of one has completed, or a record can't be read.
    """
    return ComparedSweeps.of(compare_sweeps([find(name, sweeps_dir) for name in names]))


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
    """Open a model's file in safe mode and evaluate it on its card's rows; `.matches` is the verdict.

    Args:
        path: a `.keras` file, its card beside it.
        test: look at the test rows, too; that is counted where the card's sweep is here.
        trust: import and run the code that the card names as the source of its rows, and the file as that of layers.
        backend: of Keras; by default the one that trained the model.
        data_dir: where the card's data file lies; by default the folder of the sweep's space file, or this one.
        sweeps_dir: where sweeps live; by default SWEEPS_DIR, or ./sweeps.
        listener: called with every event, as in `run`; by default notices are warnings.

    Raises:
        UsageError: there is no file or no card, or one of them needs code.
        RecordError: the file is damaged, or is not the file of its card.
        ChangedSweep: the rows are not those of the card.
    """
    verified = verify_model(
        Path(path),
        listener,
        sweeps=folder_of_sweeps(sweeps_dir),
        test=test,
        trust=trust,
        backend=backend,
        data_dir=Path(data_dir) if data_dir is not None else None,
    )
    return VerifiedModel.of(verified)
