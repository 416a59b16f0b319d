"""Read the facts of a sweep that a report shows, and define the report's axes, scales and colours."""

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from keras_sweep.record.lock import living_owner
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.space.distributions import Value, to_scalar
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.sweep.validation_outputs import Missed, ValidationOutputs, find_missed_rows, read_winner_outputs
from keras_sweep.views.leaderboard.rows import LeaderboardRow, Ranking, is_number, rows_of, varying_names, winning_row
from keras_sweep.views.terminal.console import error_lines
from keras_sweep.views.terminal.text import number_text, value_text

CUT = 0.25  # share of the values, the worst, that are drawn on the edge, so that they flatten no drawing
FEW_CHOICES = 8  # up to this many listed numbers are choices at equal distances
STEPS = (1, 2, 5, 10)
COLOURS = 7  # that colour-blind people can tell apart (Okabe and Ito 2008); more choices give no colours
PREFERRED = "optimizer"
WIDE = 20.0  # from this ratio of the greatest to the least value the axis of a goal is logarithmic


@dataclass(frozen=True)
class Axis:
    name: str
    low: float  # 0 for choices
    high: float  # for choices the index of the last choice
    values: Mapping[int, float]  # trial -> number, or index of its choice; trials without a value are missing
    choices: tuple[str, ...] | None = None  # texts, in order; None for numbers
    log: bool = False
    whole: bool = False  # all numbers are whole
    searched: tuple[float, float] | None = None  # the range of the search, if it is known

    def text(self, value: float) -> str:
        if self.choices is not None:
            return self.choices[int(value)]
        return number_text(int(value) if self.whole and value == int(value) else value)


def clip_range(values: Iterable[float], objective: Objective) -> tuple[float, float]:
    """Return (lowest, highest) of the values without the worst quarter. If lowest equals highest, use all values."""
    ordered = sorted(filter(math.isfinite, values))
    cut = int(len(ordered) * CUT)
    low, high = (ordered[cut], ordered[-1]) if objective.goal is Goal.MAXIMIZE else (ordered[0], ordered[-1 - cut])
    return (low, high) if low < high else (ordered[0], ordered[-1])


def parameter_axis(name: str, rows: Sequence[LeaderboardRow], distribution: str | None) -> Axis:
    """Return the axis of the parameter `name`. `distribution` is its range as Optuna's JSON; None: unknown."""
    attributes = {} if distribution is None else json.loads(distribution)["attributes"]
    values = {row.number: row.params[name] for row in rows if name in row.params}
    numbers = {number: float(value) for number, value in values.items() if is_number(value) and math.isfinite(value)}
    choices = attributes.get("choices", [])
    if len(numbers) < len(values) or 0 < len(choices) <= FEW_CHOICES:
        return _choices_axis(name, values, choices)
    low, high = min(numbers.values()), max(numbers.values())
    searched = None
    if attributes and not choices:  # a range
        searched = float(attributes["low"]), float(attributes["high"])
        low, high = min(low, searched[0]), max(high, searched[1])
    log = attributes.get("log") is True and low > 0
    whole = all(isinstance(value, int) for value in values.values())
    return Axis(name, low, high, numbers, log=log, whole=whole, searched=searched)


def _choices_axis(name: str, values: Mapping[int, Value], known: Sequence[Any]) -> Axis:
    """Return an axis of choices. `values`: trial -> choice. `known`: the choices of the space, which come first."""
    texts = {number: value_text(value) for number, value in values.items()}
    scalars = {texts[number]: to_scalar(value) for number, value in values.items()}  # as Optuna's JSON has them
    choices = sorted(scalars, key=lambda text: known.index(scalars[text]) if scalars[text] in known else len(known))
    places = {number: float(choices.index(text)) for number, text in texts.items()}
    return Axis(name, 0, len(choices) - 1, places, choices=tuple(choices))


@dataclass(frozen=True, slots=True)
class Scale:
    """Map values from `low` to `high` to pixels from `start` to `end`. Values outside map to the nearest end."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = self._position(self.low), self._position(self.high), self._position(value)
        span = high / 2 - low / 2  # halves, because the difference of two floats may overflow
        share = (at / 2 - low / 2) / span if span > 0 else 0.5
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """Return about `most` round values from `low` to `high`."""
        if not self.low < self.high:
            return [self.low]
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            powers = [10.0**power for power in range(first, last + 1)]
            if len(powers) >= 2:
                return powers[:: -(-len(powers) // most)]
        raw = self.high / most - self.low / most  # parts, because the difference of two floats may overflow
        unit = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 0.0
        step = next((factor * unit for factor in STEPS if factor * unit >= raw * (1 - 1e-9)), math.inf)
        if not (sys.float_info.min <= step < math.inf and abs(self.low) / step < 1e12):
            return [self.low, self.high]  # no round numbers lie between the ends, or they can't be computed
        first = math.ceil(self.low / step - 1e-9)
        ticks = [float(f"{index * step:.12g}") for index in range(first, first + 2 * most + 1)]
        low, high = self.low - step * 1e-9, self.high + step * 1e-9
        return [tick for tick in ticks if low <= tick <= high and math.isfinite(tick)] or [self.low]

    def _position(self, value: float) -> float:
        return math.log10(max(value, 5e-324)) if self.log else value


def axis_scale(axis: Axis, start: float, end: float) -> Scale:
    """Return a scale that maps `axis` to pixels `start` to `end`. The first and last choice lie half a step inside."""
    if axis.choices is not None:
        return Scale(-0.5, axis.high + 0.5, start, end)
    return Scale(axis.low, axis.high, start, end, axis.log)


def axis_ticks(axis: Axis, scale: Scale, most: int = 5) -> list[tuple[float, str]]:
    """Return (value, text) of every choice of the axis, or of about `most` round numbers."""
    if axis.choices is not None:
        return [(float(index), text) for index, text in enumerate(axis.choices)]
    return [(tick, axis.text(tick)) for tick in scale.ticks(most) if not axis.whole or tick == int(tick)]


@dataclass(frozen=True)
class PageContent:
    """Hold what a report shows: the record, which is read only once, and the winner's outputs on validation rows."""

    sweep: RecordedSweep
    running: bool
    outputs: ValidationOutputs | str  # of the winner on the validation rows, or why they are missing
    missed: Missed | None = None  # rows that no good trial gets right; None if the record does not keep them

    @classmethod
    def read(cls, opened: OpenSweep) -> Self:
        """Read the record. If the sweep no longer runs, compute the winner's outputs, too. Raises RecordError."""
        sweep = RecordedSweep.read(opened.folder)
        if (running := living_owner(opened.folder) is not None) or not sweep.facts.has_models:
            return cls(sweep, running, "the sweep still runs" * running)
        outputs: ValidationOutputs | str
        # A report can do without outputs, so no error of weights, a layer or the user's code may stop the report.
        try:
            outputs = "no trial has won" if sweep.best is None else read_winner_outputs(opened, sweep.training(None))
        except Exception as error:
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
        """The axes of the parameters that differ between the trials, in the order of the space."""
        known = self.sweep.facts.distributions
        names = sorted(varying_names(self.rows), key=lambda name: [*known, name].index(name))
        return [parameter_axis(name, self.rows, known.get(name)) for name in names]

    @cached_property
    def value_axis(self) -> Axis | None:
        """The axis of the objective, without the worst quarter of its values. None if no trial has a value."""
        values, objective = {row.number: row.value for row in self.rows if row.value is not None}, self.sweep.objective
        return Axis(objective.name, *clip_range(values.values(), objective), values) if values else None

    @cached_property
    def goal_axes(self) -> list[Axis]:
        axes = []
        for name in (goal.name for goal in self.sweep.objective.further):
            values = {row.number: value for row in self.rows if (value := row.metrics.get(name)) is not None}
            if values:
                whole = all(value.is_integer() for value in values.values())
                low, high = min(values.values()), max(values.values())
                axes.append(Axis(name, low, high, values, log=low > 0 and high >= WIDE * low, whole=whole))
        return axes

    @cached_property
    def colour_axis(self) -> Axis | None:
        """The axis whose choices colour the trials: the optimizer, else the first axis with few choices, or None."""
        few = [axis for axis in self.axes if axis.choices is not None and len(axis.choices) <= COLOURS]
        return min(few, key=lambda axis: axis.name != PREFERRED, default=None)

    def colour(self, number: int) -> str:
        """Return the CSS classes of trial `number` in every drawing: its colour, and ` won` for the winner."""
        place = None if self.colour_axis is None else self.colour_axis.values.get(number)
        return ("k0" if place is None else f"k{int(place) + 1}") + self.mark(number)

    def mark(self, number: int) -> str:
        """Return the CSS class ` won` if trial `number` is the winner, else ""."""
        return " won" if self.winner is not None and number == self.winner.number else ""
