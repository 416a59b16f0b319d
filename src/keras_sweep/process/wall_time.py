"""Where the wall time of a command goes, and what it does now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


class WallTime:
    """Seconds by part, which add up to the wall time since the start; what no part covers is `other`. One thread's."""

    def __init__(self, before: float = 0.0) -> None:
        """The start is now, or so many seconds before."""
        self.started = time.perf_counter() - before
        self.parts: dict[str, float] = {}
        self.tell: Callable[[str], object] = lambda _: None  # hears the name of each phase as it begins
        self._inside = 0.0  # seconds of the parts inside the one that is open

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time inside as `name`, but for that of parts inside it."""
        start, outer, self._inside = time.perf_counter(), self._inside, 0.0
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
            self.add(name, seconds - self._inside)
            self._inside = outer + seconds

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time inside as `name`, and say that it begins."""
        self.tell(name)
        with self.part(name):
            yield

    def add(self, name: str, seconds: float) -> None:
        self.parts[name] = self.parts.get(name, 0.0) + seconds

    def split(self, name: str, parts: Mapping[str, float], rest: str) -> None:
        """Count a part as these finer ones, and what they leave of it as `rest`."""
        total, known = self.parts.pop(name, 0.0), sum(parts.values())
        scale = min(total / known, 1.0) if known else 0.0
        for part, seconds in parts.items():
            self.add(part, seconds * scale)
        self.add(rest, total - known * scale)

    def total(self) -> dict[str, float]:
        """All parts, `other` last."""
        other = time.perf_counter() - self.started - sum(self.parts.values())
        return {**self.parts, "other": max(other, 0.0)}
