"""Makes the n-th call to the disk fail, or kill the process: each of `system/disk.py`, each statement of SQLite."""

import errno
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from keras_sweep.system import disk

CALLS = ("open_new", "write", "fsync", "rename", "make_folder", "remove", "remove_folder")
KILL = "kill"
KINDS = ("ENOSPC", "EIO", "EACCES", "locked")
_SQLITE = {
    "ENOSPC": ("database or disk is full", "SQLITE_FULL"),
    "EIO": ("disk I/O error", "SQLITE_IOERR"),
    "EACCES": ("attempt to write a readonly database", "SQLITE_READONLY"),
    "locked": ("database is locked", "SQLITE_BUSY"),
}


@dataclass
class Faults:
    """Counts calls; the n-th fails, before or after it has done its work. Of kind KILL it ends the process instead.

    How many calls there are between two commits depends on which of the trials that train at once ends first, so a
    call that is meant is better counted from a commit on, or among those of its name.
    """

    nth: int = 0  # the call, from 1; 0 for none
    kind: str = KILL  # or one of KINDS
    after: bool = False  # once it has done its work
    what: str | None = None  # count only calls of this name; "rename spool" for those in it, or in "checkpoints"
    commits: int = 0  # count only after so many
    count: int = 0
    failed: str | None = None  # what was made to fail
    names: list[str] = field(default_factory=list)  # of all calls

    def call(self, what: str, error: Callable[[], Exception], work: Callable[[], Any]) -> Any:
        self.names.append(what)
        counted = self.commits <= 0 and self.what in (None, what)
        self.commits -= what == "COMMIT"
        self.count += counted
        mine = counted and self.count == self.nth
        if mine:
            self.failed = what
            if not self.after:
                self._fail(error)
        result = None
        try:
            result = work()
            return result
        finally:
            if mine:
                if what == "open_new" and result is not None:
                    os.close(result)  # a call that fails leaves no file open
                self._fail(error)

    def _fail(self, error: Callable[[], Exception]) -> None:
        if self.kind == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        raise error()

    def os_error(self) -> OSError:
        number = getattr(errno, self.kind, errno.EAGAIN)
        return OSError(number, os.strerror(number))

    def sqlite_error(self) -> sqlite3.Error:
        text, name = _SQLITE[self.kind]
        error = sqlite3.OperationalError(text)
        error.sqlite_errorname = name
        return error


@contextmanager
def injected(faults: Faults) -> Iterator[Faults]:
    """All calls inside pass through `faults`."""

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> Any:  # type: ignore[override]
            execute = super().execute
            return faults.call(sql, faults.sqlite_error, lambda: execute(sql, *arguments))

        def executemany(self, sql: str, *arguments: Any) -> Any:  # type: ignore[override]
            executemany = super().executemany
            return faults.call(sql, faults.sqlite_error, lambda: executemany(sql, *arguments))

    def connect(path: Path, *, options: str) -> sqlite3.Connection:
        uri = f"file:{quote(str(path.absolute()))}?{options}"
        return faults.call(
            "connect",
            faults.sqlite_error,
            lambda: sqlite3.connect(uri, uri=True, isolation_level=None, factory=Connection),
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, "connect", connect)
        for name in CALLS:
            patch.setattr(disk, name, _failing(faults, name, getattr(disk, name)))
        yield faults


def _failing(faults: Faults, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        paths = [part for one in arguments if isinstance(one, Path) for part in one.parts[-2:]]
        what = next((f"{name} {folder}" for folder in ("spool", "checkpoints") if folder in paths), name)
        return faults.call(what, faults.os_error, lambda: work(*arguments))

    return call
