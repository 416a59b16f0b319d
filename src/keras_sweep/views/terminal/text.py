"""Write values for people: numbers, parameters, times, and small drawings of curves, bars and plots."""

import bisect
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate

from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import Goal
from keras_sweep.space.text import escape, pluralize

MOST_DECIMALS = 8
SPARK = "▁▂▃▄▅▆▇"  # low to high; a full cell would touch the line above
LEVELS = SPARK + "█"
HALF, FULL, TRACK = "╸", "━", "─"  # of a bar: half a cell, a cell, an empty cell (rules use it, too)
GAP = "×"  # a point that is not finite
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
TIE = "≈"
ON_FRONT = "●"


def shorten(text: str, width: int) -> str:
    """Cut a text to `width` terminal cells: a wide character has two. An ellipsis replaces the rest."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 1 else set_cell_size(text, max(width, 0))


def number_text(value: float, digits: int = 3) -> str:
    """Return a number as text: `0.00123`, `12`, `3.5e-7`. Longer numbers are rounded to `digits` significant digits."""
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    exact = repr(value).removesuffix(".0")
    if len(exact) <= 7 and "e" not in exact:
        return exact
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    if not exponent:
        return mantissa
    return f"{value:.0f}" if 0 <= int(exponent) <= 6 else f"{mantissa}e{int(exponent)}"


def value_text(value: Value) -> str:
    """Return a parameter's value as in a space file. Long real numbers are rounded."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int | float):
        return number_text(value)
    return escape(value) if isinstance(value, str) else "[" + ", ".join(map(value_text, value)) + "]"


def params_text(params: Mapping[str, Value]) -> str:
    """Return parameters in a line: `optimizer=adam learning_rate=0.001`."""
    return " ".join(f"{escape(name)}={value_text(value)}" for name, value in params.items())


def decimals(value: float, stderr: float | None = None) -> int:
    """Return how many decimals a score needs: four digits in all, and more for tiny scores or standard errors."""
    places = 4
    if value != 0:
        power = math.floor(math.log10(abs(value)))
        places = max(3 - power, 0) if abs(value) > 1 else 4 if power >= -3 else 2 - power
    if stderr is not None and math.isfinite(stderr) and stderr > 0:
        places = max(places, -math.floor(math.log10(stderr)))
    return min(places, MOST_DECIMALS)


def score_text(value: float | None, stderr: float | None = None) -> str:
    """Return a score with its standard error: `0.8552 ±0.0032`; "-" if the score is missing or not finite."""
    if value is None or not math.isfinite(value):
        return "-"
    places = decimals(value, stderr)
    text = _format_number(value, places)
    return text if stderr is None or not math.isfinite(stderr) else f"{text} ±{_format_number(stderr, places)}"


def _format_number(value: float, places: int) -> str:
    text = f"{value:.{places}f}"
    too_long = abs(value) >= 1e9 or (value != 0 and float(text) == 0)
    return number_text(value) if too_long else text


def seconds_text(seconds: float) -> str:
    """Return a duration: `12 ms`, `0.42 s`, `12 s`, `3m05s`, `2h07m`, `3d04h`."""
    if not math.isfinite(seconds):
        return "-"
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.0005 else "0 s"
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    minutes = whole // 60
    if minutes < 24 * 60:
        return f"{minutes // 60}h{minutes % 60:02d}m"
    return f"{minutes // 1440}d{minutes % 1440 // 60:02d}h"


def format_elapsed(seconds: float) -> str:
    """Return a duration that still grows, in whole seconds: `7 s`, `3m05s`."""
    return f"{int(seconds)} s" if 0 <= seconds < 99.5 else seconds_text(seconds)


def waiting_text(count: int) -> str:
    """Say that `count` ended trials are not shown until all trials with lower numbers have ended."""
    have, are, they = ("has", "is", "it is") if count == 1 else ("have", "are", "they are")
    trials = pluralize(count, "more trial")
    return f"{trials} {have} ended and {are} kept: {they} shown when all trials with lower numbers have ended"


def resample(values: Sequence[float], width: int) -> list[float]:
    """Return at most `width` of the values, at equal distances. The first and the last value are included."""
    if len(values) <= width:
        return list(values)
    if width <= 1:
        return [values[-1]]
    return [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)]


def sparkline(values: Sequence[float], scale: Callable[[float], float], *, width: int = 20) -> str:
    """Draw a curve as at most `width` characters. `scale` returns the height of a value, from 0 to 1."""
    line = ""
    for value in resample(values, width):
        level = int(scale(value) * len(SPARK)) if math.isfinite(value) else None
        line += GAP if level is None else SPARK[min(max(level, 0), len(SPARK) - 1)]
    return line


def bar(share: float, width: int) -> str:
    """Draw a horizontal bar that fills `share` (0 to 1) of `width` characters."""
    share = min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0
    whole, half = divmod(round(share * width * 2), 2)
    return f"{FULL * whole + HALF * half:{width}}"


def plot(values: Sequence[float], *, width: int, height: int) -> list[str]:
    """Draw a curve as `height` lines, the highest line first; an empty list if no value is finite."""
    points, steps = resample(values, width), len(LEVELS)
    finite = [*filter(math.isfinite, points)]
    if not finite:
        return []
    low, high = min(finite), max(finite)
    # A column is filled in eighths of a cell, at least one, so that the lowest point is visible.
    eighths_per_unit = (height * steps - 1) / (high - low) if high > low else 0.0
    columns = [1 + round((point - low) * eighths_per_unit) if math.isfinite(point) else None for point in points]
    lines = []
    for row in range(height - 1, -1, -1):
        line = ""
        for column in columns:
            fill = 0 if column is None else min(max(column - row * steps, 0), steps)
            line += GAP if column is None and row == 0 else LEVELS[fill - 1] if fill else " "
        lines.append(line)
    return lines


class CurveScale:
    """Map a value to a height from 0 to 1, by its rank among the points of all added curves.

    Every curve has the same weight, so that a curve of thousands of epochs does not flatten the others. Ranks use the
    whole height, however poor first epochs and poor trials are. Good trials differ in the better half of the values, so
    squared ranks give that half three quarters of the height.
    """

    def __init__(self, curves: Iterable[Sequence[float]] = (), goal: Goal = Goal.MAXIMIZE) -> None:
        self._goal = goal
        self._points: list[tuple[float, float]] = []  # (value, weight); the weights of a curve add up to 1
        self._values: list[float] = []
        self._below: list[float] = [0.0]  # [points + 1] weight below each sorted value
        for curve in curves:
            self.add(curve)

    def add(self, curve: Sequence[float]) -> None:
        finite = [*filter(math.isfinite, curve)]
        self._points += ((value, 1 / len(finite)) for value in finite)

    def __bool__(self) -> bool:
        return bool(self._points)

    def __call__(self, value: float) -> float:
        if len(self._values) < len(self._points):
            self._points.sort()  # nearly sorted already, so this is fast
            self._values = [value for value, _ in self._points]
            self._below = [0.0, *accumulate(part for _, part in self._points)]
        if not self._values or self._values[0] == self._values[-1]:
            return 0.5
        lowest, highest = self._rank(self._values[0]), self._rank(self._values[-1])
        share = min(max((self._rank(value) - lowest) / (highest - lowest), 0.0), 1.0)
        return share**2 if self._goal is Goal.MAXIMIZE else 1 - (1 - share) ** 2

    def _rank(self, value: float) -> float:
        """Return the weight of the curve points below the value, plus half of the weight of the points equal to it."""
        below, not_above = bisect.bisect_left(self._values, value), bisect.bisect_right(self._values, value)
        return (self._below[below] + self._below[not_above]) / 2
