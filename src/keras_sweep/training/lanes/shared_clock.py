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

    seconds: float = 0.0


class WallShare:
    """Charges each moment in equal parts to the pieces of work that run in it, on any thread."""

    def __init__(self) -> None:
        self._shares: dict[int, Share] = {}
        self._last = 0.0
        self._lock = threading.Lock()

    @contextmanager
    def measure(self) -> Iterator[Share]:
        """Measure the work inside; the share is whole once it is left."""
        share = Share()
        with self._lock:
            self._charge()
            self._shares[id(share)] = share
        try:
            yield share
        finally:
            with self._lock:
                self._charge()
                del self._shares[id(share)]

    def _charge(self) -> None:
        now = time.perf_counter()
        for share in self._shares.values():
            share.seconds += (now - self._last) / len(self._shares)
        self._last = now
