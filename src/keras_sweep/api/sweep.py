"""A sweep on disk: its trials, its winner, and what can be made of them."""

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
from keras_sweep.api.trial import ShownTrial, Trial, trial_of
from keras_sweep.errors import RecordError, UsageError
from keras_sweep.record.facts import Facts, Refit, TestScores
from keras_sweep.record.reader import read_facts
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder, all_sweeps, find
from keras_sweep.record.trial_record import list_waiting
from keras_sweep.space.search_space import Objective
from keras_sweep.space.text import pluralize
from keras_sweep.trial.comparison import Estimate
from keras_sweep.trial.events import Listener
from keras_sweep.trial.ranking import order_key
from keras_sweep.views.leaderboard.rows import rows_of, select_rows
from keras_sweep.views.sweep_list import SweepRow, sweep_row
from keras_sweep.views.terminal.text import waiting_text

if TYPE_CHECKING:  # to look at a record nothing heavy is imported, so methods import what they need
    import optuna

    from keras_sweep.api.compare import ReplayedTrial
    from keras_sweep.data.search_data import Rows
    from keras_sweep.space.sweep_spec import SweepSpec
    from keras_sweep.sweep.dashboard import Server
    from keras_sweep.sweep.open_sweep import OpenSweep


@cut_tracebacks
class Sweep:
    """A sweep's record, read anew at each question, so that it may be asked while the sweep runs."""

    def __init__(
        self,
        folder: SweepFolder,
        *,
        spec: SweepSpec | None = None,
        trust: bool = False,
        listener: Listener = warn_of_notices,
    ) -> None:
        """Give `spec` where the user has just given it, and `trust` to run code that the record names."""
        self._folder, self._spec, self._trust, self._listener = folder, spec, trust, listener
        self._identity: str | None = None
        with suppress(RecordError):  # which is told once something is asked
            self._identity = read_facts(folder).identity

    def _open(self, backend: str | None = None) -> OpenSweep:
        from keras_sweep.sweep.open_sweep import OpenSweep

        self._check(read_facts(self._folder))
        return OpenSweep(self._folder, self._listener, spec=self._spec, trust=self._trust, backend=backend)

    def _read(self) -> RecordedSweep:
        sweep = RecordedSweep.read(self._folder)
        self._check(sweep.facts)
        return sweep

    def _check(self, facts: Facts) -> Facts:
        """Raise RecordError where another record has taken the place of this object's."""
        if self._identity not in (None, facts.identity):
            raise RecordError(
                f"the record of sweep {self.name!r} was replaced since this `Sweep` was made, as `fresh=True` does",
                hint=f"`keras_sweep.open({self.name!r})` opens the new record; `keras_sweep.sweeps()` lists the former",
            )
        return facts

    @property
    def name(self) -> str:
        """Its name."""
        return self._folder.name

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._folder.path

    @property
    def objective(self) -> Objective:
        """The metric that ranks, and its direction."""
        return self.facts.objective

    @property
    def facts(self) -> Facts:
        """What the record says of the whole sweep."""
        return self._check(read_facts(self._folder))

    @property
    def status(self) -> SweepRow:
        """Its line of `sweep list`: how far it is, and what is wrong with a record that can't be read."""
        return sweep_row(self._folder)

    @property
    def trials(self) -> list[Trial]:
        """Every finished trial, in the order of their numbers."""
        sweep = self._read()
        return [trial_of(sweep, result) for result in sweep.results]

    def trial(self, number: int) -> Trial:
        """One trial. Raises UsageError where there is none of that number."""
        sweep = self._read()
        return trial_of(sweep, sweep.trial(number))

    def show(self, number: int | None = None) -> ShownTrial:
        """A trial, or the one that leads, beside the sweep that it is of, as `sweep show` prints it.

        Raises UsageError: there is none of that number, or it waits for those with lower numbers.
        """
        sweep = self._read()
        waiting = list_waiting(self._folder, len(sweep.results), sweep.facts.trials)
        if number in waiting or (waiting and not sweep.results):
            what, count = ("a trial", len(waiting)) if number is None else (f"trial {number}", 1)
            raise UsageError(f"sweep {self.name!r} can't show {what} yet", hint=waiting_text(count))
        if not sweep.results:
            raise UsageError(f"sweep {self.name!r} has no finished trial yet")
        first = sweep.best or min(sweep.results, key=lambda result: order_key(result, sweep.objective))
        return ShownTrial(sweep, first if number is None else sweep.trial(number))

    @property
    def best(self) -> Trial:
        """The winner, which stands first on the leaderboard, with the value and params of that row.

        Where it was trained with several seeds, `.seeds.mean` ranks it, and `load_model` gives the model of
        `.seeds.exported`. What it is worth on new rows, `estimate` says.

        Raises RecordError where no trial has completed.
        """
        sweep = self._read()
        return trial_of(sweep, sweep.require_winner())

    @property
    def estimate(self) -> Estimate | None:
        """What the winner is likely to score on new rows like the validation rows, with a 95 % interval.

        None where no scores of rows are kept, as of imported trials.
        """
        return self._read().comparison.estimate

    @property
    def refit(self) -> Refit | None:
        """How the winner was trained once more, on all rows of training and validation; None where it was not."""
        return self._read().refit

    def ties(self) -> list[Trial]:
        """The trials that these data can't tell from the best, best first and with it; none where it stands alone."""
        trials = self.trials
        return [trials[row.number] for row in self.leaderboard() if row.tie]

    def leaderboard(
        self, top: int | None = None, *, where: str | Sequence[str] = (), sort: str | None = None
    ) -> Leaderboard:
        """The ranked trials; `where` as in `sweep leaderboard --where`: "optimizer=adam", ["epochs>=5", ...].

        Raises UsageError: a condition or a key that no trial has.
        """
        sweep, conditions = self._read(), (where,) if isinstance(where, str) else tuple(where)
        ranked = rows_of(sweep)
        rows = select_rows(ranked, sweep.objective, where=conditions, sort=sort, top=top)
        return Leaderboard(sweep.objective, sweep.comparison, ranked, tuple(rows), sweep, conditions)

    def load_model(self, number: int | None = None) -> Any:
        """A compiled `keras.Model` with exactly the weights that earned the value, of a trial or the winner.

        It takes rows as in `validation()`. Weights that were not kept are trained again, to the same numbers. With
        `finish: {refit: true}` the winner's model is the one that was trained on the validation rows, too.

        Raises:
            UsageError: the record names code and is not trusted, or Keras runs on another backend than is needed.
            DataError: the data can't be read, or are no longer those of the sweep.
        """
        from keras_sweep.sweep.winner import build_final_model

        with self._open() as sweep:
            return build_final_model(sweep, sweep.training(number))[0]

    def validation(self) -> Rows:
        """The very rows of the leaderboard's scores: `.x` [N, ...] as the model takes them, `.y` labels, `.weights`.

        With folds they are all rows, each scored by the training that left it out. A refit winner has seen them.

        Raises as `load_model`.
        """
        with self._open() as sweep:
            return sweep.validation()

    def evaluate(self, *, backend: str | None = None) -> TestScores:
        """The winner on the sealed test rows. Every look is counted, and the listener hears it as `TestEvaluated`.

        `backend` is Keras's, by default the one that trained the winner.

        Raises:
            DataError: there are no test rows, or they are not those of the sweep.
            SweepBusy: another process runs the sweep.
        """
        from keras_sweep.sweep.winner import evaluate_winner

        with self._open(backend) as sweep:
            return evaluate_winner(sweep)

    @property
    def test_looks(self) -> int:
        """How often the sweep has looked at its test rows."""
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
        """Write the winner's model, or a trial's, with its card beside it; returns the model's path.

        Without a path that is NAME.keras, or as the format ends. The listener hears of it as `ModelExported`.
        The format is keras, onnx, savedmodel (a folder) or litert. Another format than Keras's own is compared with
        that on validation rows, and written if its outputs are the same; `quantize="int8"` is for litert.
        `card="README.md"` writes the card as Markdown, too, as Hugging Face's hub takes it.

        Raises:
            UsageError: there is no such format, the path or the format can't take the model, or there is no such trial.
            MissingPackage: what writes the format is not installed.
            SweepError: the outputs are others.
        """
        from keras_sweep.space.plugins import member_of
        from keras_sweep.sweep.export import EXPORT_FORMATS, export_trial

        form = member_of(EXPORT_FORMATS, "export format", format)
        place = Path(f"{self.name}{form.suffix}" if path is None else path)
        page = None if card is None else Path(card)
        with self._open(backend) as sweep:
            trial, beside, about = export_trial(sweep, place, number, format=format, quantize=quantize, page=page)
        self._listener(ModelExported(trial.name, beside, about.get("format")))
        return place

    def report(self, path: str | os.PathLike[str] | None = None, *, watch: bool = False) -> Path:
        """Write the sweep as one self-contained page with its tables into a folder; returns the page's path.

        The folder is `reports/NAME` unless a path is given. With `watch` the page follows the sweep until it has ended.

        Raises UsageError: something stands there that no report is.
        """
        from keras_sweep.api.report import write_report

        with self._open() as sweep:
            return write_report(sweep, None if path is None else Path(path), watch=watch)

    def log(self, to: str, path: str | os.PathLike[str] | None = None, *, follow: bool = False) -> str:
        """Log the trials that a tracker does not have yet as its runs; returns where that is.

        `path` is the folder of "tensorboard", `runs` by default. With `follow` it goes on while the sweep runs.

        Raises:
            UsageError: there is no such tracker, or its package is not installed.
            SweepError: it can't be reached, or refuses what it is given; the same call logs the rest.
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
        """Train a trial, or the winner, again by plain `fit` and compare it with the record; `.matches` is the verdict.

        `runner="compiled"` trains it as a lane; `.plain` and `.own` have the gaps of every epoch. `workers` train in
        place of this process, as in `run`.

        Raises:
            UsageError: there is no such trial or runner, or the record names code and is not trusted.
            ChangedSweep: the data or the code of the model have changed.
            SweepError: the workers can't be had, or fail.
        """
        from keras_sweep.api.compare import ReplayedTrial
        from keras_sweep.sweep.replay import replay

        with self._open(backend) as sweep:
            return ReplayedTrial.of(replay(sweep, number, runner=runner, workers=workers))

    def script(
        self, number: int | None = None, *, rows: str | os.PathLike[str] | None = None, backend: str | None = None
    ) -> str:
        """A script of plain Keras that trains a trial, or the winner; the rows that it reads are written to `rows`.

        Raises UsageError: no such script can be written of the trial, or no file is named; and as `replay`.
        """
        from keras_sweep.sweep.keras_script import trial_script

        with self._open(backend) as sweep:
            return trial_script(sweep, number, rows=None if rows is None else Path(rows))

    def dashboard(self, port: int = 8080) -> Server:
        """A server of optuna-dashboard on the record, on this machine alone: `serve_forever` answers at `address`.

        It can't write to the record. Port 0 is any free one.

        Raises UsageError: optuna-dashboard is not installed, or the port can't be had.
        """
        from keras_sweep.sweep.dashboard import create_server

        return create_server(self._folder, port)

    @property
    def study(self) -> optuna.Study:
        """The record as an `optuna.Study`: for reading, as it is the sweep that writes it."""
        import optuna

        self._check(read_facts(self._folder))
        return optuna.load_study(study_name=self.name, storage=f"sqlite:///{self._folder.study}")

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
    """The sweep of that name, or the newest. Raises UsageError where there is none.

    `trust` allows to import and run the `python:` code that the record names, which may be somebody else's. `listener`
    is called with every event, as in `run`; by default notices are warnings.
    """
    return Sweep(find(name, sweeps_dir), trust=trust, listener=listener)


@cut_traceback
def sweeps(sweeps_dir: str | os.PathLike[str] | None = None) -> list[Sweep]:
    """The sweeps there, newest first."""
    return [Sweep(folder) for folder in all_sweeps(sweeps_dir)]
