"""What shows a running sweep: the board on a terminal, plain lines elsewhere, or the view that is asked for."""

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Self, TextIO, TypeAlias

from rich.console import Console

from keras_sweep.space.plugins import member_of
from keras_sweep.trial.events import Event, Listener, Noticed
from keras_sweep.views.notebook import NotebookBoard
from keras_sweep.views.running.json_lines import json_lines
from keras_sweep.views.running.live import LiveBoard
from keras_sweep.views.running.plain import PlainLines
from keras_sweep.views.terminal.console import print_notice, stderr_console

View: TypeAlias = AbstractContextManager[Listener]  # to be entered before the sweep and left after it


def notices_alone(console: Console) -> View:
    """Nothing but notices, which say that something was done otherwise than asked."""

    def show(event: Event) -> None:
        if isinstance(event, Noticed):
            print_notice(console, event.message)

    return nullcontext(show)


class OutputMayVanish:
    """Stands before another view, whose terminal, pipe or log may go away: then nothing more is shown."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._show: Listener | None = None

    def __enter__(self) -> Self:
        with suppress(OSError):
            self._show = self._view.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        with suppress(OSError):
            if self._show is not None:
                self._view.__exit__(*raised)

    def __call__(self, event: Event) -> None:
        try:
            if self._show is not None:
                self._show(event)
        except OSError:  # EPIPE: the reader has gone; EIO: the terminal was closed; ENOSPC: the disk is full
            self._show = None


VIEWS: Mapping[str, Callable[[Console, TextIO], View]] = {
    "board": lambda console, _: LiveBoard(console),
    "plain": lambda console, _: PlainLines(console),
    "json": lambda _, out: json_lines(out),
    "quiet": lambda console, _: notices_alone(console),
    "notebook": lambda *_: NotebookBoard(),
}  # name -> a function of the console on stderr, and of stdout


def progress_view(name: str | None = None, *, out: TextIO | None = None, elsewhere: str = "plain") -> View:
    """The view of that name; by default the board on a terminal, the view `elsewhere` where there is none.

    All write to stderr, and `json` to `out` (by default stdout). Raises UsageError where there is no such view.
    """
    console = stderr_console()
    if name is None:  # FORCE_COLOR makes no terminal of a pipe
        name = "board" if console.file.isatty() and not console.is_dumb_terminal else elsewhere
    return member_of(VIEWS, "view", name)(console, out or sys.stdout)
