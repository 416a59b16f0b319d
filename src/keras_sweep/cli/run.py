"""Define commands on a space file: `sweep check`, and `sweep run` with its progress and summary."""

import contextlib
from json import dumps
from pathlib import Path
from typing import Annotated, TextIO

import typer

import keras_sweep as ks
from keras_sweep.api.edge import names_of
from keras_sweep.api.events import Event, Noticed, SweepEnded, SweepStarted, TestEvaluated, TrialEnded, WinnerRefitted
from keras_sweep.cli import options as opt
from keras_sweep.errors import Interrupted, UsageError
from keras_sweep.space.text import join
from keras_sweep.system.processes import list_cores
from keras_sweep.views.terminal.console import print_answer, print_notice, stderr_console, stdout_console

APART = ("json", "no_test", "quiet", "times")  # options of `sweep run` that `keras_sweep.run` does not have


def check(
    space: Annotated[Path | None, typer.Argument(metavar="SPACE", help="The space file.")] = None,
    schema: Annotated[bool, opt.flag("--schema", "Only print the JSON Schema of space files.")] = False,
    set: opt.Sets = None,
    probe: Annotated[
        bool | None,
        typer.Option(
            help="Train a few trials for an epoch, to estimate the time; compare your own model with TensorFlow.",
            show_default="--probe, unless the file names `python:` code",
        ),
    ] = None,
    backend: opt.Backend = None,
    runner: opt.Runner = None,
    workers: opt.Workers = None,
    sweeps_dir: opt.SweepsDir = None,
) -> None:
    """List the faults and warnings of a space file, the size of the space, and how long a sweep would take."""
    from keras_sweep.views.space_view import print_estimate, print_space

    if schema:
        print_answer(dumps(ks.schema(), indent=2) + "\n")
        return
    if space is None:
        raise UsageError("`sweep check` needs a space file", hint="`sweep init plants.csv` writes a space file")
    checked = ks.check(space, set=set)
    spec = checked.spec
    for warning in spec.warnings:
        opt.note(warning, warns=True)
    if spec.code:
        opt.note(f"`sweep run` imports and runs {' and '.join(spec.code)} from {spec.folder}")
    print_space(stdout_console(), spec, str(space))
    if probe or (probe is None and not spec.code):
        with opt.at_work() as events:
            cost = checked.estimate(
                backend=backend, runner=runner, workers=workers, sweeps_dir=sweeps_dir, listener=events
            )
        print_estimate(stdout_console(), cost.data, cost.time, cores=len(list_cores()), workers=cost.workers)
    stdout_console().print("no faults")  # last, since data and trials may have faults too


def run(
    space: opt.Space,
    name: opt.NewName = None,
    trials: Annotated[
        int | None, opt.number("--trials", "The total number of trials.", show_default="as in SPACE")
    ] = None,
    more: Annotated[int | None, opt.number("--more", "The number of trials to add to the finished trials.")] = None,
    add: Annotated[
        str | None, opt.option("--add", "POINT", "Train only this point: 'optimizer=adam epochs=10'.")
    ] = None,
    seconds: Annotated[
        float | None, opt.option("--for", "TIME", "Stop after this time: 90s, 10m, 1h30m.", parser=opt.parse_duration)
    ] = None,
    engine: Annotated[str | None, opt.option("--engine", "NAME", f"Engine: {join(names_of('engine'), 'or')}.")] = None,
    sampler: Annotated[
        str | None, opt.option("--sampler", "NAME", f"Sampler: {join(names_of('own_sampler'))}.")
    ] = None,
    backend: opt.Backend = None,
    runner: opt.Runner = None,
    workers: opt.Workers = None,
    seed: Annotated[int | None, opt.number("--seed", "The seed of the search.", show_default="as in SPACE")] = None,
    set: opt.Sets = None,
    fresh: Annotated[bool, opt.flag("--fresh", "First move an older sweep of this name aside.")] = False,
    force: Annotated[bool, opt.flag("--force", "Take over a sweep that another machine left locked.")] = False,
    no_test: Annotated[bool, opt.flag("--no-test", "Do not evaluate the winner on the sealed test set.")] = False,
    max_failures: Annotated[int | None, opt.number("--max-failures", "Stop when more than N trials failed.")] = None,
    quiet: Annotated[bool, opt.flag("--quiet -q", "Show no progress, only the summary.")] = False,
    times: Annotated[bool, opt.flag("--times", "Show the time of each part as a bar.")] = False,
    json: Annotated[bool, opt.flag("--json", "Print each event as a line of JSON.")] = False,
    sweeps_dir: opt.SweepsDir = None,
) -> None:
    """Search, evaluate the winner once on the test set, and write its model. The same command again resumes."""
    options = {name: value for name, value in locals().items() if name not in APART}
    from keras_sweep.views.running.json_lines import json_lines
    from keras_sweep.views.running.live import View, notices_alone, progress_view

    leaks: list[str] = []

    def view(out: TextIO) -> View:
        return json_lines(out) if json else notices_alone(stderr_console()) if quiet else progress_view()

    def hear(event: Event) -> None:
        leaks.extend([event.message] if isinstance(event, Noticed) and event.leak else [])
        events(event)

    sweep = None
    try:
        with opt.at_work(view) as events:
            sweep = ks.run(**options, test=not no_test, listener=hear)
    except Interrupted:
        if SweepEnded in events.last and not json:
            _print_summary(events, leaks, None, times=times)
        raise
    if not json:
        _print_summary(events, leaks, None if quiet else sweep, times=times)


def _print_summary(events: opt.Events, leaks: list[str], sweep: ks.Sweep | None, *, times: bool) -> None:
    """Print the summary of an ended sweep, then the warnings `leaks`. Without `sweep`, omit parameter importances."""
    from keras_sweep.views.summary import print_summary

    console, last = stdout_console(), events.last
    # Importances take time and need Optuna. Show them on a terminal only, and only if trials have loaded Optuna.
    domains = sweep.facts.distributions if sweep is not None and console.is_terminal and TrialEnded in last else None
    refit = last[WinnerRefitted].refit if WinnerRefitted in last else None
    with contextlib.suppress(OSError):  # the reader of the output is gone
        print_summary(
            console,
            last[SweepEnded],
            last[SweepStarted].objective,
            test=last.get(TestEvaluated),
            refit=refit,
            distributions=domains,
            times=times,
        )
        for leak in leaks:
            print_notice(console, leak, warns=True)
