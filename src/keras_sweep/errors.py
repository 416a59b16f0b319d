"""Every error class, cut by what the caller does next. Each carries the exit code of the command that meets it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar


class SweepError(Exception):
    """It ran and failed. The message says what happened; `hint` says what to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        stop = "" if self.message.endswith((".", "?", "!")) else "."
        return f"{self.message}{stop} {self.hint}" if self.hint else self.message


class UsageError(SweepError):
    """The call or a file is wrong: mend it and call again. Nothing was written."""

    exit_code = 2


class DataError(UsageError):
    """The data can't be had, or are not what the space file says: mend the file or the data."""


class TableError(DataError):
    """A table with all of its faults, each a column's."""

    def __init__(self, place: str, faults: Sequence[DataError], hint: str | None = None, options: Any = None) -> None:
        """`options`, keys of `data` and their texts, mend some of them, as `hint` says."""
        self.place = place
        self.options: Mapping[str, Sequence[str]] = options or {}
        self.faults = tuple(faults)
        super().__init__("\n".join(f"{place}: {fault}" for fault in self.faults), hint=hint)


class SweepWarning(UserWarning):
    """A note of a sweep: what was done otherwise than asked, or is to be known."""


class ModelError(UsageError):
    """The model can't be built from its arguments: mend the space file or the model's function."""


class MissingPackage(UsageError):
    """An optional package is needed: install it by the command in the hint."""


class ChangedSweep(UsageError):
    """The sweep on disk was run with another space, data or seed: use `--fresh` or `--name`."""

    def __init__(self, title: str, *, hint: str | None = None, changes: Sequence[str] = ()) -> None:
        """`changes` are what differs, each `key: old -> new`."""
        self.title = title
        self.changes = tuple(changes)
        super().__init__(f"{title}: {'; '.join(changes)}" if changes else title, hint=hint)


class RecordError(SweepError):
    """The record is damaged, or can't be written: nothing was overwritten; the hint says how to go on."""


class SweepBusy(SweepError):
    """Another process runs this sweep: wait for it, or end it."""

    exit_code = 3


class SearchError(SweepError):
    """The search engine failed: a fault of its library, named in the message."""


class Interrupted(SweepError):
    """Stopped by a signal; everything finished is in the record, and the same command resumes."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a space file: where it is, which rule it breaks, what stands there, and a suggestion."""

    rule: str  # "`min <= max` must hold, but got (min=2, max=1)"
    key: str = ""  # dotted key path, "parameters.learning_rate.min"; "" is the whole file
    line: int | None = None  # counted from 1
    hint: str | None = None  # "did you mean `learning_rate`?"

    def text(self, path: Path | str) -> str:
        """The fault on one line: `file:line: key: rule; hint`."""
        place = f"{path}:{self.line}" if self.line else str(path)
        parts = [place, self.key, self.rule] if self.key else [place, self.rule]
        return ": ".join(parts) + (f" ({self.hint})" if self.hint else "")


class SpaceFileError(UsageError):
    """A space file with all of its faults."""

    def __init__(self, path: Path | str, faults: Sequence[Fault]) -> None:
        self.path = path
        self.faults = tuple(faults)
        super().__init__("\n".join(fault.text(path) for fault in self.faults))
