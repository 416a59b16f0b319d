"""What the operating system and SQLite raise, said plainly."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keras_sweep.errors import RecordError

_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR", "SQLITE_SCHEMA", "SQLITE_MISMATCH")

_HINTS = {
    errno.ENOSPC: "Free some space and run the same command again; every finished trial is kept",
    errno.EDQUOT: "Free some space and run the same command again; every finished trial is kept",
    errno.EACCES: "Check who owns the folder and its permissions, or give another one with `--sweeps-dir`",
    errno.EPERM: "Check who owns the folder and its permissions, or give another one with `--sweeps-dir`",
    errno.EROFS: "The file system is read-only: give another folder with `--sweeps-dir`",
    errno.EIO: "The disk or its connection failed: see to it, then run the same command again",
}
_LATER = "Run the same command again; every finished trial is kept"


@contextmanager
def plain_errors(doing: str, path: Path) -> Iterator[None]:
    """Raise RecordError for what goes wrong inside: `can't DOING PATH: why`."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        raise RecordError(f"can't {doing} {path}: {why}", hint=_HINTS.get(error.errno or 0, _LATER)) from error
    except sqlite3.Error as error:
        raise RecordError(f"can't {doing} {path}: {error}", hint=_sqlite_hint(error)) from error


@contextmanager
def os_errors() -> Iterator[None]:
    """Raise the OSError that a RecordError from inside was made of, for those to whom a full disk is not the end."""
    try:
        yield
    except RecordError as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        raise


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is at fault, not the disk or another program."""
    return str(getattr(error, "sqlite_errorname", "")).startswith(_DAMAGED)


def _sqlite_hint(error: sqlite3.Error) -> str:
    name = str(getattr(error, "sqlite_errorname", ""))
    text = str(error)
    if name.startswith("SQLITE_FULL") or "disk is full" in text:
        return _HINTS[errno.ENOSPC]
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or "locked" in text:
        return "Another program holds the database: end it, then run the same command again"
    if name.startswith("SQLITE_IOERR"):
        return _HINTS[errno.EIO]
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return _HINTS[errno.EACCES]
    return _LATER
