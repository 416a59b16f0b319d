"""Commands on a space file: `sweep check`, and `sweep run`, which runs it before the user's eyes and prints its end."""

import contextlib
import time
from json import dumps
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from keras_sweep.cli.options import (
    Backend,
    NewName,
    Runner,
    Sets,
    Space,
    SweepsDir,
    Workers,
    at_work,
    note,
    number,
    option,
    seconds_of,
)
from keras_sweep.errors import Interrupted, UsageError
from keras_sweep.search.engines import ENGINES, OWN_SAMPLERS
from keras_sweep.space.text import joined
from keras_sweep.sweep.events import (
    EndReason,
    TestEvaluated,
    TrialEnded,
    WinnerRefitted,
)
from keras_sweep.trial.events import Event, Listener, Noticed
from keras_sweep.views.terminal.console import print_notice, stderr_console, stdout_console


def check(
    space: Annotated[Path | None, typer.Argument(metavar="SPACE", help="A space file.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of space files instead.")] = False,
    sets: Sets = None,
    probe: Annotated[
        bool | None,
        typer.Option(
            help="Read the data and train a few trials for an epoch, to estimate the time.",
            show_default="--probe, unless the file names `python:` code",
        ),
    ] = None,
    backend: Backend = None,
    runner: Runner = None,
    workers: Workers = None,
    sweeps_dir: SweepsDir = None,
) -> None:
    """List the faults and warnings of a space file, the size of the space, and how long a sweep would take."""
    from keras_sweep.process.backend import choose_backend, cores
    from keras_sweep.space_file.read import read_space_file
    from keras_sweep.space_file.sections import space_file_schema
    from keras_sweep.sweep.time_estimate import probed
    from keras_sweep.training.workers.pool import workers_of
    from keras_sweep.views.space_view import print_estimate, print_space

    if schema:
        typer.echo(dumps(space_file_schema(), indent=2))
        return
    if space is None:
        raise UsageError("`sweep check` needs a space file", hint="Write one with `sweep init plants.csv`, say")
    spec = read_space_file(space, sets=sets or ())
    for warning in spec.warnings:
        note(warning, warns=True)
    code = spec.code
    if code:
        note(f"`sweep run` imports and runs {' and '.join(code)} from {spec.folder}")
    make = workers_of(workers)
    print_space(stdout_console(), spec, str(space))
    if probe or (probe is None and not code):
        choose_backend(backend, "--backend")
        count = None
        if make is not None:
            with contextlib.closing(make()) as opened:
                count = opened.count()
        with at_work() as view:
            data, found = probed(spec, view, runner=runner, sweeps=sweeps_dir)
        print_estimate(stdout_console(), data, found, cores=len(cores()), workers=count)
    stdout_console().print("no faults")  # only now: the data and a trial were looked at too


def run(
    space: Space,
    name: NewName = None,
    trials: Annotated[int | None, number("--trials", "How many trials there are to be in total.")] = None,
    more: Annotated[int | None, number("--more", "How many trials to add to those that are there.")] = None,
    add: Annotated[str | None, option("--add", "POINT", "Train this point alone: 'optimizer=adam epochs=10'.")] = None,
    seconds: Annotated[
        float | None, option("--for", "TIME", "Stop after so long: 90s, 10m, 1h30m.", parser=seconds_of)
    ] = None,
    engine: Annotated[str | None, option("--engine", "NAME", f"{joined(ENGINES, 'or')}.")] = None,
    sampler: Annotated[str | None, option("--sampler", "NAME", f"{joined(OWN_SAMPLERS)}.")] = None,
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
    times: Annotated[bool, typer.Option("--times", help="Draw where the time went.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON event a line on stdout.")] = False,
    sweeps_dir: SweepsDir = None,
) -> None:
    """Search, evaluate the winner once on the test set, and write the best model. The same command again resumes."""
    from keras_sweep.process.wall_time import WallTime

    wall = WallTime(before=time.process_time())  # nothing was done but imports, which took about as long
    from keras_sweep.process.backend import choose_backend
    from keras_sweep.record.sweep_folder import sweep_folder
    from keras_sweep.space_file.options import point_of
    from keras_sweep.space_file.read import read_space_file

    if [trials, more, add].count(None) < 2:
        raise UsageError("`--trials` is the total, `--more` is on top, `--add` is one point", hint="Give one of them")
    spec = read_space_file(space, sets=sets or (), name=name, engine=engine, sampler=sampler, trials=trials, seed=seed)
    for warning in spec.warnings:
        note(warning, warns=True)
    folder = sweep_folder(spec.name, sweeps_dir)
    choose_backend(backend, "--backend")
    from keras_sweep.api.session import run_session
    from keras_sweep.record.reader import read_facts
    from keras_sweep.sweep.run import RunOptions
    from keras_sweep.views.running.json_lines import json_lines
    from keras_sweep.views.running.progress import OutputMayVanish, notices_alone, progress_view
    from keras_sweep.views.summary import kept_text, print_summary

    options = RunOptions(runner, more, seconds, fresh, force, not no_test, max_failures, point_of(add), workers)
    last: dict[type[Event], Any] = {}  # the last event of each kind
    leaks: list[str] = []

    def keep(event: Event) -> None:
        last[type(event)] = event
        leaks.extend([event.message] if isinstance(event, Noticed) and event.leak else [])

    def shown(out: TextIO) -> contextlib.AbstractContextManager[Listener]:
        if json:
            return OutputMayVanish(json_lines(out))
        return OutputMayVanish(notices_alone(stderr_console()) if quiet else progress_view())

    ended = run_session(spec, folder, options, shown, wall, others=[keep], command=True)
    if not json:
        console = stdout_console()
        # to one who waits for it, and not where Optuna would have to be loaded for it alone
        went_on = TrialEnded in last and ended.reason is not EndReason.INTERRUPTED
        weighed = console.is_terminal and not quiet and went_on
        known = read_facts(folder).distributions if weighed else None
        refit = last[WinnerRefitted].refit if WinnerRefitted in last else None
        test = last.get(TestEvaluated)
        with contextlib.suppress(OSError):  # nobody reads it
            print_summary(console, ended, spec.objective, test=test, refit=refit, distributions=known, times=times)
            for leak in leaks:
                print_notice(console, leak, warns=True)
    if ended.reason is EndReason.INTERRUPTED:
        parts = ["every finished trial is kept"] if ended.results or ended.waiting or not ended.kept else []
        parts += [kept_text(ended.kept)] if ended.kept else []
        raise Interrupted(f"interrupted; {', and '.join(parts)}", hint="The same command resumes")
