"""Where things are printed: answers on stdout, progress on stderr.

Nothing printed is read as markup. A terminal's width and colours are rich's to find out (it honours NO_COLOR,
TERM=dumb and COLUMNS); a pipe gets no colour and as much width as a line needs.
"""

from __future__ import annotations

import errno
import io
import sys
from typing import TYPE_CHECKING, TextIO

from keras_sweep.views.terminal.drawing import Drawing, drawing_for

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 100_000  # so wide that nothing is folded or cut


def stdout_console() -> Console:
    """The console of what was asked for."""
    return console_on(sys.stdout)


def stderr_console() -> Console:
    """The console of what happens meanwhile, and of errors."""
    return console_on(sys.stderr)


def console_on(file: TextIO, *, width: int | None = None) -> Console:
    """A console on any text file; `width` overrules."""
    from rich.console import Console

    if isinstance(file, io.TextIOWrapper) and file.errors == "strict":
        file.reconfigure(errors="backslashreplace")  # a name that the encoding lacks must not end a sweep
    if width is None and not file.isatty():
        width = PIPE_WIDTH

    class Breakable(Console):
        def on_broken_pipe(self) -> None:
            """Whose output ends is the caller's to know; rich would end the process."""
            raise BrokenPipeError(errno.EPIPE, "the reader of the output is gone")

    return Breakable(force_jupyter=False, file=file, width=width, markup=False, emoji=False, highlight=False)


def longest_value(width: int, longest: int) -> int:
    """How many cells one value may take: `longest` on a terminal, any number where there is a pipe's width."""
    return width if width >= PIPE_WIDTH else longest


def drawing_of(console: Console) -> Drawing:
    """The drawing characters that the console can show."""
    return drawing_for(console.encoding)
