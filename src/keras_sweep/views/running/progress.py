"""Which view shows a running sweep: the board on a terminal, plain lines elsewhere, JSON lines or nothing if asked."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console

from keras_sweep.trial.events import Event, Noticed
from keras_sweep.views.running.json_lines import JsonLines
from keras_sweep.views.running.live import LiveBoard
from keras_sweep.views.running.plain import PlainLines
from keras_sweep.views.terminal.console import stderr_console
from keras_sweep.views.terminal.messages import print_notice


class ProgressView(Protocol):
    """A listener to be entered before the sweep and left after it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        ...


class QuietView:
    """Nothing but notices, which say that something was done otherwise than asked."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, event: Event) -> None:
        """Print a notice."""
        if isinstance(event, Noticed):
            print_notice(self._console, event.message)


def progress_view(*, quiet: bool = False, json: bool = False, out: TextIO | None = None) -> ProgressView:
    """The view for this call: `json` writes to `out` (by default stdout), all others to stderr."""
    if json:
        return JsonLines(out or sys.stdout)
    console = stderr_console()
    if quiet:
        return QuietView(console)
    return LiveBoard(console) if _can_redraw(console) else PlainLines(console)


def status_view() -> ProgressView:
    """A line on stderr that says what goes on, taken away at its end; nothing where there is no terminal."""
    console = stderr_console()
    return LiveBoard(console) if _can_redraw(console) else QuietView(console)


def _can_redraw(console: Console) -> bool:
    return console.file.isatty() and not console.is_dumb_terminal  # FORCE_COLOR makes no terminal of a pipe
