"""What shows a running sweep: the board on a terminal, plain lines elsewhere, or the view that is asked for."""

import sys
from collections.abc import Callable, Mapping
from typing import Protocol, Self, TextIO

from rich.console import Console

from keras_sweep.space.plugins import member_of
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.trial.events import Event, Noticed, SweepStarted
from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.notebook import NotebookBoard
from keras_sweep.views.running.json_lines import event_record
from keras_sweep.views.running.live import LiveBoard
from keras_sweep.views.running.plain import PlainLines
from keras_sweep.views.terminal.console import print_notice, stderr_console


class ProgressView(Protocol):
    """A listener to be entered before the sweep and left after it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        return

    def __call__(self, event: Event) -> None: ...


class QuietView(ProgressView):
    """Nothing but notices, which say that something was done otherwise than asked."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, event: Event) -> None:
        if isinstance(event, Noticed):
            print_notice(self._console, event.message)


class JsonLines(ProgressView):
    """Writes every event to a text file, as `json_lines.py` says, and flushes each line."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._objective = Objective("value", Goal.MAXIMIZE)

    def __call__(self, event: Event) -> None:
        if isinstance(event, SweepStarted):
            self._objective = event.objective
        self._file.write(strict_json(event_record(event, self._objective)) + "\n")
        self._file.flush()


class OutputMayVanish(ProgressView):
    """Stands before another view, whose terminal, pipe or log may go away: then nothing more is shown."""

    def __init__(self, view: ProgressView) -> None:
        self._view: ProgressView | None = view

    def __enter__(self) -> Self:
        self._tell(lambda view: view.__enter__())
        return self

    def __exit__(self, *raised: object) -> None:
        self._tell(lambda view: view.__exit__(*raised))

    def __call__(self, event: Event) -> None:
        """Pass the event on, while there is somewhere to show it."""
        self._tell(lambda view: view(event))

    def _tell(self, act: Callable[[ProgressView], object]) -> None:
        try:
            if self._view is not None:
                act(self._view)
        except OSError:  # EPIPE: the reader has gone; EIO: the terminal was closed; ENOSPC: the disk is full
            self._view = None


VIEWS: Mapping[str, Callable[[Console, TextIO], ProgressView]] = {
    "board": lambda console, _: LiveBoard(console),
    "plain": lambda console, _: PlainLines(console),
    "json": lambda _, out: JsonLines(out),
    "quiet": lambda console, _: QuietView(console),
    "notebook": lambda *_: NotebookBoard(),
}  # name -> a function of the console on stderr, and of stdout


def progress_view(name: str | None = None, *, out: TextIO | None = None, elsewhere: str = "plain") -> ProgressView:
    """The view of that name; by default the board on a terminal, the view `elsewhere` where there is none.

    All write to stderr, and `json` to `out` (by default stdout). Raises UsageError where there is no such view.
    """
    console = stderr_console()
    if name is None:  # FORCE_COLOR makes no terminal of a pipe
        name = "board" if console.file.isatty() and not console.is_dumb_terminal else elsewhere
    return member_of(VIEWS, "view", name)(console, out or sys.stdout)
