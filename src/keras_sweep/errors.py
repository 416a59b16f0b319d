"""Define the errors. Each class says what the caller can do next, and has the exit code of the `sweep` command."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar


class SweepError(Exception):
    """A sweep ran and failed. `message` says what is wrong, and `hint`, if not None, says what to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        # In a fault of a space file, this hint is in brackets and begins with a small letter.
        self.hint = "D" + hint[1:] if hint and hint.startswith("did you mean") else hint

    def __str__(self) -> str:
        message = self.message.strip()
        stop = "" if message.endswith((".", "?", "!")) else "."
        return f"{message}{stop} {self.hint}" if self.hint else message

    def __reduce__(self) -> Any:
        return type(self).__new__, (type(self), *self.args), vars(self)  # `__init__` of a subclass may take others


class UsageError(SweepError):
    """The call or a file is wrong, and nothing was written. Fix the call or the file, and call again."""

    exit_code = 2


class DataError(UsageError, ValueError):
    """The data can't be read, or do not match the space file. Fix the data or the space file."""


class TableError(DataError):
    """A table of data has faults. The error lists every fault with its column. Fix the table or the space file."""

    def __init__(self, place: str, faults: Sequence[DataError], hint: str | None = None, options: Any = None) -> None:
        """`place`: the file or folder. `options`: keys of `data` in the space file -> values that fix the faults."""
        self.place = place
        self.options: Mapping[str, Sequence[str]] = options or {}
        self.faults = tuple(faults)
        super().__init__("\n".join(f"{place}: {fault}" for fault in self.faults), hint=hint)


class SweepWarning(UserWarning):
    """The class of Python warnings about a sweep: a fact to know, or a setting that the sweep has changed."""


class ModelError(UsageError):
    """The model can't be built from its parameters. Fix the space file or the model's function."""


class TrialPruned(Exception):
    """`report` raises it in an objective function, whose trial must end now: the pruner or the user stops it."""


class MissingPackage(UsageError):
    """An optional package is missing. Install the package with the command in the hint."""


class ChangedSweep(UsageError):
    """Space, data, code or seed differ from the record. To run anyway, use `--fresh` or another `--name`."""

    def __init__(self, title: str, *, hint: str | None = None, changes: Sequence[str] = ()) -> None:
        """`title`: the first line of the message. `changes`: what differs, as texts `key: old -> new`."""
        self.title = title
        self.changes = tuple(changes)
        super().__init__(f"{title}: {'; '.join(changes)}" if changes else title, hint=hint)


class RecordError(SweepError):
    """The record is damaged, has no result, or can't be written. Nothing was overwritten. The hint says what to do."""


class SweepBusy(SweepError):
    """Another process runs this sweep. Wait until that process ends, or end the process."""

    exit_code = 3


class SearchError(SweepError):
    """The engine (Optuna or KerasTuner) failed. The message quotes the error of the engine."""


class Interrupted(SweepError):
    """A signal stopped the sweep. Every finished trial is recorded, and the same command resumes the sweep."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a space file: the broken rule with the wrong value, the key, the line, and a suggestion."""

    rule: str  # "`min` must be at most `max`, but got (min=2, max=1)"
    key: str = ""  # dotted key path, "parameters.learning_rate.min"; "" is the whole file
    line: int | None = None  # counted from 1
    hint: str | None = None  # "did you mean `learning_rate`?"

    def text(self, path: Path | str) -> str:
        """Return the fault as a line: `file:line: key: rule (hint)`."""
        place = f"{path}:{self.line}" if self.line else str(path)
        parts = [place, self.key, self.rule] if self.key else [place, self.rule]
        return ": ".join(parts) + (f" ({self.hint})" if self.hint else "")


class SpaceFileError(UsageError):
    """A space file has faults. The error lists every fault with its line. Fix the file, and call again."""

    def __init__(self, path: Path | str, faults: Sequence[Fault]) -> None:
        self.path = path
        self.faults = tuple(faults)
        super().__init__("\n".join(fault.text(path) for fault in self.faults))
