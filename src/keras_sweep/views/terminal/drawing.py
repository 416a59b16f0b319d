"""The characters drawings are made of, and small drawings of them: curves, bars, plots.

A terminal that knows ASCII only gets other characters.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from keras_sweep.space.search_space import Goal

MARK = "o"  # of a second curve; unlike every level of the first


@dataclass(frozen=True, slots=True)
class Drawing:
    """One set of drawing characters."""

    spark: str  # low to high; a whole cell would run into the line above
    block: str  # a whole cell
    bar: str  # a cell filled by 1/n .. n/n
    empty: str  # the rest of a bar
    gap: str  # a curve's point that is no finite number
    tie: str
    pm: str
    dot: str  # between parts of a line
    ellipsis: str
    dash: str
    rule: str
    full: str  # of a progress bar
    track: str  # what is left of it
    spinner: str  # turns while something goes on
    times: str  # before a count


UNICODE = Drawing("▁▂▃▄▅▆▇", "█", "╸━", " ", "×", "≈", "±", "·", "…", "–", "─", "━", "─", "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "×")
ASCII = Drawing("_.-~=+*", "#", "#", ".", "x", "~", "+/-", "|", "...", "-", "-", "=", "-", "|/-\\", "x")


def drawing_for(encoding: str) -> Drawing:
    """Unicode's drawing characters where the encoding has them."""
    try:
        (UNICODE.spark + UNICODE.bar + UNICODE.tie + UNICODE.spinner).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def resampled(values: Sequence[float], width: int) -> list[float]:
    """At most `width` points: the last point of each of so many equal stretches, so the first and last are kept."""
    if len(values) <= width:
        return list(values)
    if width <= 1:
        return [values[-1]]
    return [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)]


def sparkline(
    values: Sequence[float], drawing: Drawing, *, width: int = 20, scale: Callable[[float], float] | None = None
) -> str:
    """A curve in one line of at most `width` characters; `scale` gives a value's height, else its own range does."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    line = ""
    for value in resampled(values, width):
        if not math.isfinite(value):
            line += drawing.gap
            continue
        share = scale(value) if scale is not None else (value - low) / (high - low) if high > low else 0.5
        line += drawing.spark[min(max(int(share * len(drawing.spark)), 0), len(drawing.spark) - 1)]
    return line


def bar(share: float, width: int, drawing: Drawing) -> str:
    """A horizontal bar: `share` in [0, 1] of `width` cells."""
    share = min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0
    steps = len(drawing.bar)
    filled, rest = divmod(round(share * width * steps), steps)
    line = drawing.bar[-1] * filled + (drawing.bar[rest - 1] if rest else "")
    return line + drawing.empty * (width - len(line))


def plot(
    values: Sequence[float], drawing: Drawing, *, width: int = 60, height: int = 8, also: Sequence[float] = ()
) -> list[str]:
    """A curve as `height` lines of columns, lowest line last. Empty where there is no finite point.

    `also` is a second curve, on the same scale: a mark in each second column or fewer, where it changes.
    """
    points, marked = resampled(values, width), resampled(also, width)
    finite = [point for point in (*points, *marked) if math.isfinite(point)]
    if not finite:
        return []
    low, high = min(finite), max(finite)
    levels = drawing.spark + drawing.block
    steps = len(levels)
    columns = []
    for point in points:
        if not math.isfinite(point):
            columns.append(-1)
            continue
        share = (point - low) / (high - low) if high > low else 0.5
        columns.append(1 + round(share * (height * steps - 1)))  # at least one level, so the lowest is seen
    lines = []
    for row in range(height - 1, -1, -1):
        line = ""
        for column in columns:
            if column < 0:
                line += drawing.gap if row == 0 else " "
            else:
                fill = min(max(column - row * steps, 0), steps)
                line += levels[fill - 1] if fill else " "
        lines.append(line)
    for column, point in _marks(marked):
        share = (point - low) / (high - low) if high > low else 0.5
        row = height - 1 - min(int(share * height), height - 1)
        lines[row] = lines[row][:column] + MARK + lines[row][column + 1 :]
    return lines


def _marks(points: Sequence[float]) -> Iterator[tuple[int, float]]:
    """The middle column of each run of equal points, and of runs of one every second."""
    start = 0
    for point, run in itertools.groupby(points):
        length = len(list(run))
        column = start + length // 2
        if math.isfinite(point) and (length > 1 or column % 2 == 0):
            yield column, point
        start += length


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
