"""All disk calls of the record. A test can replace a call here to let the n-th call fail.

Windows differs from Linux and macOS: a folder can't be opened, so it is neither locked nor synced. A file or folder
that a program has open can't be renamed or removed, so these calls are tried again for two seconds.
"""

import contextlib
import errno
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

IS_WINDOWS = fcntl is None
MOST_PATH = 247  # characters of a folder's path on Windows, by default
BUSY_SECONDS = 30.0  # s that a statement waits for another program to release the database
WAITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if IS_WINDOWS else ()  # s before an open file is tried again
# Refuse links, and open a pipe at once. Without the last flag, Windows would write "\n" as "\r\n".
_PLAIN = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _PLAIN


def open_new(path: Path, mode: int) -> int:
    """Create a file with the permissions `mode`, and return a descriptor for writing. Raises FileExistsError."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN, mode)


def open_at_once(name: str, flags: int) -> int:
    """Open a file for `open(path, opener=open_at_once)`, which then doesn't wait for the writer of a pipe."""
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def write(fd: int, data: bytes | memoryview) -> int:
    """Write as much of the data as the system accepts at once. Return the number of bytes written."""
    return os.write(fd, data)


def fsync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk. macOS needs another call than Linux."""
    if IS_WINDOWS and path.is_dir():
        return  # Windows keeps a folder's names by itself
    fd = os.open(path, os.O_RDWR | _PLAIN if IS_WINDOWS else os.O_RDONLY)
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
    _repeat(lambda: os.replace(source, target))  # noqa: PTH105  # as the other calls of `os` here


def make_folder(path: Path, mode: int) -> None:
    path.mkdir(mode=mode)


def remove(path: Path) -> None:
    _repeat(lambda: path.unlink(missing_ok=True))


def remove_folder(path: Path) -> None:
    _repeat(path.rmdir)


def is_open_to_others(path: Path) -> bool:
    """Check whether other users have access to the folder. False on Windows, where a folder's place decides."""
    return not IS_WINDOWS and bool(path.stat().st_mode & 0o077)


def can_others_write(status: os.stat_result) -> bool:
    """Check whether a folder belongs to another user, or others can write to it. False on Windows."""
    return not IS_WINDOWS and (status.st_uid != os.getuid() or bool(status.st_mode & 0o022))


def _repeat(call: Callable[[], None]) -> None:
    """Call again while another program has the file open. Raises PermissionError if the program keeps the file open."""
    for seconds in WAITS:
        try:
            return call()
        except PermissionError:
            time.sleep(seconds)
    return call()


def lock_folder(path: Path, *, shared: bool = False) -> int | None:
    """Lock a folder until the returned descriptor is closed. Return None on Windows, where only a file can be locked.

    Raises BlockingIOError if another process holds a lock that excludes this lock.
    """
    if IS_WINDOWS:
        return None
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def remove_inside(descriptor: int | None, path: Path) -> None:
    """Remove the file from the folder of `descriptor`, wherever that folder was moved. With None, remove `path`."""
    return _repeat(path.unlink) if descriptor is None else os.unlink(path.name, dir_fd=descriptor)


def error_number(error: OSError) -> int:
    """Return the `errno` of an error. Windows calls a path missing if it has 248 characters or more."""
    is_long = bool(error.filename) and len(str(Path(str(error.filename)).absolute())) > MOST_PATH
    return errno.ENAMETOOLONG if IS_WINDOWS and is_long and error.errno == errno.ENOENT else error.errno or 0


def relative_path(path: Path, folder: Path) -> str:
    """Return the path relative to `folder`, with `/`, for a file that other systems read. On Windows, a path on another
    drive stays absolute."""
    with contextlib.suppress(ValueError):
        path = Path(os.path.relpath(path, folder))
    return path.as_posix()


def connect(path: Path, *, options: str) -> sqlite3.Connection:
    """Connect to a database in autocommit mode. `options` end SQLite's URI: "mode=ro" reads an existing database."""
    uri = f"{path.absolute().as_uri()}?{options}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
