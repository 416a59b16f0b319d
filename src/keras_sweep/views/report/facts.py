"""What a page says of a sweep, read in one go from its record; and what it draws along: axes, scales, colours."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from keras_sweep.record.lock import living_owner
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.space.distributions import Value, to_scalar
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.sweep.validation_outputs import Missed, ValidationOutputs, compute_winner_outputs, find_missed_rows
from keras_sweep.views.leaderboard.rows import LeaderboardRow, Ranking, is_number, rows_of, varying_names, winning_row
from keras_sweep.views.terminal.console import error_lines
from keras_sweep.views.terminal.text import number_text, value_text

CUT = 0.25  # share of the worst values that sit on the edge of the objective's axis, so that they flatten no drawing
FEW_CHOICES = 8  # so many numbers that a space file lists are choices, each with a place of its own
STEPS = (1, 2, 5, 10)
COLOURS = 7  # told apart by every eye (Okabe and Ito 2008); a parameter with more choices gives no colours
PREFERRED = "optimizer"
WIDE = 20.0  # how often a goal's greatest value holds the least, for an axis to be logarithmic


@dataclass(frozen=True)
class Axis:
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
        if self.choices is not None:
            return self.choices[int(value)]
        return number_text(int(value) if self.whole and value == int(value) else value)


def clip_range(values: Iterable[float], objective: Objective) -> tuple[float, float]:
    """From the best value to the one that a quarter of all is worse than, or to any other if these are equal."""
    ordered = sorted(filter(math.isfinite, values))
    cut = int(len(ordered) * CUT)
    low, high = (ordered[cut], ordered[-1]) if objective.goal is Goal.MAXIMIZE else (ordered[0], ordered[-1 - cut])
    return (low, high) if low < high else (ordered[0], ordered[-1])


def parameter_axis(name: str, rows: Sequence[LeaderboardRow], distribution: str | None) -> Axis:
    """Of a distribution of the record, as Optuna's JSON, whose form was checked when the record was read."""
    attributes = {} if distribution is None else json.loads(distribution)["attributes"]
    found = {row.number: row.params[name] for row in rows if name in row.params}
    numbers = {number: float(v) for number, v in found.items() if is_number(v) and math.isfinite(v)}
    known = attributes.get("choices", [])
    if len(numbers) < len(found) or 0 < len(known) <= FEW_CHOICES:
        return _choices_axis(name, found, known)
    low, high = min(numbers.values()), max(numbers.values())
    given = None
    if attributes and not known:  # a range
        given = float(attributes["low"]), float(attributes["high"])
        low, high = min(low, given[0]), max(high, given[1])
    log = attributes.get("log") is True and low > 0
    whole = all(isinstance(value, int) for value in found.values())
    return Axis(name, low, high, numbers, log=log, whole=whole, given=given)


def _choices_axis(name: str, found: Mapping[int, Value], known: Sequence[Any]) -> Axis:
    """Choices in the order of the space, then any others."""
    texts = {number: value_text(value) for number, value in found.items()}
    scalars = {texts[number]: to_scalar(value) for number, value in found.items()}  # as Optuna's JSON has them
    choices = sorted(scalars, key=lambda text: known.index(scalars[text]) if scalars[text] in known else len(known))
    values = {number: float(choices.index(text)) for number, text in texts.items()}
    return Axis(name, 0, len(choices) - 1, values, choices=tuple(choices))


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
    return [(tick, axis.text(tick)) for tick in scale.ticks(most) if not axis.whole or tick == int(tick)]


@dataclass(frozen=True)
class PageContent:
    """What a page shows: a sweep as its record had it at one moment, and what belongs to its winner."""

    sweep: RecordedSweep
    running: bool
    outputs: ValidationOutputs | str  # of the winner on the validation rows, or why there are none
    missed: Missed | None = None  # rows that no good trial gets right; None where that is not kept

    @classmethod
    def read(cls, opened: OpenSweep) -> Self:
        """As the record is now, which may be growing. Raises RecordError."""
        sweep = RecordedSweep.read(opened.folder)
        if living_owner(opened.folder) is not None:
            return cls(sweep, True, "the sweep still runs")
        outputs: ValidationOutputs | str
        try:  # the page is right without them
            outputs = "no trial has won" if sweep.best is None else compute_winner_outputs(opened)
        except Exception as error:  # also weights that do not fit, a layer that is not there, code of the user's
            outputs = " ".join(error_lines(error)).removesuffix(".")
        return cls(sweep, False, outputs, find_missed_rows(sweep))

    @cached_property
    def rows(self) -> Sequence[LeaderboardRow]:
        return rows_of(self.sweep)

    @property
    def ranking(self) -> Ranking:
        return Ranking(self.sweep.objective, self.sweep.comparison, self.rows, self.rows)

    @cached_property
    def winner(self) -> LeaderboardRow | None:
        return winning_row(self.rows)

    @cached_property
    def axes(self) -> list[Axis]:
        """One for each parameter that the trials do not share, in the order of the space."""
        known = self.sweep.facts.distributions
        names = sorted(varying_names(self.rows), key=lambda name: [*known, name].index(name))
        return [parameter_axis(name, self.rows, known.get(name)) for name in names]

    @cached_property
    def value_axis(self) -> Axis | None:
        """The objective; its worst values lie beyond the axis. None where no trial has a value."""
        values, objective = {row.number: row.value for row in self.rows if row.value is not None}, self.sweep.objective
        return Axis(objective.name, *clip_range(values.values(), objective), values) if values else None

    @cached_property
    def goal_axes(self) -> list[Axis]:
        """One for each further goal of which there are values."""
        found = []
        for name in (goal.name for goal in self.sweep.objective.further):
            known = {row.number: value for row in self.rows if (value := row.metrics.get(name)) is not None}
            if known:
                whole = all(value.is_integer() for value in known.values())
                low, high = min(known.values()), max(known.values())
                found.append(Axis(name, low, high, known, log=low > 0 and high >= WIDE * low, whole=whole))
        return found

    @cached_property
    def colour_axis(self) -> Axis | None:
        """What gives the colours: the optimizer where it varies, or the first parameter of few choices."""
        few = [axis for axis in self.axes if axis.choices is not None and len(axis.choices) <= COLOURS]
        return min(few, key=lambda one: one.name != PREFERRED, default=None)

    def colour(self, number: int) -> str:
        """The class of a trial's elements in every drawing."""
        place = None if self.colour_axis is None else self.colour_axis.values.get(number)
        return ("k0" if place is None else f"k{int(place) + 1}") + self.mark(number)

    def mark(self, number: int) -> str:
        """The class of the winner's elements, after any other; nothing for other trials."""
        return " won" if self.winner is not None and number == self.winner.number else ""
