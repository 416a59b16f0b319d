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
    sweeps_dir: SweepsDir = None,
) -> None:
    """Write a sweep as one self-contained page, with its leaderboard as Markdown and CSV."""
    folder = found(name, sweeps_dir)
    from keras_sweep.api.report import write_report

    typer.echo(str(write_report(folder, output)))
