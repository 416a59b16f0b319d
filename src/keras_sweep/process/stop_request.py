"""When to stop: at the user's signal, or when the time is up."""

import contextlib
import gc
import math
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import NoReturn, Self

from keras_sweep.errors import Interrupted

INTERRUPTED = 130  # the exit code
IS_COMMAND = ContextVar("IS_COMMAND", default=False)  # whether the process is that of a `sweep` command
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_KEPT = "everything finished is kept, and the same command resumes"
_SHOW_CURSOR = "\x1b[?25h"
_NEW_LINE = "\r\n"  # the cursor may stand at the end of a board's last line


class StopRequest:
    """True once training should end. The first SIGINT, SIGTERM or SIGHUP asks, the second one stops at once.

    Use as a context manager, which handles signals in the main thread alone. A signal that was ignored before stays so:
    `nohup` and a shell's background jobs rely on it. A compiled program can keep Python from its handlers for minutes,
    so the C handler writes each signal's number into a pipe, and a thread reads it there.

    Until there is something to finish the first signal ends the process. Where that is not ours to end, it raises
    Interrupted, but not amid an import (`importing`): a package of which half was imported can't be imported again.
    """

    def __init__(self, *, ends_process: bool = True) -> None:
        """The second signal ends the process, or else raises KeyboardInterrupt."""
        self.ends_process = ends_process
        self._deadline = math.inf
        self._former: dict[signal.Signals, object] = {}
        self._count = 0
        self._asked = False  # whether the main thread has seen the first signal
        self.signalled = False
        self.can_finish = False  # whether there is something to finish; until then the first signal ends the command
        self._importing = False

    def limit(self, seconds: float) -> None:
        """Ask for the end so many seconds from now."""
        self._deadline = time.monotonic() + seconds

    def __bool__(self) -> bool:
        return self.signalled or time.monotonic() >= self._deadline

    @contextlib.contextmanager
    def importing(self) -> Iterator[None]:
        """Inside, packages are imported: a signal raises nothing before the end, and no garbage is collected."""
        first, collecting = "keras" not in sys.modules, gc.isenabled()
        gc.disable()  # what modules make stays: to look through it again and again takes most of a second
        self._importing = True
        try:
            yield
        finally:
            self._importing = False
            if collecting:
                gc.enable()
            if first and self.ends_process:
                gc.freeze()  # nor do later collections look through it, where the whole process is the command's
        if self._asked and not self.can_finish:
            self._break_off()

    def __enter__(self) -> Self:
        self._handles = threading.current_thread() is threading.main_thread()
        if not self._handles:
            return self
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._former_pipe = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for name in SIGNALS:
            if signal.getsignal(name) is not signal.SIG_IGN:
                self._former[name] = signal.signal(name, self._in_main_thread)
        self._listener = threading.Thread(target=self._listen, name="signals", daemon=True)
        self._listener.start()
        return self

    def __exit__(self, *raised: object) -> None:
        if not self._handles:
            return
        for name, handler in self._former.items():
            signal.signal(name, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._former_pipe)
        os.close(self._write)  # which ends the listener
        self._listener.join()
        os.close(self._read)

    def _in_main_thread(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked and not self.ends_process:
            raise KeyboardInterrupt
        self.signalled = self._asked = True
        if not (self.can_finish or self.ends_process or self._importing):
            self._break_off()

    def _break_off(self) -> NoReturn:
        self.can_finish = True  # so that what unwinds now is not broken off by a second signal
        raise Interrupted("interrupted", hint=_KEPT.capitalize())

    def _listen(self) -> None:
        while numbers := os.read(self._read, 64):
            for _ in [number for number in numbers if number in self._former]:
                self._count += 1
                self.signalled = True
                if self.ends_process and self._count > 1:
                    end_now(f"stopped at once; {_KEPT}")
                if self.ends_process and not self.can_finish:
                    end_now(f"interrupted; {_KEPT}")


def end_now(said: str) -> None:
    """Say that, and end the process as a kill would, with the terminal as it was; in any thread or signal handler."""
    with contextlib.suppress(Exception):  # the terminal may be gone
        descriptor = sys.stderr.fileno()
        text = f"{_SHOW_CURSOR + _NEW_LINE if os.isatty(descriptor) else ''}{said}\n"
        if select.select([], [descriptor], [], 0)[1]:  # a full pipe would hold us up
            os.write(descriptor, text.encode())
    os._exit(INTERRUPTED)


def end_with_parent(parent: int, folder: Path) -> None:
    """From now on, end this process once its parent is gone, and remove the folder that both used."""
    import shutil

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        shutil.rmtree(folder, ignore_errors=True)  # as the parent does that is not killed
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
