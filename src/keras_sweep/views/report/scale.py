"""From a value to a place in a drawing, and the round values that are written beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from keras_sweep.views.report.axes import Axis

STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` lie from `start` to `end`; those beyond lie on the edge."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = self._position(self.low), self._position(self.high), self._position(value)
        span = high / 2 - low / 2  # halves: the difference of two numbers may be beyond them
        share = (at / 2 - low / 2) / span if span > 0 else 0.5
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """Round values within the scale, about as many."""
        if not self.low < self.high or not math.isfinite(self.high - self.low):
            return [self.low]
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            powers = [10.0**power for power in range(first, last + 1)]
            if len(powers) >= 2:
                return powers[:: -(-len(powers) // most)]
        raw = (self.high - self.low) / most
        unit = 10.0 ** math.floor(math.log10(raw))
        step = next(factor * unit for factor in STEPS if factor * unit >= raw * (1 - 1e-9))
        first = math.ceil(self.low / step - 1e-9)
        ticks = [float(f"{index * step:.12g}") for index in range(first, first + 2 * most + 1)]
        return [tick for tick in ticks if tick <= self.high + step * 1e-9] or [self.low]

    def _position(self, value: float) -> float:
        return math.log10(max(value, 5e-324)) if self.log else value


def along(axis: Axis, start: float, end: float) -> Scale:
    """The scale of an axis. Choices keep half a step from the ends."""
    if axis.choices is not None:
        return Scale(-0.5, axis.high + 0.5, start, end)
    return Scale(axis.low, axis.high, start, end, axis.log)


def ticks_of(axis: Axis, scale: Scale, most: int = 5) -> list[tuple[float, str]]:
    """(value, text) of what is written along the axis."""
    if axis.choices is not None:
        return [(float(index), text) for index, text in enumerate(axis.choices)]
    ticks = [tick for tick in scale.ticks(most) if not axis.whole or tick == int(tick)]
    return [(tick, axis.text(int(tick) if axis.whole else tick)) for tick in ticks]
