"""Wall time shared out among what runs at once, so that the shares add up to the wall time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(eq=False)
class Share:
    """One piece of work's share."""

    name: str
    seconds: float = 0.0


class SharedClock:
    """Charges each moment in equal parts to the pieces of work that run in it, on any thread.

    A piece that is measured inside another of its thread stands for it meanwhile, so nothing is charged twice.
    """

    def __init__(self) -> None:
        self._totals: dict[str, float] = {}
        self._running: dict[int, Share] = {}  # by thread
        self._last = 0.0
        self._lock = threading.Lock()

    @contextmanager
    def measure(self, name: str) -> Iterator[Share]:
        """Measure the work inside; the share is whole once it is left."""
        share = Share(name)
        outer = self._replace(share)
        try:
            yield share
        finally:
            self._replace(outer)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Charge nothing inside: the thread waits for another one, which is charged."""
        outer = self._replace(None)
        try:
            yield
        finally:
            self._replace(outer)

    def totals(self) -> dict[str, float]:
        """All shares so far, by name, those of what is running included."""
        with self._lock:
            self._charge()
            return dict(self._totals)

    def _replace(self, share: Share | None) -> Share | None:
        thread = threading.get_ident()
        with self._lock:
            self._charge()
            before = self._running.pop(thread, None)
            if share is not None:
                self._running[thread] = share
            return before

    def _charge(self) -> None:
        now = time.perf_counter()
        for share in self._running.values():
            each = (now - self._last) / len(self._running)
            share.seconds += each
            self._totals[share.name] = self._totals.get(share.name, 0.0) + each
        self._last = now
