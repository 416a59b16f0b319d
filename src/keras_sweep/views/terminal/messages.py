"""Errors, warnings and notices: one line each, with no character in it that could steer the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from keras_sweep.errors import ChangedSweep, Interrupted, SpaceFileError, SweepError, TableError
from keras_sweep.space.text import escaped
from keras_sweep.views.terminal.text import count_text

MOST_FAULTS = 20  # of a table, which may have thousands of columns


def print_error(console: Console, error: BaseException) -> None:
    """One red line that says what, where and what to do; the faults of a space file or a table follow one a line.

    An interruption is what the user asked for, no error.
    """
    if isinstance(error, Interrupted):
        console.print(Text("\n".join(error_lines(error)), style="yellow"))
        return
    for index, line in enumerate(error_lines(error)):
        text = Text()
        if index == 0:
            text.append("error: ", style="bold red")
        text.append(line, style="red")
        console.print(text)


def error_lines(error: BaseException) -> list[str]:
    """The lines of an error, safe to print."""
    if isinstance(error, SpaceFileError):
        faults = [escaped(fault.text(error.path)) for fault in error.faults]
        if len(faults) == 1:
            return faults
        return [
            f"{escaped(str(error.path))} has {count_text(len(faults), 'fault')}",
            *(f"  {fault}" for fault in faults),
        ]
    if isinstance(error, TableError) and len(error.faults) > 1:
        faults = [" ".join(error_lines(fault)) for fault in error.faults[:MOST_FAULTS]]
        more = [f"and {len(error.faults) - MOST_FAULTS:,} more"] if len(error.faults) > MOST_FAULTS else []
        title = f"{escaped(error.place)} has {count_text(len(error.faults), 'fault')}"
        return [title, *(f"  {line}" for line in (*faults, *more))]
    if isinstance(error, ChangedSweep) and error.changes:
        changes = [*error.changes[:MOST_FAULTS]]
        left = len(error.changes) - len(changes)
        lines = [f"{error.title}:", *(f"  {one}" for one in changes), *([f"  and {left:,} more"] if left else [])]
        return [escaped(line) for line in (*lines, *([error.hint] if error.hint else []))]
    if isinstance(error, SweepError):
        message = error.message.strip()
        if error.hint:
            hint = error.hint.strip()
            if hint.startswith("did you mean"):  # as it stands in brackets behind a space file's fault
                hint = "D" + hint[1:]
            message += ("" if message.endswith((".", "?", "!")) else ".") + f" {hint}"
        return [" ".join(escaped(line.strip()) for line in message.splitlines() if line.strip())]
    message = " ".join(escaped(line.strip()) for line in str(error).splitlines() if line.strip())
    return [f"{type(error).__name__}: {message}" if message else type(error).__name__]


def print_warning(console: Console, message: str) -> None:
    """What does not stop the command but is likely a slip."""
    _print(console, "warning: ", "bold yellow", message)


def print_notice(console: Console, message: str) -> None:
    """What the user should know."""
    _print(console, "note: ", "bold cyan", message)


def _print(console: Console, label: str, style: str, message: str) -> None:
    text = Text()
    text.append(label, style=style)
    text.append(" ".join(escaped(line.strip()) for line in message.splitlines() if line.strip()))
    console.print(text)
