"""What shows a running sweep: the board on a terminal, plain lines or only notices elsewhere."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Self, TypeAlias

from rich.console import Console

from keras_sweep.trial.events import Event, Listener, Noticed
from keras_sweep.views.running.live import LiveBoard
from keras_sweep.views.running.plain import PlainLines
from keras_sweep.views.terminal.console import print_notice, stderr_console

View: TypeAlias = AbstractContextManager[Listener]  # to be entered before the sweep and left after it


def notices_alone(console: Console) -> View:
    """Nothing but notices, which say that something was done otherwise than asked."""

    def show(event: Event) -> None:
        if isinstance(event, Noticed):
            print_notice(console, event.message, warns=event.warns)

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


def progress_view(elsewhere: Callable[[Console], View] = PlainLines) -> View:
    """Return the board on a terminal, the view `elsewhere` where there is none; both write to stderr."""
    console = stderr_console()
    board = console.file.isatty() and not console.is_dumb_terminal  # FORCE_COLOR makes no terminal of a pipe
    return LiveBoard(console) if board else elsewhere(console)
