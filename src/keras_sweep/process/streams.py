"""The standard streams: there from the start, and no fault at the end where their readers are gone."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast


def open_streams() -> None:
    """Let what the caller closed (`>&-`) lead nowhere; else a file of the sweep would get its number and its output."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def settle_streams() -> None:
    """Write out what is left, or forget it, so that Python has nothing to complain of when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def prints_to_stderr() -> Iterator[None]:
    """Inside, what code prints goes to stderr, wherever that leads by then: stdout carries the answer alone."""
    with contextlib.redirect_stdout(cast(TextIO, _Stderr())):
        yield


class _Stderr:
    """A stream that is always the present `sys.stderr`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)
