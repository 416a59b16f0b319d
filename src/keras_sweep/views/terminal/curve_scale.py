"""The common scale of a sweep's curves where each has one line: by rank, so that every height is used."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Sequence

from keras_sweep.space.objective import Goal


class CurveScale:
    """Gives a value its height, from 0 to 1, by the share of all points of all curves that lie below it.

    Ranks use the whole height, however far first epochs and poor trials lie below the good ones. Their squares give the
    better half of the points three quarters of it: trials that are worth looking at differ there.
    """

    def __init__(self, curves: Iterable[Sequence[float]] = (), goal: Goal = Goal.MAXIMIZE) -> None:
        self._goal = goal
        self._points: list[float] = []
        self._sorted = True
        for curve in curves:
            self.add(curve)

    def add(self, curve: Sequence[float]) -> None:
        """Take in one more curve [E]; what is no finite number is left out."""
        self._points += filter(math.isfinite, curve)
        self._sorted = False

    def __bool__(self) -> bool:
        """Whether there is a point."""
        return bool(self._points)

    def __call__(self, value: float) -> float:
        """The height of a finite value."""
        if not self._sorted:  # nearly sorted as it is, that takes little
            self._points.sort()
            self._sorted = True
        points = self._points
        if not points or points[0] == points[-1]:
            return 0.5
        below, not_above = bisect.bisect_left(points, value), bisect.bisect_right(points, value)
        share = min(max((below + not_above - 1) / (2 * len(points) - 2), 0.0), 1.0)
        return share**2 if self._goal is Goal.MAXIMIZE else 1 - (1 - share) ** 2
