"""`sweep compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from keras_sweep.cli.options import SweepsDir, names_of_sweeps, one_of


class ManyNames(TyperCommand):
    """A command of several names, whose help does not say that these are text."""

    def get_help(self, ctx: Any) -> str:
        """The help."""
        return super().get_help(ctx).replace(" <list[str]>", "")


def compare(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME", help="Two sweeps or more.", autocompletion=names_of_sweeps),
    ],
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write it as a page, too.")] = None,
    format: Annotated[str, typer.Option("--format", metavar="NAME", help="table or json.")] = "table",
    sweeps_dir: SweepsDir = None,
) -> None:
    """Sweeps of one metric and the same rows side by side, and whether their winners differ."""
    one_of("--format", format, ("table", "json"))
    from keras_sweep.api.compare import compare as compared
    from keras_sweep.api.compare import write_page
    from keras_sweep.views.compare.table import CompareView, compare_json
    from keras_sweep.views.terminal.console import stderr_console, stdout_console
    from keras_sweep.views.terminal.text import safe

    found = compared(*names, sweeps_dir=sweeps_dir)
    if format == "json":
        typer.echo(compare_json(found), nl=False)
    else:
        stdout_console().print(CompareView(found))
    if html is not None:
        write_page(found, html)
        stderr_console().print(f"written: {safe(str(html))}")
