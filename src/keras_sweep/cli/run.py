"""`sweep run`: read the call, run the sweep before the user's eyes, print its end."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from keras_sweep.cli.options import (
    Backend,
    NewName,
    Runner,
    Sets,
    Space,
    SweepsDir,
    Workers,
    number,
    one_of,
    option,
    seconds_of,
    warn_of_slips,
)
from keras_sweep.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from keras_sweep.record.sweep_folder import SweepFolder
    from keras_sweep.space.sweep_spec import SweepSpec
    from keras_sweep.sweep.run import RunOptions
    from keras_sweep.trial.events import Event
    from keras_sweep.trial.wall_time import WallTime
    from keras_sweep.views.running.progress import OutputMayVanish


def run(
    space: Space,
    name: NewName = None,
    trials: Annotated[int | None, number("--trials", "How many trials there are to be in total.")] = None,
    more: Annotated[int | None, number("--more", "How many trials to add to those that are there.")] = None,
    seconds: Annotated[
        float | None, option("--for", "TIME", "Stop after so long: 90s, 10m, 1h30m.", parser=seconds_of)
    ] = None,
    engine: Annotated[str | None, option("--engine", "NAME", "optuna or keras-tuner.")] = None,
    sampler: Annotated[str | None, option("--sampler", "NAME", "tpe, random, grid, qmc, bayesian, hyperband.")] = None,
    backend: Backend = None,
    runner: Runner = None,
    workers: Workers = None,
    seed: Annotated[int | None, number("--seed", "The search seed.")] = None,
    sets: Sets = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Move an older sweep of that name aside first.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Take over a sweep that another host left locked.")] = False,
    no_test: Annotated[bool, typer.Option("--no-test", help="Do not evaluate on the sealed test set.")] = False,
    max_failures: Annotated[int | None, number("--max-failures", "Stop after more failed trials.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the end.")] = False,
    view: Annotated[
        str | None,
        option(
            "--view",
            "NAME",
            "board, plain, json, quiet or notebook.",
            show_default="what suits the terminal",
            callback=one_of("views.running.progress:VIEWS"),
        ),
    ] = None,
    times: Annotated[bool, typer.Option("--times", help="Draw where the time went.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON event a line on stdout.")] = False,
    sweeps_dir: SweepsDir = None,
) -> None:
    """Search, evaluate the winner once on the test set, and write the best model. The same command again resumes."""
    from keras_sweep.trial.wall_time import WallTime

    wall = WallTime.of_process()
    from keras_sweep.process.backend import choose_backend
    from keras_sweep.record.sweep_folder import sweep_folder
    from keras_sweep.space_file.read import read_space_file

    if trials is not None and more is not None:
        raise UsageError("`--trials` is the total and `--more` is on top", hint="Give one of them")
    spec = read_space_file(space, sets=sets or (), name=name, engine=engine, sampler=sampler, trials=trials, seed=seed)
    warn_of_slips(spec.warnings)
    folder = sweep_folder(spec.name, sweeps_dir)
    choose_backend(backend, "--backend")
    from keras_sweep.sweep.run import RunOptions

    options = RunOptions(runner, more, seconds, fresh, force, not no_test, max_failures, workers)
    show_run(spec, folder, options, wall, view="json" if json else "quiet" if quiet else view, times=times)


def show_run(
    spec: SweepSpec,
    folder: SweepFolder,
    options: RunOptions,
    wall: WallTime,
    *,
    view: str | None,
    times: bool = False,
) -> None:
    """Run the sweep; progress goes to stderr, the summary (or with the view `json` every event) to stdout."""
    from keras_sweep.api.session import run_session
    from keras_sweep.record.reader import read_facts
    from keras_sweep.trial.events import EndReason, TestEvaluated, TrialEnded, WinnerRefitted
    from keras_sweep.views.running.progress import OutputMayVanish, progress_view
    from keras_sweep.views.summary import kept_text, print_summary
    from keras_sweep.views.terminal.console import stdout_console

    last: dict[type[Event], Any] = {}  # the last event of each kind

    def note(event: Event) -> None:
        last[type(event)] = event

    def shown(out: TextIO) -> OutputMayVanish:
        return OutputMayVanish(progress_view(view, out=out))

    ended = run_session(spec, folder, options, shown, wall, others=[note], command=True)
    if view != "json":
        console = stdout_console()
        # to one who waits for it, and not where Optuna would have to be loaded for it alone
        went_on = TrialEnded in last and ended.reason is not EndReason.INTERRUPTED
        weighed = console.is_terminal and view != "quiet" and went_on
        space = read_facts(folder).distributions if weighed else None
        refit = last[WinnerRefitted].refit if WinnerRefitted in last else None
        test = last.get(TestEvaluated)
        with contextlib.suppress(OSError):  # nobody reads it
            print_summary(console, ended, spec.objective, test=test, refit=refit, distributions=space, times=times)
    if ended.reason is EndReason.INTERRUPTED:
        parts = ["every finished trial is kept"] if ended.results or ended.waiting or not ended.kept else []
        parts += [kept_text(ended.kept)] if ended.kept else []
        raise Interrupted(f"interrupted; {', and '.join(parts)}", hint="The same command resumes")
