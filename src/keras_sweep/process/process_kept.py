"""Keeps a process as it was while a user's own code runs in it, for a sweep goes on for hours in the same process."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_HELD = ((sys, "stderr"), (sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook"))


def of_user(fault: BaseException) -> bool:
    """Whether user code raised it, and not the user at the keyboard."""
    if isinstance(fault, KeyboardInterrupt):  # while a sweep runs, Ctrl-C is handled otherwise
        return signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    return isinstance(fault, Exception | SystemExit)


@contextmanager
def process_kept() -> Iterator[None]:
    """Prints go to stderr inside; what code may change of the process for good is put back at the end."""
    held = [(holder, name, getattr(holder, name)) for holder, name in _HELD]
    filters = list(warnings.filters)
    folder = None
    with contextlib.suppress(OSError):  # it may be gone
        folder = os.getcwd()  # noqa: PTH109
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        for holder, name, value in held:
            setattr(holder, name, value)
        # Filters that silence stay; those that raise would meet warnings of Keras and of ours.
        added = [one for one in warnings.filters if one not in filters and one[0] != "error"]
        warnings.filters[:] = [*added, *filters]  # type: ignore[index]
        if folder is not None:
            with contextlib.suppress(OSError):
                os.chdir(folder)
