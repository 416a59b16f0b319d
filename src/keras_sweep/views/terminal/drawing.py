"""The characters drawings are made of, and what they stand for where the terminal knows ASCII only; small drawings."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MOST_RANKS = 512  # points of all curves that heights are ranked among


@dataclass(frozen=True, slots=True)
class Glyphs:
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


UNICODE = Glyphs("▁▂▃▄▅▆▇", "█", "╸━", " ", "×", "≈", "±", "·", "…", "–", "─", "━", "─", "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
ASCII = Glyphs("_.-~=+*", "#", "#", ".", "x", "~", "+/-", "|", "...", "-", "-", "=", "-", "|/-\\")


def glyphs_for(encoding: str) -> Glyphs:
    """Unicode's drawing characters where the encoding has them."""
    try:
        (UNICODE.spark + UNICODE.bar + UNICODE.tie + UNICODE.spinner).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def scale_of(curves: Sequence[Sequence[float]], *, maximize: bool = True) -> tuple[float, float] | None:
    """A common scale for several curves, lowest and highest. None where no curve has a finite point.

    The worse half of the points falls off its end, so that first epochs and poor trials do not flatten the good ones.
    """
    points = sorted(point for curve in curves for point in curve if math.isfinite(point))
    if not points:
        return None
    cut = len(points) // 2
    return (points[cut], points[-1]) if maximize else (points[0], points[len(points) - 1 - cut])


def resampled(values: Sequence[float], width: int) -> list[float]:
    """At most `width` points: the last point of each of so many equal stretches, so the first and last are kept."""
    if len(values) <= width:
        return list(values)
    if width <= 1:
        return [values[-1]]
    return [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)]


def sparkline(
    values: Sequence[float], glyphs: Glyphs, *, width: int = 20, scale: tuple[float, float] | None = None
) -> str:
    """A curve in one line of at most `width` characters, on its own scale unless one is given."""
    finite = [value for value in values if math.isfinite(value)]
    scale = scale or ((min(finite), max(finite)) if finite else None)
    line = ""
    for value in resampled(values, width):
        if not math.isfinite(value) or scale is None:
            line += glyphs.gap
            continue
        low, high = scale
        share = (value - low) / (high - low) if high > low else 0.5
        line += glyphs.spark[min(max(int(share * len(glyphs.spark)), 0), len(glyphs.spark) - 1)]
    return line


def bar(share: float, width: int, glyphs: Glyphs) -> str:
    """A horizontal bar: `share` in [0, 1] of `width` cells."""
    share = min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0
    steps = len(glyphs.bar)
    filled, rest = divmod(round(share * width * steps), steps)
    line = glyphs.bar[-1] * filled + (glyphs.bar[rest - 1] if rest else "")
    return line + glyphs.empty * (width - len(line))


def plot(values: Sequence[float], glyphs: Glyphs, *, width: int = 60, height: int = 8) -> list[str]:
    """A curve as `height` lines of columns, lowest line last. Empty where there is no finite point."""
    points = resampled(values, width)
    finite = [point for point in points if math.isfinite(point)]
    if not finite:
        return []
    low, high = min(finite), max(finite)
    levels = glyphs.spark + glyphs.block
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
                line += glyphs.gap if row == 0 else " "
            else:
                fill = min(max(column - row * steps, 0), steps)
                line += levels[fill - 1] if fill else " "
        lines.append(line)
    return lines


def curve_heights(curves: Sequence[Sequence[float]]) -> Callable[[float], float]:
    """The share of its height, from 0 to 1, at which a value of any of the curves is drawn: its rank among all points.

    Ranks use the whole height, however far first epochs and poor trials lie below the good ones.
    """
    points = sorted(point for curve in curves for point in curve if math.isfinite(point))
    thinned = points[:: max(len(points) // MOST_RANKS, 1)]

    def height_of(value: float) -> float:
        if not thinned or thinned[0] == thinned[-1]:
            return 0.5
        return (bisect.bisect_left(thinned, value) + bisect.bisect_right(thinned, value) - 1) / (2 * len(thinned) - 2)

    return height_of
