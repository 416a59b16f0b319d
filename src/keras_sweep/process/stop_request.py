"""Ask training to stop after a signal of the user, or when the time is up."""

import contextlib
import gc
import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from types import FrameType
from typing import NoReturn, Self

from keras_sweep.errors import Interrupted
from keras_sweep.system.processes import SIGNALS, can_write

INTERRUPTED = 130  # the exit code
IS_COMMAND = ContextVar("IS_COMMAND", default=False)  # is this the process of a `sweep` command?
_KEPT = "every finished trial is kept, and the same command resumes"
_SHOW_CURSOR = "\x1b[?25h"
_NEW_LINE = "\r\n"  # the cursor may be at the end of a board's last line


class StopRequest:
    """A context manager that is true once training should end: after a signal, or when the time is up.

    The first SIGINT, SIGTERM or SIGHUP asks for the end, the second stops at once. On Windows, SIGBREAK (Ctrl-Break)
    stands for SIGHUP. Only the main thread handles signals. An ignored signal stays ignored, since `nohup` and
    background jobs of a shell rely on that. A compiled program can keep Python from its handlers for minutes, so the C
    handler writes each signal's number into a socket, which a thread reads.

    Until `can_finish` is true, the first signal ends the process, or raises Interrupted if `ends_process` is false.
    During an import (`guard_imports`) the exception waits, since a half imported package can't be imported again.
    """

    def __init__(self, *, ends_process: bool = True) -> None:
        """If `ends_process`, the second signal ends the process. Otherwise that signal raises KeyboardInterrupt."""
        self.ends_process = ends_process
        self._deadline = math.inf
        self._former: dict[signal.Signals, object] = {}
        self._count = 0
        self._is_asked = False  # has the main thread seen the first signal?
        self.signalled = False
        self.can_finish = False  # can training end in order? until then the first signal ends the command
        self._importing = False

    def limit(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds

    def __bool__(self) -> bool:
        return self.signalled or time.monotonic() >= self._deadline

    @contextlib.contextmanager
    def guard_imports(self) -> Iterator[None]:
        """Delay a signal's exception and garbage collection to the end of the block, which imports packages."""
        first, collecting = "keras" not in sys.modules, gc.isenabled()
        # Objects of modules are never garbage. Collections during the imports would take most of a second.
        gc.disable()
        self._importing = True
        try:
            yield
        finally:
            self._importing = False
            if collecting:
                gc.enable()
            if first and self.ends_process:
                # The whole process belongs to the command, so later collections skip these objects, too.
                gc.freeze()
        if self._is_asked and not self.can_finish:
            self._raise_interrupted()

    def __enter__(self) -> Self:
        self._handles = threading.current_thread() is threading.main_thread()
        if not self._handles:
            return self
        self._read, self._write = socket.socketpair()
        self._write.setblocking(False)
        self._former_wakeup = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        for name in SIGNALS:
            if signal.getsignal(name) is not signal.SIG_IGN:
                self._former[name] = signal.signal(name, self._handle_signal)
        self._listener = threading.Thread(target=self._listen, name="signals", daemon=True)
        self._listener.start()
        return self

    def __exit__(self, *raised: object) -> None:
        if not self._handles:
            return
        for name, handler in self._former.items():
            signal.signal(name, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._former_wakeup)
        self._write.close()  # this ends the listener
        self._listener.join()
        self._read.close()

    def _handle_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_asked and not self.ends_process:
            raise KeyboardInterrupt
        self.signalled = self._is_asked = True
        if not (self.can_finish or self.ends_process or self._importing):
            self._raise_interrupted()

    def _raise_interrupted(self) -> NoReturn:
        self.can_finish = True  # so that a second signal does not interrupt the cleanup
        raise Interrupted("interrupted", hint=_KEPT.capitalize())

    def _listen(self) -> None:
        while numbers := self._read.recv(64):
            for _ in [number for number in numbers if number in self._former]:
                self._count += 1
                self.signalled = True
                if self.ends_process and self._count > 1:
                    end_now(f"stopped at once; {_KEPT}")
                if self.ends_process and not self.can_finish:
                    end_now(f"interrupted; {_KEPT}")


def end_now(message: str) -> None:
    """Print a message, restore the terminal, and end the process. Works in any thread or signal handler."""
    with contextlib.suppress(Exception):  # the terminal may be gone
        descriptor = sys.stderr.fileno()
        text = f"{_SHOW_CURSOR + _NEW_LINE if os.isatty(descriptor) else ''}{message}\n"
        if can_write(descriptor):  # a full pipe would block
            os.write(descriptor, text.encode())
    os._exit(INTERRUPTED)
