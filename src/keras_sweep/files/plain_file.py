"""Reads plain files and nothing else: a pipe or a device, which anybody can put in a file's place, may never end."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_plain(path: Path) -> io.BufferedReader:
    """A plain file, open for reading; links are followed.

    Raises OSError: there is none, it can't be opened, or it is a folder, a pipe, a socket or a device.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))  # a pipe would wait for its writer
    try:
        kind = kind_of(os.fstat(fd).st_mode)
        if kind is not None:
            if kind == _KINDS[stat.S_IFDIR]:
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            raise OSError(errno.EINVAL, f"it is {kind}, not a file")
        return os.fdopen(fd, "rb")
    except BaseException:
        os.close(fd)
        raise


def read_plain(path: Path, most: int) -> bytes:
    """All bytes of a plain file. Raises OSError as `open_plain`, and where there are more than `most`."""
    with open_plain(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes")
    return data


def kind_of(mode: int) -> str | None:
    """What a file is, by the mode that `stat` gives, as in "a pipe"; None for a plain file."""
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "something else")
