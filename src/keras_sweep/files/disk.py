"""All disk calls of the record. A test can replace a call here to let the n-th call fail."""

import contextlib
import fcntl
import os
import sqlite3
import sys
from pathlib import Path

BUSY_SECONDS = 30.0  # s that a statement waits for another program to release the database


def open_new(path: Path, mode: int) -> int:
    """Create a file with the permissions `mode`, and return a descriptor for writing. Raises FileExistsError."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), mode)


def write(fd: int, data: bytes | memoryview) -> int:
    """Write as much of the data as the system accepts at once. Return the number of bytes written."""
    return os.write(fd, data)


def fsync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk. macOS needs another call than Linux."""
    fd = os.open(path, os.O_RDONLY)
    try:
        if sys.platform == "darwin":
            with contextlib.suppress(OSError):  # not every volume supports it
                fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
                return
        os.fsync(fd)
    finally:
        os.close(fd)


def rename(source: Path, target: Path) -> None:
    """Rename a file or folder. An old file `target` is replaced at the same moment."""
    os.replace(source, target)  # noqa: PTH105  # as the other calls of `os` here


def make_folder(path: Path, mode: int) -> None:
    path.mkdir(mode=mode)


def remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def remove_folder(path: Path) -> None:
    path.rmdir()


def connect(path: Path, *, options: str) -> sqlite3.Connection:
    """Connect to a database in autocommit mode. `options` end SQLite's URI: "mode=ro" reads an existing database."""
    uri = f"{path.absolute().as_uri()}?{options}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
