"""What the page draws along: a parameter or the objective, with a place for each trial's value; scales and colours."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.views.leaderboard.rows import LeaderboardRow, varying_names
from keras_sweep.views.terminal.text import number_text, value_text

CUT = 0.25  # share of the worst values that sit on the edge of the objective's axis, so that they flatten no drawing
MOST_CHOICES = 24  # of a parameter of choices; the others share a place
FEW_CHOICES = 8  # so many numbers that a space file lists are choices, each with a place of its own
OTHER_CHOICES = "others"
STEPS = (1, 2, 5, 10)
COLOURS = 7  # told apart by every eye (Okabe and Ito 2008); a parameter with more choices gives no colours
PREFERRED = "optimizer"


@dataclass(frozen=True)
class Axis:
    """One quantity of the trials."""

    name: str
    low: float  # of numbers; of choices 0
    high: float  # of numbers; of choices the number of the last one
    values: Mapping[int, float]  # trial -> number, or the place of its choice; a trial without one is left out
    choices: tuple[str, ...] | None = None  # their texts, in order; None for numbers
    log: bool = False
    whole: bool = False  # of whole numbers alone
    given: tuple[float, float] | None = None  # the range that was searched, where it is known

    def text(self, value: float) -> str:
        """A value of the axis as people read it."""
        return self.choices[int(value)] if self.choices is not None else number_text(value)


def parameter_axes(rows: Sequence[LeaderboardRow], distributions: Mapping[str, str]) -> list[Axis]:
    """An axis for each parameter that the trials do not share, in the order of the space.

    `distributions` are those of the record, as Optuna's JSON.
    """
    varying = varying_names(rows)
    known = [name for name in distributions if name in varying]
    names = [*known, *(name for name in varying if name not in distributions)]
    return [axis for name in names if (axis := _parameter_axis(name, rows, distributions.get(name))) is not None]


def objective_axis(rows: Iterable[LeaderboardRow], objective: Objective) -> Axis | None:
    """The objective; its worst values lie beyond the axis. None where no trial has a value."""
    values = {row.number: row.value for row in rows if row.value is not None}
    if not values:
        return None
    low, high = clipped_range(values.values(), objective)
    return Axis(objective.name, low, high, values)


def clipped_range(values: Iterable[float], objective: Objective) -> tuple[float, float]:
    """From the best value to the one that a quarter of all is worse than, or to any other if these are equal."""
    ordered = sorted(value for value in values if math.isfinite(value))
    cut = int(len(ordered) * CUT)
    low, high = (ordered[cut], ordered[-1]) if objective.goal is Goal.MAXIMIZE else (ordered[0], ordered[-1 - cut])
    return (low, high) if low < high else (ordered[0], ordered[-1])


def _parameter_axis(name: str, rows: Sequence[LeaderboardRow], distribution: str | None) -> Axis | None:
    found = {row.number: row.params[name] for row in rows if name in row.params}
    numbers = {number: float(value) for number, value in found.items() if is_number(value)}
    listed = len(_attributes(distribution).get("choices", ()))
    if len(numbers) < len(found) or 0 < listed <= FEW_CHOICES:
        return _choices_axis(name, found, distribution)
    if not numbers:
        return None
    given, log = _range_of(distribution)
    low, high = min(numbers.values()), max(numbers.values())
    if given is not None:
        low, high = min(low, given[0]), max(high, given[1])
    whole = all(isinstance(value, int) for value in found.values())
    return Axis(name, low, high, numbers, log=log and low > 0, whole=whole, given=given)


def _choices_axis(name: str, found: Mapping[int, Value], distribution: str | None) -> Axis:
    """Choices in the order of the space, then any others."""
    texts = {number: value_text(value) for number, value in found.items()}
    known = [value_text(_as_value(choice)) for choice in _attributes(distribution).get("choices", ())]
    there = set(texts.values())
    choices = [text for text in dict.fromkeys([*known, *texts.values()]) if text in there]
    if len(choices) > MOST_CHOICES:
        choices = [*choices[: MOST_CHOICES - 1], OTHER_CHOICES]
    place = {text: index for index, text in enumerate(choices)}
    values = {number: float(place.get(text, len(choices) - 1)) for number, text in texts.items()}
    return Axis(name, 0, len(choices) - 1, values, choices=tuple(choices))


def _range_of(distribution: str | None) -> tuple[tuple[float, float] | None, bool]:
    """(low and high, whether it is logarithmic) of a range of numbers."""
    attributes = _attributes(distribution)
    low, high = attributes.get("low"), attributes.get("high")
    if not (is_number(low) and is_number(high)):
        return None, False
    return (float(low), float(high)), attributes.get("log") is True


def _attributes(distribution: str | None) -> Mapping[str, Any]:
    """What Optuna's JSON says of it; its form was checked when the record was read."""
    return {} if distribution is None else dict(json.loads(distribution)["attributes"])


def _as_value(choice: Any) -> Value:
    """A choice of the record; a list stands in it as its JSON text."""
    if isinstance(choice, str) and choice.startswith("["):
        try:
            return _tuples(json.loads(choice))
        except (ValueError, RecursionError):
            return choice
    return _tuples(choice)


def _tuples(value: Any) -> Value:
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


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


@dataclass(frozen=True)
class Colours:
    """The class of a trial's elements."""

    axis: Axis | None  # the parameter that gives the colours
    winner: int | None = None  # which stands out in every drawing

    def __call__(self, number: int) -> str:
        place = None if self.axis is None else self.axis.values.get(number)
        return ("k0" if place is None else f"k{int(place) + 1}") + self.mark(number)

    def mark(self, number: int) -> str:
        """The class of the winner's elements, after any other; nothing for other trials."""
        return " won" if number == self.winner else ""

    @property
    def legend(self) -> list[tuple[str, str]]:
        """(class, choice) of each colour."""
        if self.axis is None or self.axis.choices is None:
            return []
        return [(f"k{index}", choice) for index, choice in enumerate(self.axis.choices, start=1)]


def colours_of(axes: Sequence[Axis], winner: int | None = None) -> Colours:
    """Colours by the optimizer where it varies, or by the first parameter of few choices."""
    fit = [axis for axis in axes if axis.choices is not None and len(axis.choices) <= COLOURS]
    return Colours(next((axis for axis in fit if axis.name == PREFERRED), fit[0] if fit else None), winner)
