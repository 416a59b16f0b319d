"""Every call by which the record touches the disk, made through this module, so that a test can have the n-th fail."""

import contextlib
import fcntl
import os
import sqlite3
import sys
from pathlib import Path

BUSY_SECONDS = 30.0  # how long a statement waits for another program that holds the database


def open_new(path: Path, mode: int) -> int:
    """A descriptor of a new, empty file. Raises FileExistsError where there is one."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), mode)


def write(fd: int, data: bytes | memoryview) -> int:
    """Write some of the data and say how many bytes."""
    return os.write(fd, data)


def fsync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk itself; macOS needs another call than Linux."""
    fd = os.open(path, os.O_RDONLY)
    try:
        if sys.platform == "darwin":
            with contextlib.suppress(OSError):  # not every volume knows it
                fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
                return
        os.fsync(fd)
    finally:
        os.close(fd)


def rename(source: Path, target: Path) -> None:
    """Give a file or folder its new name; an old file of that name is replaced in the same instant."""
    os.replace(source, target)  # noqa: PTH105  # kept beside its siblings of `os`


def make_folder(path: Path, mode: int) -> None:
    path.mkdir(mode=mode)


def remove(path: Path) -> None:
    """Remove one file; it may be gone already."""
    path.unlink(missing_ok=True)


def remove_folder(path: Path) -> None:
    """Remove one empty folder."""
    path.rmdir()


def connect(path: Path, *, options: str) -> sqlite3.Connection:
    """A connection, with options of SQLite's URI ("mode=ro"), to a database that is there; it begins no transaction."""
    uri = f"{path.absolute().as_uri()}?{options}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
