"""What every benchmark prints: the machine it ran on, and a table; on request a plot."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("keras", "jax", "tensorflow", "optuna")


def machine_line() -> str:
    """Processor, cores, load averages (1, 5, 15 minutes), versions and date, on one line."""
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    packages = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    cores = len(os.sched_getaffinity(0))
    return (
        f"{_processor()}, {cores} cores, load {load}; Python {platform.python_version()}, {packages}; "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    )


def print_machine(moment: str = "") -> None:
    """Print the machine's line; `moment` says when, as in "at the end"."""
    _console().print(f"[dim]{moment + ': ' if moment else ''}{machine_line()}[/]", highlight=False, soft_wrap=True)


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> None:
    """Print a table whose first column is text and whose others are numbers, and notes below it."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold")
    for index, name in enumerate(head):
        table.add_column(name, justify="right" if index else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = _console()
    console.print(table)
    for note in notes:
        console.print(note, highlight=False, soft_wrap=True)


def _console() -> Any:
    """As wide as the terminal, and wide enough for a table in a file."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120)


def write_plot(path: Path, figure: Any) -> None:
    """Write a plotly figure as a self-contained page, or as a picture where the name ends in svg, png or pdf."""
    if path.suffix == ".html":
        figure.write_html(path, include_plotlyjs=True)
    else:
        figure.write_image(path)  # needs the package kaleido
    print(f"written: {path}")


def _processor() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"
