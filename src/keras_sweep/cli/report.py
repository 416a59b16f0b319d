"""Commands that make pages: `sweep report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keras_sweep.cli.options import Name, SweepsDir, found


def report(
    name: Name = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="Where it is written.", show_default="reports/NAME"),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep it current while the sweep runs; the open page reads itself anew.")
    ] = False,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust",
            help="Import and run the `python:` code that the record names, to show the winner's mistakes.",
        ),
    ] = False,
    sweeps_dir: SweepsDir = None,
) -> None:
    """Write a sweep as one self-contained page, with its leaderboard as Markdown and CSV."""
    folder = found(name, sweeps_dir)
    from keras_sweep.api.report import watch_report, write_report
    from keras_sweep.process.library_output import LibraryNoise
    from keras_sweep.process.streams import answer_stream
    from keras_sweep.views.running.progress import progress_view

    write = watch_report if watch else write_report
    with answer_stream(), LibraryNoise():
        page = write(folder, output, progress_view("quiet"), trust=trust)
    typer.echo(str(page))
