"""The characters that drawings are made of, and small drawings of them: curves, bars, plots."""

import bisect
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from keras_sweep.space.search_space import Goal

SPARK = "▁▂▃▄▅▆▇"  # low to high; a whole cell would run into the line above
LEVELS = SPARK + "█"
HALF, FULL, TRACK = "╸", "━", "─"  # of a bar: half a cell, a cell, what is left of it; rules are of the last, too
GAP = "×"  # a curve's point that is no finite number
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"  # turns while something goes on
TIE = "≈"
ON_FRONT = "●"


def resampled(values: Sequence[float], width: int) -> list[float]:
    """At most `width` points: the last point of each of so many equal stretches, so the first and last are kept."""
    if len(values) <= width:
        return list(values)
    if width <= 1:
        return [values[-1]]
    return [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)]


def sparkline(values: Sequence[float], scale: Callable[[float], float], *, width: int = 20) -> str:
    """A curve in one line of at most `width` characters; `scale` gives a value's height."""
    line = ""
    for value in resampled(values, width):
        level = int(scale(value) * len(SPARK)) if math.isfinite(value) else None
        line += GAP if level is None else SPARK[min(max(level, 0), len(SPARK) - 1)]
    return line


def bar(share: float, width: int) -> str:
    """A horizontal bar: `share` in [0, 1] of `width` cells."""
    share = min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0
    whole, half = divmod(round(share * width * 2), 2)
    return f"{FULL * whole + HALF * half:{width}}"


def plot(values: Sequence[float], *, width: int, height: int) -> list[str]:
    """A curve as `height` lines of columns, lowest line last. Empty where there is no finite point."""
    points, steps = resampled(values, width), len(LEVELS)
    finite = [*filter(math.isfinite, points)]
    if not finite:
        return []
    low, high = min(finite), max(finite)
    # Each column is filled by so many eighths of a cell; by one at least, so that the lowest point is seen.
    a_step = (height * steps - 1) / (high - low) if high > low else 0.0
    columns = [1 + round((point - low) * a_step) if math.isfinite(point) else None for point in points]
    lines = []
    for row in range(height - 1, -1, -1):
        line = ""
        for column in columns:
            fill = 0 if column is None else min(max(column - row * steps, 0), steps)
            line += GAP if column is None and row == 0 else LEVELS[fill - 1] if fill else " "
        lines.append(line)
    return lines


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
