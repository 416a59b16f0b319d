"""Ends the process as a kill would, which the record is made for, but with a word and the terminal as it was."""

from __future__ import annotations

import contextlib
import os
import select
import sys

INTERRUPTED = 130  # the exit code
_SHOW_CURSOR = "\x1b[?25h"
_NEW_LINE = "\r\n"  # the cursor may stand at the end of a board's last line


def end_now(said: str) -> None:
    """Say that, and end the process. May be called by a signal handler and by any thread."""
    with contextlib.suppress(Exception):  # the terminal may be gone
        descriptor = sys.stderr.fileno()
        text = f"{_SHOW_CURSOR + _NEW_LINE if os.isatty(descriptor) else ''}{said}\n"
        if select.select([], [descriptor], [], 0)[1]:  # a full pipe would hold us up
            os.write(descriptor, text.encode())
    os._exit(INTERRUPTED)
