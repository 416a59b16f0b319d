"""Manage the standard streams: replace closed streams, separate a command's answer from other output, end in order."""

import contextlib
import os
import sys
import tempfile
import warnings
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self, TextIO, cast

from keras_sweep.system.disk import APPEND
from keras_sweep.system.processes import flush_c_streams


@contextlib.contextmanager
def replace_closed_streams() -> Iterator[None]:
    """Replace a missing or closed stdout or stderr by the null device inside the block, since libraries write to both.
    A descriptor closed by the caller (`>&-`) is replaced for good: the next opened file would get its number, and the
    output."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # A new descriptor gets the lowest free number, which is this number.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.ExitStack() as stack:  # noqa: PTH123
        for name, redirect in (("stdout", contextlib.redirect_stdout), ("stderr", contextlib.redirect_stderr)):
            if getattr(getattr(sys, name), "closed", getattr(sys, name) is None):
                stack.enter_context(redirect(nowhere))
        yield


def settle_streams() -> None:
    """Flush stdout and stderr, or drop what can't be written, so that Python ends without an error message."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def open_answer_stream() -> Iterator[TextIO]:
    """Yield a stream to stdout for a command's result. Other prints to stdout inside the block go to stderr. Output of
    subprocesses and C libraries to descriptor 1 goes to stderr too, except in a notebook."""
    stdout = sys.stdout
    with contextlib.redirect_stdout(cast(TextIO, _Stderr())):
        if not has_descriptor(stdout, 1):
            yield stdout
            return
        stdout.flush()
        stdout_copy = os.dup(1)
        answer = open(os.dup(1), "w", buffering=1, encoding=stdout.encoding, errors=stdout.errors)  # noqa: PTH123, SIM115
        os.dup2(2, 1)
        try:
            yield answer
        finally:
            # Flush the buffers of Python's stream and of C libraries while descriptor 1 still leads to stderr.
            with contextlib.suppress(OSError):
                stdout.flush()
            flush_c_streams()
            os.dup2(stdout_copy, 1)
            os.close(stdout_copy)
            with contextlib.suppress(OSError):  # the reader may be gone
                answer.close()


def has_descriptor(stream: TextIO, descriptor: int) -> bool:
    """Check whether a stream writes to this file descriptor. Streams of a notebook and closed streams do not."""
    try:
        return stream.fileno() == descriptor
    except (AttributeError, OSError, ValueError):
        return False


@contextlib.contextmanager
def warn_once() -> Iterator[None]:
    """Show each warning once inside the block. Python repeats a warning when Keras or JAX changes the filters."""
    show, shown = warnings.showwarning, set[tuple[type[Warning], str]]()

    def show_once(message: Warning | str, category: type[Warning], *place: Any, **options: Any) -> None:
        if (category, str(message)) not in shown:
            shown.add((category, str(message)))
            show(message, category, *place, **options)

    warnings.showwarning = show_once
    try:
        yield
    finally:
        if warnings.showwarning is show_once:  # a user's module may have replaced it
            warnings.showwarning = show


class LibraryNoise:
    """A context manager that redirects file descriptor 2, where TensorFlow and XLA print, to a file. `sys.stderr` still
    prints for the user."""

    active: ClassVar["LibraryNoise | None"] = None

    def __enter__(self) -> Self:
        self._file = tempfile.TemporaryFile()  # until there is a log
        sys.stderr.flush()
        self._descriptor, stderr_copy = os.dup(2), os.dup(2)
        self._stderr = sys.stderr
        # Log handlers of libraries may keep the stream, so its descriptor is closed when the stream is deleted.
        sys.stderr = open(stderr_copy, "w", 1, sys.stderr.encoding, "backslashreplace", closefd=False)
        weakref.finalize(sys.stderr, os.close, stderr_copy).atexit = False
        os.dup2(self._file.fileno(), 2)
        LibraryNoise.active = self
        return self

    def __exit__(self, *raised: object) -> None:
        LibraryNoise.active = None
        stderr_copy, sys.stderr = sys.stderr, self._stderr
        with contextlib.suppress(OSError):  # the terminal may be gone
            stderr_copy.flush()
        os.dup2(self._descriptor, 2)
        os.close(self._descriptor)
        self._file.close()

    def write_to_log(self, log: Path) -> None:
        """Move the output so far to the log, and send later output there. Does nothing if the log can't be opened."""
        try:
            descriptor = os.open(log, APPEND, 0o600)
        except OSError:
            return
        os.lseek(self._file.fileno(), 0, os.SEEK_SET)
        with contextlib.suppress(OSError):  # a full disk
            while block := os.read(self._file.fileno(), 1 << 16):
                os.write(descriptor, block)
        for output in (1, 2):
            if os.path.sameopenfile(output, self._file.fileno()):
                os.dup2(descriptor, output)
        os.close(descriptor)


class _Stderr:
    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)
