"""The common scale of a sweep's curves while trials are still added to it."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence


class CurveScale:
    """The scale that `scale_of` has of all curves added so far, without sorting their points again for each frame."""

    def __init__(self, *, maximize: bool) -> None:
        self._sign = 1.0 if maximize else -1.0
        self._better: list[float] = []  # the better half of all points, a heap: its worst is first
        self._worse: list[float] = []  # the others, negated: their best is first
        self._best = -math.inf

    def add(self, curve: Sequence[float]) -> None:
        """Take in one trial's curve [E]."""
        for point in curve:
            if not math.isfinite(point):
                continue
            value = self._sign * point
            self._best = max(self._best, value)
            heapq.heappush(self._worse, -heapq.heappushpop(self._better, value))
            if len(self._worse) > len(self._better):
                heapq.heappush(self._better, -heapq.heappop(self._worse))

    def ends(self) -> tuple[float, float] | None:
        """The lowest and the highest point of the scale; None where there is no finite point."""
        if not self._better:
            return None
        ends = self._sign * self._better[0], self._sign * self._best
        return min(ends), max(ends)
