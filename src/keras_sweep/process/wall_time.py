"""Measure how a command's wall time divides into parts, and announce the command's phases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


class WallTime:
    """Measure wall time in seconds by named parts. The parts and `other`, the rest, sum up to the time since start."""

    def __init__(self, before: float = 0.0) -> None:
        """Start the clock now, or `before` seconds ago."""
        self.started = time.perf_counter() - before
        self.parts: dict[str, float] = {}
        self.tell: Callable[[str], object] = lambda _: None  # called with the name of each phase as it begins
        self._inside = 0.0  # seconds of the parts inside the open part

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time inside the block as the part `name`, without the time of nested parts."""
        start, outer, self._inside = time.perf_counter(), self._inside, 0.0
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
            self.add(name, seconds - self._inside)
            self._inside = outer + seconds

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Announce the phase `name` by calling `tell`, and count the time inside the block as the part `name`."""
        self.tell(name)
        with self.part(name):
            yield

    def add(self, name: str, seconds: float) -> None:
        self.parts[name] = self.parts.get(name, 0.0) + seconds

    def split(self, name: str, parts: Mapping[str, float], rest: str) -> None:
        """Divide the part `name` into finer parts (name -> seconds), and count the remainder as the part `rest`."""
        total, known = self.parts.pop(name, 0.0), sum(parts.values())
        scale = min(total / known, 1.0) if known else 0.0
        for part, seconds in parts.items():
            self.add(part, seconds * scale)
        self.add(rest, total - known * scale)

    def total(self) -> dict[str, float]:
        other = time.perf_counter() - self.started - sum(self.parts.values())
        return {**self.parts, "other": max(other, 0.0)}
