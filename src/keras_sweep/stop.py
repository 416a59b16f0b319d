"""When to stop: at the user's signal, or when the time is up."""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType
from typing import Self

from keras_sweep.errors import Interrupted


class StopRequest:
    """True once training should end. The first SIGINT, SIGTERM or SIGHUP asks, the second one stops at once.

    Use as a context manager in the main thread; the former handlers come back at its end.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._former: dict[signal.Signals, object] = {}
        self.signalled = False

    @property
    def out_of_time(self) -> bool:
        """Whether the time given has passed."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    def __bool__(self) -> bool:
        return self.signalled or self.out_of_time

    def __enter__(self) -> Self:
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._former[name] = signal.signal(name, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, handler in self._former.items():
            signal.signal(name, handler)  # type: ignore[arg-type]

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.signalled:
            raise Interrupted("stopped at once", hint="Everything finished is kept; the same command resumes")
        self.signalled = True
