"""Distributions of parameters. The constructors raise ValueError. `Float` explains the methods of all three classes."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from keras_sweep.space.text import pluralize, quote

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Scalar: TypeAlias = bool | int | float | str | None
Value: TypeAlias = Union[Scalar, tuple["Value", ...]]  # noqa: UP007  # lists become tuples: values are hashable


def _check_ends(low: float, high: float, log: bool) -> None:
    if low > high:
        raise ValueError(f"`min` must be at most `max`, but got (min={low}, max={high})")
    if log and low <= 0:
        raise ValueError(f"`min` of a log range must be above 0, but got {low}")


@dataclass(frozen=True, slots=True)
class Float:
    """Real numbers in [low, high], drawn evenly, or evenly on a log scale. With a `step`, only low + k * step."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError(f"`min` and `max` must be finite, but got (min={self.low}, max={self.high})")
        _check_ends(self.low, self.high, self.log)
        if self.step is not None and not self.step > 0:
            raise ValueError(f"`q` must be above 0, but got {self.step}")
        if self.step is not None and self.log:
            raise ValueError("`q` must be left out of a log range of real numbers")

    @property
    def size(self) -> float:
        """The number of possible values; `math.inf` without a step."""
        if self.low == self.high:
            return 1
        return math.inf if self.step is None else math.floor((self.high - self.low) / self.step + 1e-9) + 1

    def values(self) -> tuple[Value, ...]:
        """Return all possible values in order. Raises ValueError for a continuous range."""
        if self.size == math.inf:
            raise ValueError("a continuous range can't be listed")
        return tuple(self._nth(index) for index in range(int(self.size)))

    def _nth(self, index: int) -> float:
        # Twelve digits: 0.1 + 2 * 0.1 becomes 0.3, not 0.30000000000000004.
        return min(float(f"{self.low + index * (self.step or 0.0):.12g}"), self.high) if index else self.low

    def at(self, unit: float) -> Value:
        """Return the quantile `unit` in [0, 1): the value below which this share of draws falls."""
        if self.step is not None:
            return self._nth(min(int(unit * self.size), int(self.size) - 1))
        if self.log:
            value = math.exp(math.log(self.low) + unit * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + unit * (self.high - self.low)
        return min(max(value, self.low), self.high)

    def contains(self, value: Value) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        if self.step is None or self.size == 1:
            return True
        steps = (value - self.low) / self.step
        return math.isclose(steps, round(steps), rel_tol=1e-9, abs_tol=1e-6)


@dataclass(frozen=True, slots=True)
class Int:
    """Whole numbers low, low + step, ... up to high, included. With `log`, drawn evenly on a log scale."""

    low: int
    high: int
    log: bool = False
    step: int = 1

    def __post_init__(self) -> None:
        _check_ends(self.low, self.high, self.log)
        if self.step < 1:
            raise ValueError(f"`q` must be at least 1, but got {self.step}")
        if self.log and self.step != 1:
            raise ValueError(f"`q` of a log range must be 1, but got {self.step}")

    @property
    def size(self) -> float:
        return (self.high - self.low) // self.step + 1

    def values(self) -> tuple[Value, ...]:
        return tuple(range(self.low, self.high + 1, self.step))

    def at(self, unit: float) -> Value:
        if self.log:
            low, high = math.log(self.low), math.log(self.high + 1)
            return max(self.low, min(int(math.exp(low + unit * (high - low))), self.high))
        return self.low + self.step * min(int(unit * self.size), int(self.size) - 1)

    def contains(self, value: Value) -> bool:
        if isinstance(value, bool) or not isinstance(value, int):
            return False
        return self.low <= value <= self.high and (value - self.low) % self.step == 0


@dataclass(frozen=True, slots=True)
class Categorical:
    choices: tuple[Value, ...]
    probabilities: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not self.choices:
            raise ValueError("`values` must not be empty")
        if len(set(self.choices)) < len(self.choices):  # 1, 1.0 and True are equal
            raise ValueError(f"`values` must not contain a value twice, but got {list(self.choices)}")
        if self.probabilities is not None:
            if len(self.probabilities) != len(self.choices):
                counts = f"{len(self.probabilities)} for {pluralize(len(self.choices), 'value')}"
                raise ValueError(f"`probabilities` must have a number for each value, but got {counts}")
            if min(self.probabilities) < 0 or not math.isclose(sum(self.probabilities), 1.0, abs_tol=1e-6):
                raise ValueError(f"`probabilities` must be at least 0 and sum to 1, but got {list(self.probabilities)}")

    @property
    def size(self) -> float:
        return len(self.choices)

    def values(self) -> tuple[Value, ...]:
        return self.choices

    def at(self, unit: float) -> Value:
        if self.probabilities is None:
            return self.choices[min(int(unit * len(self.choices)), len(self.choices) - 1)]
        total = 0.0
        for choice, probability in zip(self.choices, self.probabilities, strict=True):
            total += probability
            if unit < total:
                return choice
        return max(zip(self.probabilities, self.choices, strict=True), key=lambda pair: pair[0] > 0)[1]

    def contains(self, value: Value) -> bool:
        return any(type(choice) is type(value) and choice == value for choice in self.choices)


Distribution: TypeAlias = Float | Int | Categorical


def normalize_value(distribution: Distribution, value: Value) -> Value:
    """Convert 1 to 1.0 for a Float, and 1.0 to 1 for an Int, since files have both. Return other values unchanged."""
    if isinstance(distribution, Float) and type(value) is int:
        return float(value)
    whole = isinstance(distribution, Int) and isinstance(value, float) and value.is_integer()
    return int(value) if whole else value  # type: ignore[arg-type]


def to_unit(distribution: Distribution, value: Value) -> float:
    """Invert `at` of a Float or Int: return the number in [0, 1] that gives `value`; the middle if several do."""
    assert isinstance(distribution, Float | Int) and isinstance(value, int | float), (distribution, value)
    low, high, step = distribution.low, distribution.high, distribution.step
    if distribution.log:
        half, over = (0.5, 1) if isinstance(distribution, Int) else (0.0, 0)
        return (math.log(value + half) - math.log(low)) / ((math.log(high + over) - math.log(low)) or 1.0)
    if step is not None:
        return (round((value - low) / step) + 0.5) / distribution.size
    return (value - low) / ((high - low) or 1.0)


def describe_range(distribution: Distribution) -> str:
    """Return the values of a distribution in words: "one of 'sgd', 'adam'" or "from 0.0001 to 1.0"."""
    if isinstance(distribution, Categorical):
        return f"one of {', '.join(map(quote, distribution.choices))}"
    steps = "" if distribution.step in (None, 1) else f" in steps of {distribution.step}"
    whole = "a whole number " if isinstance(distribution, Int) else ""
    return f"{whole}from {distribution.low} to {distribution.high}{steps}"


def unite_distributions(distributions: Sequence[Distribution]) -> Distribution:
    """Return a distribution that contains all values of `distributions`. If any is a range, texts are left out."""
    if len(distributions) == 1:
        return distributions[0]
    if all(isinstance(part, Categorical) for part in distributions):
        return Categorical(tuple(dict.fromkeys(value for part in distributions for value in part.values())))
    limits = [part.choices if isinstance(part, Categorical) else (part.low, part.high) for part in distributions]
    ends = [end for values in limits for end in values if isinstance(end, int | float)]
    log = any(getattr(part, "log", False) for part in distributions) and min(ends) > 0
    if all(isinstance(end, int) for end in ends):
        return Int(int(min(ends)), int(max(ends)), log)
    return Float(min(ends), max(ends), log)


def to_value(plain: Any) -> Value:
    """Convert a value from a YAML or JSON file to a trial's value: a list becomes a tuple, which is hashable."""
    return tuple(map(to_value, plain)) if isinstance(plain, list | tuple) else plain


def to_scalar(value: Value) -> Scalar:
    """Convert a tuple to JSON text, since Optuna's choices can't be tuples. Return other values unchanged."""
    return json.dumps(value) if isinstance(value, tuple) else value


def to_optuna(distribution: Distribution) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(distribution, Categorical):
        return CategoricalDistribution([to_scalar(choice) for choice in distribution.choices])
    if isinstance(distribution, Float):
        return FloatDistribution(distribution.low, distribution.high, log=distribution.log, step=distribution.step)
    return IntDistribution(distribution.low, distribution.high, log=distribution.log, step=distribution.step)
