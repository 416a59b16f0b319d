"""Which view shows a running sweep: the board on a terminal, plain lines elsewhere, or the one that is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TextIO

from rich.console import Console

from keras_sweep.space.plugins import member_of
from keras_sweep.trial.events import Event, Noticed
from keras_sweep.views.running.json_lines import JsonLines
from keras_sweep.views.running.live import LiveBoard
from keras_sweep.views.running.plain import PlainLines
from keras_sweep.views.running.progress_view import ProgressView
from keras_sweep.views.terminal.console import stderr_console
from keras_sweep.views.terminal.messages import print_notice


class QuietView(ProgressView):
    """Nothing but notices, which say that something was done otherwise than asked."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, event: Event) -> None:
        """Print a notice."""
        if isinstance(event, Noticed):
            print_notice(self._console, event.message)


def _notebook(console: Console, out: TextIO) -> ProgressView:
    del console, out
    from keras_sweep.views.running.notebook import NotebookBoard

    return NotebookBoard()


VIEWS: Mapping[str, Callable[[Console, TextIO], ProgressView]] = {
    "board": lambda console, _: LiveBoard(console),
    "plain": lambda console, _: PlainLines(console),
    "json": lambda _, out: JsonLines(out),
    "quiet": lambda console, _: QuietView(console),
    "notebook": _notebook,
}  # name -> a function of the console on stderr, and of stdout


def progress_view(name: str | None = None, *, out: TextIO | None = None) -> ProgressView:
    """The view of that name; by default the board on a terminal, plain lines elsewhere.

    All write to stderr, and `json` to `out` (by default stdout). Raises UsageError where there is no such view.
    """
    console = stderr_console()
    if name is None:
        name = "board" if _can_redraw(console) else "plain"
    return member_of(VIEWS, "view", name)(console, out or sys.stdout)


def status_view() -> ProgressView:
    """A line on stderr that says what goes on, taken away at its end; nothing where there is no terminal."""
    return progress_view("board" if _can_redraw(stderr_console()) else "quiet")


def _can_redraw(console: Console) -> bool:
    return console.file.isatty() and not console.is_dumb_terminal  # FORCE_COLOR makes no terminal of a pipe
