"""Turn errors of the system and SQLite into plain messages. Open only plain files: reading a pipe might never end."""

import errno
import hashlib
import io
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keras_sweep.errors import RecordError
from keras_sweep.system.disk import error_number, open_at_once

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

_SPACE = "Free some space, then run the same command again. Every finished trial is kept"
_OWNER = "Check the owner and the permissions of the folder, or choose another folder with `--sweeps-dir`"
_DISK = "The disk or its connection failed. Fix it, then run the same command again"
_BUSY = "Another program uses the database. Close it, then run the same command again"
_ACCESS_DENIED, _SHARING_VIOLATION, _INVALID_NAME = 5, 32, 123  # of Windows
_CLOSE = "Close the other program, then run the same command again"
_LATER = "Run the same command again. Every finished trial is kept"
_HINTS = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EACCES: _OWNER,
    errno.EPERM: _OWNER,
    errno.ENAMETOOLONG: "Choose a folder with a shorter path with `--sweeps-dir`",
    errno.EROFS: "The file system is read-only. Choose another folder with `--sweeps-dir`",
    errno.EIO: _DISK,
}
_SQLITE_HINTS = {"FULL": _SPACE, "BUSY": _BUSY, "LOCKED": _BUSY, "IOERR": _DISK} | dict.fromkeys(
    ("READONLY", "CANTOPEN", "PERM"), _OWNER
)


@contextmanager
def plain_errors(doing: str, path: Path, *, option: str | None = None) -> Iterator[None]:
    """Turn OSError and SQLite errors of the block into RecordError: `can't DOING PATH: why`, where `doing` is like
    "write". A hint to choose another folder names the command-line `option`, by default --sweeps-dir."""
    try:
        yield
    except OSError as error:
        number = error_number(error)
        why = os.strerror(number) if number in _HINTS else error.strerror or str(error) or type(error).__name__
        hint = _HINTS.get(number, _LATER).replace("--sweeps-dir", option or "--sweeps-dir")
        if (code := getattr(error, "winerror", 0)) == _SHARING_VIOLATION:
            why, hint = "another program has it open", _CLOSE
        elif code == _ACCESS_DENIED:  # also the answer if a file would replace an open file
            why, hint = f"{why}, or another program has it open", f"{_CLOSE}. {hint}"
        elif code == _INVALID_NAME:
            why, hint = "Windows forbids this name", f"Choose another name with `{option or '--sweeps-dir'}`"
        raise RecordError(f"can't {doing} {path}: {why}", hint=hint) from error
    except sqlite3.Error as error:
        kind = str(getattr(error, "sqlite_errorname", "")).split("_")[1:2]  # "SQLITE_IOERR_WRITE" -> ["IOERR"]
        hint = _SQLITE_HINTS.get("".join(kind), _LATER)
        raise RecordError(f"can't {doing} {path}: {error}", hint=hint) from error


def open_plain(path: Path) -> io.BufferedReader:
    """Open a plain file, or a link to it, for reading. Raises OSError, also for a folder, pipe, socket or device."""
    file = open(path, "rb", opener=open_at_once)  # noqa: SIM115
    if (kind := kind_of(os.fstat(file.fileno()).st_mode)) is not None:
        file.close()
        raise OSError(errno.EINVAL, f"it is {kind}, not a file")
    return file


def read_plain(path: Path, most: int) -> bytes:
    """Read a plain file. Raises OSError as `open_plain`, and if the file has more than `most` bytes."""
    with open_plain(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes")
    return data


def kind_of(mode: int) -> str | None:
    """Return the kind of a file from its `st_mode`, like "a pipe"; None for a plain file."""
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "something else")


def file_digest(path: Path) -> str:
    """Return the SHA-256 (hex) of a plain file. Raises RecordError."""
    with plain_errors("read", path), open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
