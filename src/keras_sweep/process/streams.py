"""The standard streams: there from the start, each for its own output, no fault at the end where readers are gone."""

import contextlib
import os
import sys
import tempfile
import warnings
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self, TextIO, cast

APPENDING = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@contextlib.contextmanager
def replace_closed_streams() -> Iterator[None]:
    """Inside, a stream that a program does not have, or has closed, leads nowhere: libraries write to both.

    So does from now on a descriptor that the caller closed (`>&-`), whose number and output a file would get.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it takes the lowest free number, which is this
    with open(os.devnull, "w") as nowhere, contextlib.ExitStack() as stack:  # noqa: PTH123
        for name, redirect in (("stdout", contextlib.redirect_stdout), ("stderr", contextlib.redirect_stderr)):
            if getattr(getattr(sys, name), "closed", getattr(sys, name) is None):
                stack.enter_context(redirect(nowhere))
        yield


def settle_streams() -> None:
    """Write out what is left, or forget it, so that Python has nothing to complain of when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def open_answer_stream() -> Iterator[TextIO]:
    """A stream on stdout for the answer alone: whatever else is written there inside goes to stderr.

    So does what subprocesses and C libraries write to descriptor 1, if stdout leads there: in a notebook it does not.
    """
    stdout = sys.stdout
    with contextlib.redirect_stdout(cast(TextIO, _Stderr())):
        if not has_descriptor(stdout, 1):
            yield stdout
            return
        stdout.flush()
        kept = os.dup(1)
        answer = open(os.dup(1), "w", buffering=1, encoding=stdout.encoding, errors=stdout.errors)  # noqa: PTH123, SIM115
        os.dup2(2, 1)
        try:
            yield answer
        finally:
            # While descriptor 1 leads to stderr, the buffers of Python's stream and of C libraries are written out.
            with contextlib.suppress(OSError):
                stdout.flush()
            import ctypes

            ctypes.CDLL(None).fflush(None)
            os.dup2(kept, 1)
            os.close(kept)
            with contextlib.suppress(OSError):  # the reader may be gone
                answer.close()


def has_descriptor(stream: TextIO, descriptor: int) -> bool:
    """Whether it writes to that descriptor, as the streams of a notebook, or closed ones, do not."""
    try:
        return stream.fileno() == descriptor
    except (AttributeError, OSError, ValueError):
        return False


@contextlib.contextmanager
def warn_once() -> Iterator[None]:
    """Inside, each warning is shown once. Python forgets that when Keras or JAX changes filters, as in each trial."""
    show, shown = warnings.showwarning, set[tuple[type[Warning], str]]()

    def once(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if (category, str(message)) not in shown:
            shown.add((category, str(message)))
            show(message, category, *place, **more)

    warnings.showwarning = once
    try:
        yield
    finally:
        if warnings.showwarning is once:  # a user's module may have put its own there
            warnings.showwarning = show


class LibraryNoise:
    """While it is entered, file descriptor 2 leads to a file and `sys.stderr` still to the user.

    TensorFlow and XLA print below Python, straight to the descriptor, which would tear the live board.
    """

    entered: ClassVar["LibraryNoise | None"] = None

    def __enter__(self) -> Self:
        self._file = tempfile.TemporaryFile()  # until there is a log to write to
        sys.stderr.flush()
        self._descriptor, own = os.dup(2), os.dup(2)
        self._stderr = sys.stderr
        # Libraries may hold on to the stream, in their log handlers: its descriptor is closed once none does.
        sys.stderr = open(own, "w", 1, sys.stderr.encoding, "backslashreplace", closefd=False)
        weakref.finalize(sys.stderr, os.close, own).atexit = False
        os.dup2(self._file.fileno(), 2)
        LibraryNoise.entered = self
        return self

    def __exit__(self, *raised: object) -> None:
        LibraryNoise.entered = None
        own, sys.stderr = sys.stderr, self._stderr
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


class _Stderr:
    """A stream that is always the present `sys.stderr`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)
