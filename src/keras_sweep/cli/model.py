"""Commands on a sweep's models: `sweep evaluate`, `sweep export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keras_sweep.cli.options import Backend, Name, SweepsDir, found, one_of, whole

Trust = Annotated[
    bool, typer.Option("--trust", help="Import and run the `python:` code that the sweep's record names.")
]


def evaluate(
    name: Name = None,
    trust: Trust = False,
    backend: Backend = None,
    format: Annotated[str, typer.Option("--format", metavar="NAME", help="table or json.")] = "table",
    sweeps_dir: SweepsDir = None,
) -> None:
    """Evaluate the winner on the sealed test set. Every look is counted."""
    one_of("--format", format, ("table", "json"))
    folder = found(name, sweeps_dir)
    from keras_sweep.process.library_output import LibraryNoise
    from keras_sweep.process.streams import answer_stream
    from keras_sweep.record.reader import objective_of, read_attributes
    from keras_sweep.sweep.evaluate import evaluate_winner
    from keras_sweep.trial.events import Event, TestEvaluated
    from keras_sweep.views.leaderboard.formats import strict_json
    from keras_sweep.views.running.json_lines import event_record
    from keras_sweep.views.running.progress import progress_view
    from keras_sweep.views.summary import print_test
    from keras_sweep.views.terminal.console import stdout_console

    looks: list[TestEvaluated] = []

    def listen(event: Event) -> None:
        progress_view("quiet")(event)
        if isinstance(event, TestEvaluated):
            looks.append(event)

    with answer_stream(), LibraryNoise():
        evaluate_winner(folder, listen, trust=trust, backend=backend)
    if format == "json":
        typer.echo(strict_json(event_record(looks[0], objective_of(read_attributes(folder)))))
    else:
        print_test(stdout_console(), looks[0])


def export(
    name: Name = None,
    trial: Annotated[
        int | None, typer.Option("--trial", parser=whole, metavar="N", help="Which trial.", show_default="the winner")
    ] = None,
    format: Annotated[str, typer.Option("--format", metavar="NAME", help="keras.")] = "keras",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The file.", show_default="NAME.keras")
    ] = None,
    trust: Trust = False,
    backend: Backend = None,
    sweeps_dir: SweepsDir = None,
) -> None:
    """Write a trial's model, with its card beside it. The winner's is copied; another trial's is built anew."""
    from keras_sweep.sweep.export import EXPORT_FORMATS

    one_of("--format", format, EXPORT_FORMATS)
    folder = found(name, sweeps_dir)
    path = output if output is not None else Path(f"{folder.name}{EXPORT_FORMATS.find(format).suffix}")
    from keras_sweep.process.library_output import LibraryNoise
    from keras_sweep.process.streams import answer_stream
    from keras_sweep.sweep.export_trial import export_trial
    from keras_sweep.views.running.progress import progress_view
    from keras_sweep.views.terminal.console import stderr_console
    from keras_sweep.views.terminal.text import safe

    with answer_stream(), LibraryNoise():
        written = export_trial(folder, path, trial, progress_view("quiet"), format=format, trust=trust, backend=backend)
    typer.echo(str(written.model))
    stderr_console().print(f"{written.trial.name} of {folder.name}; its card is {safe(str(written.card))}")
