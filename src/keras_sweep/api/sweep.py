"""A sweep on disk: its trials, its winner, and what can be made of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_sweep.api.compare import Answer, ReplayedTrial
from keras_sweep.api.edge import cut_traceback, cut_tracebacks
from keras_sweep.api.leaderboard import Leaderboard, leaderboard_of
from keras_sweep.api.report import log_sweep, write_report
from keras_sweep.api.session import warn_of_notices
from keras_sweep.data.search_data import Rows
from keras_sweep.errors import RecordError
from keras_sweep.record.facts import Facts, Refit, TestScores
from keras_sweep.record.reader import read_facts
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder, all_sweeps, find
from keras_sweep.space.search_space import Objective
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import counted
from keras_sweep.sweep.evaluate import evaluate_winner
from keras_sweep.sweep.export import export_trial
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.sweep.replay import replay as replayed
from keras_sweep.sweep.winner import final_model
from keras_sweep.trial.comparison import Estimate
from keras_sweep.trial.ranking import SeedScores, best_training, seed_scores
from keras_sweep.trial.result import Result
from keras_sweep.views.leaderboard.columns import seeds_texts
from keras_sweep.views.notebook import trial_html
from keras_sweep.views.terminal.text import params_text, score_text

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Trial(Answer, Result):
    """A finished trial as the record has it.

    Attributes:
        params: its values, constants included; inactive parameters are not there.
        state: COMPLETE, PRUNED or FAIL; equal to these words as text.
        value: the objective; None for a trial without one.
        stderr: the standard error of the value over the validation rows; None where there is no formula.
        metrics: every logged metric at the scored epoch.
        curve: metric name -> its values, epoch by epoch.
        epochs: how many epochs were trained.
        seconds: the wall time of each part; `.total` is all of it.
        reason: why it ended early, if it did.
        engine: who asked for it: "optuna/tpe".
        finalists: the same configuration trained with other seeds, which are in their `.params`.
        seeds: its configuration over all seeds that it was trained with: `.count`, `.mean`, `.stderr`, `.unstable`;
            None for one. Once all finalists of a sweep are there, `.mean` is what ranks them, and `.exported` is the
            seed whose model stands for the configuration.
    """

    objective: Objective
    finalists: tuple[Trial, ...] = ()
    seeds: SeedScores | None = None

    @property
    def number(self) -> int:
        """Its number, counted from 0; of a finalist that of the trial whose configuration it is."""
        return self.recipe

    def __repr__(self) -> str:
        score = score_text(self.value, self.stderr) if self.value is not None else str(self.state)
        if self.seeds is not None:
            score += f", {' '.join(seeds_texts(self.seeds))}"
        return f"Trial({self.number}: {score}, {params_text(self.params)})"

    def _repr_html_(self) -> str:
        return trial_html(self, self.objective)


def _trial(result: Result, objective: Objective, seed: int) -> Trial:
    """A result of the search, whose trials were trained with `seed`, and its finalists."""
    seeds = seed_scores(result)
    if seeds is not None and result.final:
        exported = best_training(result, objective).finalist_seed
        seeds = replace(seeds, exported=seed if exported is None else exported)

    finalists = tuple(Trial.of(one, objective=objective, seeds=seeds) for one in result.finalists)
    return Trial.of(result, objective=objective, seeds=seeds, finalists=finalists)


@cut_tracebacks
class Sweep:
    """A sweep's record, read anew at each question, so that it may be asked while the sweep runs."""

    def __init__(self, folder: SweepFolder, *, spec: SweepSpec | None = None, trust: bool = False) -> None:
        """Give `spec` where the user has just given it, and `trust` to run code that the record names."""
        self._folder = folder
        self._spec = spec
        self._trust = trust
        self._identity: str | None = None
        with suppress(RecordError):  # which is told once something is asked
            self._identity = read_facts(folder).identity

    @property
    def _facts(self) -> Facts:
        return self._check(read_facts(self._folder))

    def _read(self) -> RecordedSweep:
        sweep = RecordedSweep.read(self._folder)
        self._check(sweep.facts)
        return sweep

    def _check(self, facts: Facts) -> Facts:
        """Raise RecordError where another record has taken the place of the one that this object was made for."""
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
        return self._facts.objective

    @property
    def trials(self) -> list[Trial]:
        """Every finished trial, in the order of their numbers."""
        sweep = self._read()
        return [_trial(result, sweep.objective, sweep.facts.seed) for result in sweep.results]

    def trial(self, number: int) -> Trial:
        """One trial. Raises UsageError where there is none of that number."""
        sweep = self._read()
        return _trial(sweep.trial(number), sweep.objective, sweep.facts.seed)

    @property
    def best(self) -> Trial:
        """The winner, which stands first on the leaderboard, with the value and params of that row.

        Where it was trained with several seeds, `.seeds.mean` ranks it, and `load_model` gives the model of
        `.seeds.exported`. What it is worth on new rows, `estimate` says.

        Raises RecordError where no trial has completed.
        """
        sweep = self._read()
        return _trial(sweep.require_winner(), sweep.objective, sweep.facts.seed)

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
        conditions = [where] if isinstance(where, str) else list(where)
        return leaderboard_of(self._read(), where=conditions, sort=sort, top=top)

    def load_model(self, number: int | None = None) -> Any:
        """A compiled `keras.Model` with exactly the weights that earned the value, of a trial or the winner.

        It takes rows as in `validation()`. Weights that were not kept are trained again, to the same numbers. With
        `finish: {refit: true}` the winner's model is the one that was trained on the validation rows, too.

        Raises:
            UsageError: the record names code and is not trusted, or Keras runs on another backend than is needed.
            DataError: the data can't be read, or are no longer those of the sweep.
        """
        with self._open() as sweep:
            return final_model(sweep, sweep.read().training(number))[0]

    def validation(self) -> Rows:
        """The very rows of the leaderboard's scores: `.x` [N, ...] as the model takes them, `.y` labels, `.weights`.

        With folds they are all rows, each scored by the training that left it out. A refit winner has seen them.

        Raises as `load_model`.
        """
        with self._open() as sweep:
            return sweep.validation()

    def evaluate(self) -> TestScores:
        """The winner on the sealed test rows. Every look is counted.

        Raises:
            DataError: there are no test rows, or they are not those of the sweep.
            SweepBusy: another process runs the sweep.
        """
        with self._open() as sweep:
            return evaluate_winner(sweep)

    @property
    def test_looks(self) -> int:
        """How often the sweep has looked at its test rows."""
        return self._facts.test_looks

    def export(
        self,
        path: str | os.PathLike[str],
        number: int | None = None,
        *,
        format: str = "keras",
        quantize: str | None = None,
        card: str | os.PathLike[str] | None = None,
    ) -> Path:
        """Write the winner's model, or a trial's, with its card beside it; returns the model's path.

        The format is keras, onnx, savedmodel (a folder) or litert. Another format than Keras's own is compared with
        that on validation rows, and written if its outputs are the same; `quantize="int8"` is for litert.
        `card="README.md"` writes the card as Markdown, too, as Hugging Face's hub takes it.

        Raises:
            UsageError: there is no such format, the path or the format can't take the model, or there is no such trial.
            MissingPackage: what writes the format is not installed.
            SweepError: the outputs are others.
        """
        page = None if card is None else Path(card)
        with self._open() as sweep:
            export_trial(sweep, Path(path), number, format=format, quantize=quantize, page=page)
        return Path(path)

    def report(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the sweep as one self-contained page with its tables into a folder; returns the page's path.

        The folder is `reports/NAME` unless a path is given.

        Raises UsageError: something stands there that no report is.
        """
        with self._open() as sweep:
            return write_report(sweep, None if path is None else Path(path))

    def log(self, to: str, path: str | os.PathLike[str] | None = None, *, follow: bool = False) -> str:
        """Log the trials that a tracker does not have yet as its runs; returns where that is.

        `path` is the folder of "tensorboard", `runs` by default. With `follow` it goes on while the sweep runs.

        Raises:
            UsageError: there is no such tracker, or its package is not installed.
            SweepError: it can't be reached, or refuses what it is given; the same call logs the rest.
        """
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
        with self._open(backend) as sweep:
            return ReplayedTrial.of(replayed(sweep, number, runner=runner, workers=workers))

    @property
    def study(self) -> optuna.Study:
        """The record as an `optuna.Study`: for reading, as it is the sweep that writes it."""
        import optuna

        self._check(read_facts(self._folder))
        return optuna.load_study(study_name=self.name, storage=f"sqlite:///{self._folder.study}")

    def _open(self, backend: str | None = None) -> OpenSweep:
        self._check(read_facts(self._folder))
        return OpenSweep(self._folder, warn_of_notices, spec=self._spec, trust=self._trust, backend=backend)

    def __repr__(self) -> str:
        return f"Sweep({self.name!r}, {counted(len(self._read().results), 'trial')})"

    def _repr_html_(self) -> str:
        return self.leaderboard(top=10)._repr_html_()


@cut_traceback
def open(name: str | None = None, *, trust: bool = False, sweeps_dir: str | os.PathLike[str] | None = None) -> Sweep:
    """The sweep of that name, or the newest. Raises UsageError where there is none.

    `trust` allows to import and run the `python:` code that the record names, which may be somebody else's.
    """
    return Sweep(find(name, sweeps_dir), trust=trust)


@cut_traceback
def sweeps(sweeps_dir: str | os.PathLike[str] | None = None) -> list[Sweep]:
    """The sweeps there, newest first."""
    return [Sweep(folder) for folder in all_sweeps(sweeps_dir)]
