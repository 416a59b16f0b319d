"""`sweep check`."""

import json
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from keras_sweep.cli.options import Backend, Runner, Sets, Workers, at_work, note, warn_of_slips
from keras_sweep.errors import UsageError


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
) -> None:
    """List the faults and warnings of a space file, the size of the space, and how long a sweep would take."""
    from keras_sweep.process.backend import choose_backend, cores
    from keras_sweep.space_file.read import read_space_file
    from keras_sweep.space_file.sections import space_file_schema
    from keras_sweep.training.workers.workers import workers_of
    from keras_sweep.views.space_view import print_estimate, print_space
    from keras_sweep.views.terminal.console import stdout_console

    if schema:
        typer.echo(json.dumps(space_file_schema(), indent=2))
        return
    if space is None:
        raise UsageError("`sweep check` needs a space file", hint="Give one: `sweep check SPACE.yaml`")
    spec = read_space_file(space, sets=sets or ())
    warn_of_slips(spec.warnings)
    code = spec.code
    if code:
        note(f"`sweep run` imports and runs {' and '.join(code)} from {spec.folder}")
    make = workers_of(workers)
    print_space(stdout_console(), spec, str(space))
    if probe or (probe is None and not code):
        choose_backend(backend, "--backend")
        from keras_sweep.sweep.time_estimate import probed

        count = None
        if make is not None:
            with closing(make()) as opened:
                count = opened.count()
        with at_work() as view:
            data, found = probed(spec, view, runner=runner)
        print_estimate(stdout_console(), data, found, cores=len(cores()), workers=count)
    stdout_console().print("no faults")  # only now: the data and a trial were looked at too
