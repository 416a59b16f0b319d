"""`sweep verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keras_sweep.cli.options import Backend, SweepsDir, one_of


def verify(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A .keras file, its card beside it.")],
    test: Annotated[
        bool, typer.Option("--test", help="Look at the test rows, too; the look is counted where the sweep is here.")
    ] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir",
            metavar="PATH",
            help="Where the card's data file lies.",
            show_default="beside the sweep's space file, or here",
        ),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Import and run the `python:` code that the card names for its rows.")
    ] = False,
    backend: Backend = None,
    format: Annotated[str, typer.Option("--format", metavar="NAME", help="table or json.")] = "table",
    sweeps_dir: SweepsDir = None,
) -> None:
    """Open an exported model in safe mode, and see that the scores of its card still come out (exit code 0)."""
    one_of("--format", format, ("table", "json"))
    from keras_sweep.process.library_output import LibraryNoise
    from keras_sweep.process.streams import answer_stream
    from keras_sweep.record.sweep_folder import sweeps_dir as where
    from keras_sweep.sweep.verify import verify_model
    from keras_sweep.views.running.progress import status_view
    from keras_sweep.views.terminal.console import stdout_console
    from keras_sweep.views.verify_view import VerifyView, verify_json

    with answer_stream(), LibraryNoise(), status_view() as view:
        done = verify_model(
            model, view, sweeps=where(sweeps_dir), test=test, trust=trust, backend=backend, data_dir=data_dir
        )
    if format == "json":
        typer.echo(verify_json(done), nl=False)
    else:
        stdout_console().print(VerifyView(done))
    raise typer.Exit(0 if done.matches else 1)
