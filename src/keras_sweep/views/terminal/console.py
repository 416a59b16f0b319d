"""Make consoles, and print errors and notices. Answers go to stdout. Progress and errors go to stderr.

No text is read as markup, and no control character of an error or a notice reaches the terminal. Rich finds the width
and colours of a terminal (also from NO_COLOR, TERM=dumb and COLUMNS). A pipe gets no colours, and lines of any width.
"""

from __future__ import annotations

import codecs
import errno
import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from keras_sweep.errors import ChangedSweep, Interrupted, SpaceFileError, SweepError, TableError
from keras_sweep.space.text import escape, pluralize

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 100_000  # cells, so that nothing is folded or cut
MOST_FAULTS = 20  # a table may have thousands of columns
PLAIN = "keras_sweep.plain"  # our error handler in `codecs`
# Substitutes for characters that an encoding lacks; all but the last take a single cell.
ASCII = dict(zip("▁▂▃▄▅▆▇█╸━─×≈●·…–⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "_.-~=+*##=-x~o|~-|/-\\|/-\\|/", strict=True)) | {"±": "+/-"}


def _substitute(error: UnicodeError) -> tuple[str, int]:
    """Return (substitutes, end) for characters that the encoding lacks. With this `codecs` handler, no print fails."""
    assert isinstance(error, UnicodeEncodeError)
    texts = (ASCII.get(char) or ascii(char)[1:-1] for char in error.object[error.start : error.end])
    return "".join(texts), error.end


codecs.register_error(PLAIN, _substitute)


def stdout_console() -> Console:
    return console_on(sys.stdout)


def stderr_console() -> Console:
    return console_on(sys.stderr)


def console_on(file: TextIO, *, width: int | None = None) -> Console:
    """Return a console that writes to `file`. `width` overrides the width of the terminal, in characters."""
    from rich.console import Console

    allow_substitutes(file)
    if width is None and not file.isatty():
        width = PIPE_WIDTH

    class Breakable(Console):
        def on_broken_pipe(self) -> None:
            """Raise BrokenPipeError. Rich's own method would end the process."""
            raise BrokenPipeError(errno.EPIPE, "the reader of the output is gone")

    return Breakable(force_jupyter=False, file=file, width=width, markup=False, emoji=False, highlight=False)


def print_answer(text: str) -> None:
    """Print a text to stdout as it is, at any width of the terminal."""
    allow_substitutes(sys.stdout)
    sys.stdout.write(text)
    sys.stdout.flush()


def allow_substitutes(file: TextIO) -> None:
    """Let `file` print substitutes for characters that its encoding lacks, such as ± in ASCII. No print then fails."""
    if isinstance(file, io.TextIOWrapper):
        file.reconfigure(errors=PLAIN)


def longest_value(width: int, longest: int) -> int:
    """Return how many characters a value may have: `longest`, but all of `width` if that is the width of a pipe."""
    return width if width >= PIPE_WIDTH else longest


def print_error(console: Console, error: BaseException) -> None:
    """Print an error in red: what is wrong, where, what to do. A file's faults follow. An interruption is yellow."""
    first, *more_lines = error_lines(error)
    if isinstance(error, Interrupted):
        console.print(first, style="yellow")
        return
    _print_labelled(console, "error: ", "bold red", first, style="red")
    for line in more_lines:
        console.print(line, style="red")


def error_lines(error: BaseException) -> list[str]:
    """Return an error without control characters: a line of message and hint, or a title and a line for each fault."""
    if isinstance(error, SpaceFileError):
        faults = [escape(fault.text(error.path)) for fault in error.faults]
        title = f"{escape(str(error.path))} has {pluralize(len(faults), 'fault')}"
        return faults if len(faults) == 1 else _list_lines(title, faults)
    if isinstance(error, TableError) and len(error.faults) > 1:
        title = f"{escape(error.place)} has {pluralize(len(error.faults), 'fault')}"
        faults = [" ".join(error_lines(fault)) for fault in error.faults]
        return _list_lines(title, faults, MOST_FAULTS, escape(error.hint or ""))
    if isinstance(error, ChangedSweep) and error.changes:
        return list(map(escape, _list_lines(f"{error.title}:", error.changes, MOST_FAULTS, error.hint)))
    message = _one_line(str(error))
    if isinstance(error, SweepError):
        return [message]
    return [f"{type(error).__name__}: {message}" if message else type(error).__name__]


def _list_lines(title: str, lines: Sequence[str], most: int | None = None, hint: str | None = None) -> list[str]:
    left = len(lines) - len(lines[:most])
    more_lines = [*([f"  and {left:,} more"] if left else []), *([hint] if hint else [])]
    return [title, *(f"  {line}" for line in lines[:most]), *more_lines]


def print_notice(console: Console, message: str, *, warns: bool = False) -> None:
    """Print a line that begins with "note:", for a fact to know, or if it `warns`, with "warning:", for what may make
    the result wrong. No other word begins a message, except "error:" and "hint:"."""
    label, style = ("warning: ", "bold yellow") if warns else ("note: ", "bold cyan")
    _print_labelled(console, label, style, _one_line(message))


def _print_labelled(console: Console, label: str, label_style: str, message: str, style: str = "") -> None:
    from rich.text import Text

    console.print(Text.assemble((label, label_style), (message, style)))


def _one_line(message: str) -> str:
    return " ".join(escape(line.strip()) for line in message.splitlines() if line.strip())
