"""A sweep on disk: read its trials, evaluate and export its winner, and publish its record."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_sweep.api.edge import cut_traceback, cut_tracebacks, warn_of_notices
from keras_sweep.api.events import ModelExported
from keras_sweep.api.leaderboard import Leaderboard
from keras_sweep.api.trial import ShownTrial, Trial, make_trial
from keras_sweep.errors import RecordError, UsageError
from keras_sweep.record.facts import Facts, Refit, TestScores
from keras_sweep.record.reader import read_facts
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder, all_sweeps, find
from keras_sweep.record.trial_record import list_waiting
from keras_sweep.space.search_space import Objective
from keras_sweep.space.text import pluralize
from keras_sweep.system.processes import delay_interrupt
from keras_sweep.trial.comparison import Estimate
from keras_sweep.trial.events import Listener
from keras_sweep.trial.ranking import order_key
from keras_sweep.views.leaderboard.rows import rows_of, select_rows
from keras_sweep.views.sweep_list import SweepRow, sweep_row
from keras_sweep.views.terminal.text import waiting_text

# Reading a record must stay fast, so methods import heavy modules themselves.
if TYPE_CHECKING:
    import optuna

    from keras_sweep.api.compare import ReplayedTrial
    from keras_sweep.data.search_data import Rows
    from keras_sweep.space.sweep_spec import SweepSpec
    from keras_sweep.sweep.dashboard import Server
    from keras_sweep.sweep.open_sweep import OpenSweep


@cut_tracebacks
class Sweep:
    """A sweep's record. Every property and method reads the record again, so you can use it while the sweep runs."""

    def __init__(
        self,
        folder: SweepFolder,
        *,
        spec: SweepSpec | None = None,
        trust: bool = False,
        listener: Listener = warn_of_notices,
    ) -> None:
        """Open the record in `folder`, as `keras_sweep.open` does. `spec`, if set, replaces the space of the record."""
        self._folder, self._spec, self._trust, self._listener = folder, spec, trust, listener
        self._identity: str | None = None
        with suppress(RecordError):  # the first use of the record raises the error
            self._identity = read_facts(folder).identity

    def _open(self, backend: str | None = None) -> OpenSweep:
        with delay_interrupt():
            from keras_sweep.sweep.open_sweep import OpenSweep
        self._check(read_facts(self._folder))
        return OpenSweep(self._folder, self._listener, spec=self._spec, trust=self._trust, backend=backend)

    def _read(self) -> RecordedSweep:
        sweep = RecordedSweep.read(self._folder)
        self._check(sweep.facts)
        return sweep

    def _check(self, facts: Facts) -> Facts:
        """Return `facts`. Raises RecordError if `facts` belong to a newer record than this object opened."""
        if self._identity not in (None, facts.identity):
            raise RecordError(
                f"another record has replaced sweep {self.name!r} since this `Sweep` was opened",
                hint=f"`keras_sweep.open({self.name!r})` opens the new record; `keras_sweep.sweeps()` lists both",
            )
        return facts

    @property
    def name(self) -> str:
        """The name of the sweep."""
        return self._folder.name

    @property
    def path(self) -> Path:
        """The folder of the record."""
        return self._folder.path

    @property
    def objective(self) -> Objective:
        """The metric that ranks, and its direction."""
        return self.facts.objective

    @property
    def facts(self) -> Facts:
        """The record's values for the whole sweep: seed, runner, backend, number of trials and more."""
        return self._check(read_facts(self._folder))

    @property
    def status(self) -> SweepRow:
        """The sweep's line in `sweep list`: its progress, or why its record can't be read."""
        return sweep_row(self._folder)

    @property
    def trials(self) -> list[Trial]:
        """All finished trials, ordered by number."""
        sweep = self._read()
        return [make_trial(sweep, result) for result in sweep.results]

    def trial(self, number: int) -> Trial:
        """Return the trial with this number, counted from 0. Raises UsageError if the trial is not finished."""
        sweep = self._read()
        return make_trial(sweep, sweep.trial(number))

    def show(self, number: int | None = None) -> ShownTrial:
        """Return a trial, by default the best, as `.result`, and its record as `.sweep`: what `sweep show` prints.

        Raises:
            UsageError: no finished trial has this number. It may have to wait for trials with lower numbers.
        """
        sweep = self._read()
        waiting = list_waiting(self._folder, len(sweep.results), sweep.facts.trials)
        if number in waiting or (waiting and not sweep.results):
            what, count = ("a trial", len(waiting)) if number is None else (f"trial {number}", 1)
            raise UsageError(f"sweep {self.name!r} can't show {what} yet", hint=waiting_text(count))
        if not sweep.results:
            raise UsageError(f"sweep {self.name!r} has no finished trial yet")
        best = sweep.best or min(sweep.results, key=lambda result: order_key(result, sweep.objective))
        return ShownTrial(sweep, best if number is None else sweep.trial(number))

    @property
    def best(self) -> Trial:
        """The winner: the first trial of the leaderboard. `Sweep.estimate` is the winner's expected score on new rows.

        If the winner was trained with several seeds, `.seeds.mean` ranks it. `load_model` then loads the model of the
        seed `.seeds.exported`.

        Raises:
            RecordError: no trial has completed.
        """
        sweep = self._read()
        return make_trial(sweep, sweep.require_winner())

    @property
    def estimate(self) -> Estimate | None:
        """The winner's expected score on new rows like the validation rows: `.value`, from `.low` to `.high` (95 %).

        None if the record has no scores per row, for example for imported trials.
        """
        return self._read().comparison.estimate

    @property
    def refit(self) -> Refit | None:
        """The winner's last training, on all training and validation rows; None if the winner was not trained again."""
        return self._read().refit

    def ties(self) -> list[Trial]:
        """Return the winner and all trials that the validation rows can't tell from it, best first; [] without ties."""
        trials = self.trials
        return [trials[row.number] for row in self.leaderboard() if row.tie]

    def leaderboard(
        self, top: int | None = None, *, where: str | Sequence[str] = (), sort: str | None = None
    ) -> Leaderboard:
        """Return the ranked trials.

        Args:
            top: how many rows; by default all.
            where: conditions that every row meets: "optimizer=adam", or `["epochs>=5", "optimizer=adam"]`.
            sort: a column, parameter or metric; "-epochs" reverses the order. By default the rank.

        Raises:
            UsageError: a condition or `sort` names a key that no trial has, or `top` is below 1.
        """
        sweep, conditions = self._read(), (where,) if isinstance(where, str) else tuple(where)
        ranked = rows_of(sweep)
        rows = select_rows(ranked, sweep.objective, where=conditions, sort=sort, top=top)
        return Leaderboard(sweep.objective, sweep.comparison, ranked, tuple(rows), sweep, conditions)

    def load_model(self, number: int | None = None) -> Any:
        """Load a compiled `keras.Model` of a trial, by default the winner, with the weights that were scored.

        The model's input is `.x` of `validation()`. Weights that were not kept are trained again, to the same numbers.
        With `finish: {refit: true}` the winner's model was trained on the validation rows too.

        Raises:
            UsageError: the record names code and `open` had no `trust=True`, or Keras is not on the trial's backend.
            DataError: the data can't be read, or the data have changed since the sweep.
        """
        from keras_sweep.sweep.winner import build_final_model

        with self._open() as sweep:
            return build_final_model(sweep, sweep.training(number))[0]

    def validation(self) -> Rows:
        """Return the validation rows: `.x` [N, ...] is the model's input, `.y` labels, `.weights` of rows.

        With folds these are the rows of all folds; the model that did not train on a row has scored the row. A winner
        that was refit has trained on all these rows. Raises as `load_model`.
        """
        with self._open() as sweep:
            return sweep.validation()

    def evaluate(self, *, backend: str | None = None) -> TestScores:
        """Evaluate the winner on the sealed test rows, and count the call. `.scores` maps a metric to its value.

        Emits the event `TestEvaluated`. `backend` is Keras's backend; by default the backend that trained the winner.

        Raises:
            DataError: there are no test rows, or the test rows have changed since the sweep.
            SweepBusy: another process runs the sweep.
        """
        from keras_sweep.sweep.winner import evaluate_winner

        with self._open(backend) as sweep:
            return evaluate_winner(sweep)

    @property
    def test_looks(self) -> int:
        """How often models of this sweep were evaluated on the sealed test rows."""
        return self.facts.test_looks

    def export(
        self,
        path: str | os.PathLike[str] | None = None,
        number: int | None = None,
        *,
        format: str = "keras",
        quantize: str | None = None,
        card: str | os.PathLike[str] | None = None,
        backend: str | None = None,
    ) -> Path:
        """Write a trial's model, by default the winner's, with its model card beside it, and return the model's path.

        Args:
            path: by default NAME.keras, or NAME with the suffix of the format.
            number: the trial's number; by default the winner.
            format: "keras", "onnx", "savedmodel" (a folder) or "litert". Other formats than "keras" are written only if
                their outputs on validation rows match the .keras file.
            quantize: "int8", only with "litert"; by default the weights are not quantized.
            card: the path of a second card, in Markdown for Hugging Face's hub: "README.md". By default none.
            backend: as in `evaluate`.

        Raises:
            UsageError: the format or trial does not exist, or the path or format does not suit the model.
            MissingPackage: the package that writes the format is not installed.
            SweepError: the outputs of the written model differ from the outputs of the .keras file.
        """
        from keras_sweep.space.plugins import find_member
        from keras_sweep.sweep.export import EXPORT_FORMATS, export_trial

        export_format = find_member(EXPORT_FORMATS, "export format", format)
        place = Path(f"{self.name}{export_format.suffix}" if path is None else path)
        page = None if card is None else Path(card)
        with self._open(backend) as sweep:
            trial, card_path, about = export_trial(sweep, place, number, format=format, quantize=quantize, page=page)
        self._listener(ModelExported(trial.name, card_path, about.get("format")))
        return place

    def report(self, path: str | os.PathLike[str] | None = None, *, watch: bool = False) -> Path:
        """Write a self-contained page about the sweep, and two tables, into the folder `path`. Return the page's path.

        `path` is by default `reports/NAME`. With `watch` the page is updated until the sweep has ended.

        Raises:
            UsageError: the folder has files that are not of a report.
        """
        from keras_sweep.api.report import write_report

        with self._open() as sweep:
            return write_report(sweep, None if path is None else Path(path), watch=watch)

    def log(self, to: str, path: str | os.PathLike[str] | None = None, *, follow: bool = False) -> str:
        """Log every trial that a tracker does not have yet. Return where the tracker keeps the runs.

        Args:
            to: "mlflow", "wandb", "tensorboard", or a registered tracker's name.
            path: the folder for the runs of "tensorboard", by default `runs`; other trackers refuse a path.
            follow: continue until the sweep has ended.

        Raises:
            UsageError: the tracker does not exist or refuses `path`, or its package is not installed.
            SweepError: the tracker can't be reached or refuses a trial; the same call logs the rest.
        """
        from keras_sweep.api.report import log_sweep

        with self._open() as sweep:
            return log_sweep(sweep, to, output=None if path is None else Path(path), follow=follow)

    def replay(
        self,
        number: int | None = None,
        *,
        runner: str | None = None,
        backend: str | None = None,
        workers: str | int | Executor | None = None,
    ) -> ReplayedTrial:
        """Train a trial, by default the winner, again by plain `fit` and compare it with the record.

        `.matches` says whether the record's numbers are reproduced. `.plain` compares every epoch with the record. If
        they differ, the runner of the record also trains the trial, and `.own` compares this training.
        `runner="compiled"` trains the trial as a lane, in place of `fit`. `workers` train it as in `run`.

        Raises:
            UsageError: the trial or runner does not exist, or the record names code and `open` had no `trust=True`.
            ChangedSweep: the data or the code of the model have changed.
            SweepError: the workers do not start, or fail.
        """
        from keras_sweep.api.compare import ReplayedTrial
        from keras_sweep.sweep.replay import replay

        with self._open(backend) as sweep:
            return ReplayedTrial.from_record(replay(sweep, number, runner=runner, workers=workers))

    def script(
        self, number: int | None = None, *, rows: str | os.PathLike[str] | None = None, backend: str | None = None
    ) -> str:
        """Return a script of plain Keras that trains a trial, by default the winner, again.

        This call writes the rows, which the script reads, to the .npz file `rows`, so set `rows`. `backend` is as in
        `evaluate`.

        Raises:
            UsageError: no script can repeat the trial, for example with folds, or `rows` is None; else as `replay`.
        """
        from keras_sweep.sweep.keras_script import trial_script

        with self._open(backend) as sweep:
            return trial_script(sweep, number, rows=None if rows is None else Path(rows))

    def dashboard(self, port: int = 8080) -> Server:
        """Return a server: while its `.serve_forever()` runs, optuna-dashboard shows the record at its `.address`.

        The server is reachable from this machine only and never writes to the record. Port 0 picks a free port.

        Raises:
            UsageError: optuna-dashboard is not installed, or the port is not free.
        """
        from keras_sweep.sweep.dashboard import create_server

        return create_server(self._folder, port)

    @property
    def study(self) -> optuna.Study:
        """The record as an `optuna.Study`. Only read it: the sweep itself writes the record."""
        import optuna

        self._check(read_facts(self._folder))
        return optuna.load_study(study_name=self.name, storage=f"sqlite:///{self._folder.study.as_posix()}")

    def __repr__(self) -> str:
        return f"Sweep({self.name!r}, {pluralize(len(self._read().results), 'trial')})"

    def _repr_html_(self) -> str:
        return self.leaderboard(top=10)._repr_html_()


@cut_traceback
def open(
    name: str | None = None,
    *,
    trust: bool = False,
    sweeps_dir: str | os.PathLike[str] | None = None,
    listener: Listener = warn_of_notices,
) -> Sweep:
    """Open a sweep: `keras_sweep.open("dense").best`.

    Args:
        name: the sweep's name; by default the newest sweep.
        trust: import and run the `python:` code that the record names. Trust only records whose authors you know.
        sweeps_dir: the folder of all sweeps; by default SWEEPS_DIR, or ./sweeps.
        listener: called with every event, as in `run`; by default notices are Python warnings.

    Raises:
        UsageError: the sweep does not exist.
    """
    return Sweep(find(name, sweeps_dir), trust=trust, listener=listener)


@cut_traceback
def sweeps(sweeps_dir: str | os.PathLike[str] | None = None) -> list[Sweep]:
    """Return all sweeps of a folder, by default SWEEPS_DIR or ./sweeps, newest first."""
    return [Sweep(folder) for folder in all_sweeps(sweeps_dir)]
