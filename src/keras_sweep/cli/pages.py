"""Commands that show sweeps in a browser: `sweep report`, `compare`, `dashboard`."""

import contextlib
import signal
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from keras_sweep.cli.options import Format, Name, SweepsDir, Trust, answer, names_of_sweeps, number, opened, option
from keras_sweep.record.sweep_folder import find


def report(
    name: Name = None,
    output: Annotated[
        Path | None, option("--output -o", "FOLDER", "Where it is written.", show_default="reports/NAME")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep it current while the sweep runs; the open page reads itself anew.")
    ] = False,
    trust: Trust = False,
    sweeps_dir: SweepsDir = None,
) -> None:
    """Write a sweep as one self-contained page, with its leaderboard as Markdown and CSV."""
    from keras_sweep.api.report import watch_report, write_report

    write = watch_report if watch else write_report
    with opened(name, sweeps_dir, trust) as access:
        page = write(access, output)
    typer.echo(str(page))


class ManyNames(TyperCommand):
    """A command of several names, whose help does not say that these are text."""

    def get_help(self, ctx: Any) -> str:
        """The help."""
        return super().get_help(ctx).replace(" <list[str]>", "")


def compare(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME", help="Two sweeps or more.", autocompletion=names_of_sweeps)
    ],
    html: Annotated[Path | None, option("--html", "FILE", "Write it as a page, too.")] = None,
    format: Format = "table",
    sweeps_dir: SweepsDir = None,
) -> None:
    """Sweeps of one metric and the same rows side by side, and whether their winners differ."""
    from keras_sweep.api.compare import compare as compared
    from keras_sweep.api.compare import write_page
    from keras_sweep.space.text import escaped
    from keras_sweep.views.compare import compare_json, print_comparison
    from keras_sweep.views.terminal.console import stderr_console

    found = compared(*names, sweeps_dir=sweeps_dir)
    answer(lambda console: print_comparison(console, found), compare_json(found), format)
    if html is not None:
        write_page(found, html)
        stderr_console().print(f"written: {escaped(str(html))}")


def dashboard(
    name: Name = None,
    port: Annotated[int, number("--port", "Where it listens; 0 is any free port.")] = 8080,
    sweeps_dir: SweepsDir = None,
) -> None:
    """Show the record in optuna-dashboard until Ctrl-C: on this machine alone, and without writing to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = find(name, sweeps_dir)
    from keras_sweep.sweep.dashboard import dashboard_server

    with contextlib.suppress(KeyboardInterrupt), dashboard_server(folder, port) as server:
        typer.echo(server.address)
        server.serve_forever()
