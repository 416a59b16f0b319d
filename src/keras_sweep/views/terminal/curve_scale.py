"""The common scale of a sweep's curves where each has one line: by rank, so that every height is used."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Sequence
from itertools import accumulate

from keras_sweep.space.search_space import Goal


class CurveScale:
    """Gives a value its height, from 0 to 1, by the share of all curves that lies below it.

    A curve counts as one, however many epochs it has: one of thousands would leave all others a single height. Ranks
    use the whole height, however far first epochs and poor trials lie below the good ones. Their squares give the
    better half three quarters of it: trials that are worth looking at differ there.
    """

    def __init__(self, curves: Iterable[Sequence[float]] = (), goal: Goal = Goal.MAXIMIZE) -> None:
        self._goal = goal
        self._points: list[tuple[float, float]] = []  # a value, and its part of a curve
        self._values: list[float] = []
        self._below: list[float] = [0.0]  # [points + 1] how many curves lie below each, in all that are sorted
        for curve in curves:
            self.add(curve)

    def add(self, curve: Sequence[float]) -> None:
        """Take in one more curve [E]; what is no finite number is left out."""
        finite = [*filter(math.isfinite, curve)]
        self._points += ((value, 1 / len(finite)) for value in finite)

    def __bool__(self) -> bool:
        """Whether there is a point."""
        return bool(self._points)

    def __call__(self, value: float) -> float:
        """The height of a finite value."""
        if len(self._values) < len(self._points):
            self._points.sort()  # nearly sorted as it is, that takes little
            self._values = [value for value, _ in self._points]
            self._below = [0.0, *accumulate(part for _, part in self._points)]
        if not self._values or self._values[0] == self._values[-1]:
            return 0.5
        lowest, highest = self._middle(self._values[0]), self._middle(self._values[-1])
        share = min(max((self._middle(value) - lowest) / (highest - lowest), 0.0), 1.0)
        return share**2 if self._goal is Goal.MAXIMIZE else 1 - (1 - share) ** 2

    def _middle(self, value: float) -> float:
        """How many curves lie below the value, with half of what is at it."""
        below, not_above = bisect.bisect_left(self._values, value), bisect.bisect_right(self._values, value)
        return (self._below[below] + self._below[not_above]) / 2
