"""Where things are printed: answers on stdout, progress and errors on stderr.

Nothing printed is read as markup, and no character of an error or a notice steers the terminal. A terminal's width and
colours are rich's to find out (it honours NO_COLOR, TERM=dumb and COLUMNS); a pipe gets no colour and as much width as
a line needs.
"""

from __future__ import annotations

import codecs
import errno
import io
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from keras_sweep.errors import ChangedSweep, Interrupted, SpaceFileError, SweepError, TableError
from keras_sweep.space.text import escape, pluralize

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 100_000  # so wide that nothing is folded or cut
MOST_FAULTS = 20  # of a table, which may have thousands of columns
PLAIN = "keras_sweep.plain"  # an error handler of codecs
# What stands for a character that an encoding lacks: each takes one cell, but for the last.
ASCII = dict(zip("▁▂▃▄▅▆▇█╸━─×≈·…–⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "_.-~=+*##=-x~|~-|/-\\|/-\\|/", strict=True)) | {"±": "+/-"}


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Others are written out: a name that the encoding lacks must not end a sweep."""
    assert isinstance(error, UnicodeEncodeError)
    written = (ASCII.get(char) or ascii(char)[1:-1] for char in error.object[error.start : error.end])
    return "".join(written), error.end


codecs.register_error(PLAIN, _plain)


def stdout_console() -> Console:
    """The console of what was asked for."""
    return console_on(sys.stdout)


def stderr_console() -> Console:
    """The console of what happens meanwhile, and of errors."""
    return console_on(sys.stderr)


def console_on(file: TextIO, *, width: int | None = None) -> Console:
    """A console on any text file; `width` overrules."""
    from rich.console import Console

    if isinstance(file, io.TextIOWrapper):
        file.reconfigure(errors=PLAIN)
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


def print_error(console: Console, error: BaseException) -> None:
    """One red line that says what, where and what to do, then the faults of a file; yellow for an interruption."""
    first, *others = error_lines(error)
    if isinstance(error, Interrupted):
        console.print(first, style="yellow")
        return
    _print_labelled(console, "error: ", "bold red", first, style="red")
    for line in others:
        console.print(line, style="red")


def error_lines(error: BaseException) -> list[str]:
    """The lines of an error, safe to print."""
    if isinstance(error, SpaceFileError):
        faults = [escape(fault.text(error.path)) for fault in error.faults]
        title = f"{escape(str(error.path))} has {pluralize(len(faults), 'fault')}"
        return faults if len(faults) == 1 else _listed(title, faults)
    if isinstance(error, TableError) and len(error.faults) > 1:
        title = f"{escape(error.place)} has {pluralize(len(error.faults), 'fault')}"
        told = _listed(title, [" ".join(error_lines(fault)) for fault in error.faults], MOST_FAULTS)
        return [*told, *([escape(error.hint)] if error.hint else [])]
    if isinstance(error, ChangedSweep) and error.changes:
        lines = _listed(f"{error.title}:", error.changes, MOST_FAULTS)
        return [escape(line) for line in (*lines, *([error.hint] if error.hint else []))]
    if isinstance(error, SweepError):
        message = error.message.strip()
        if error.hint:
            hint = error.hint.strip()
            if hint.startswith("did you mean"):  # as it stands in brackets behind a space file's fault
                hint = "D" + hint[1:]
            message += ("" if message.endswith((".", "?", "!")) else ".") + f" {hint}"
        return [_one_line(message)]
    message = _one_line(str(error))
    return [f"{type(error).__name__}: {message}" if message else type(error).__name__]


def _listed(title: str, lines: Iterable[str], most: int | None = None) -> list[str]:
    each = list(lines)
    left = len(each) - len(each[:most])
    return [title, *(f"  {line}" for line in each[:most]), *([f"  and {left:,} more"] if left else [])]


def print_notice(console: Console, message: str, *, warns: bool = False) -> None:
    """What the user should know, or where it `warns` what is likely a slip."""
    label, style = ("warning: ", "bold yellow") if warns else ("note: ", "bold cyan")
    _print_labelled(console, label, style, _one_line(message))


def _print_labelled(console: Console, label: str, label_style: str, message: str, style: str = "") -> None:
    from rich.text import Text

    console.print(Text.assemble((label, label_style), (message, style)))


def _one_line(message: str) -> str:
    return " ".join(escape(line.strip()) for line in message.splitlines() if line.strip())
