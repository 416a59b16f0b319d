"""Keeps what C++ libraries write to the terminal out of the user's sight, in the sweep's log."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import weakref
from pathlib import Path
from typing import Self, TextIO

APPENDING = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def _stream_on(descriptor: int, encoding: str | None) -> TextIO:
    """A stream to which libraries may hold on, in their log handlers: its descriptor is closed once none does."""
    stream = open(  # noqa: SIM115
        descriptor, "w", buffering=1, encoding=encoding, errors="backslashreplace", closefd=False
    )
    weakref.finalize(stream, os.close, descriptor).atexit = False
    return stream


class LibraryNoise:
    """While it is entered, file descriptor 2 leads to a file and `sys.stderr` still to the user.

    TensorFlow and XLA print below Python, straight to the descriptor, which would tear the live board.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # until there is a log to write to
        self._stderr: TextIO | None = None
        self._descriptor = -1

    def __enter__(self) -> Self:
        sys.stderr.flush()
        self._descriptor = os.dup(2)
        self._stderr = sys.stderr
        sys.stderr = _stream_on(os.dup(2), sys.stderr.encoding)
        os.dup2(self._file.fileno(), 2)
        return self

    def __exit__(self, *raised: object) -> None:
        own, sys.stderr = sys.stderr, self._stderr or sys.stderr
        with contextlib.suppress(OSError):  # the terminal may be gone
            own.flush()
        os.dup2(self._descriptor, 2)
        os.close(self._descriptor)
        self._file.close()

    def into(self, log: Path) -> None:
        """From now on into the log, with what there is so far. Does nothing where the log can't be written."""
        try:
            descriptor = os.open(log, APPENDING, 0o600)
        except OSError:
            return
        os.lseek(self._file.fileno(), 0, os.SEEK_SET)
        with contextlib.suppress(OSError):  # a full disk
            while block := os.read(self._file.fileno(), 1 << 16):
                os.write(descriptor, block)
        for each in (1, 2):
            if os.path.sameopenfile(each, self._file.fileno()):
                os.dup2(descriptor, each)
        os.close(descriptor)
