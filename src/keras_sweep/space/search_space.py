"""The search space: named parameters, some of them conditional on others, beside constants."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from keras_sweep.space.distributions import Distribution, Value

Params: TypeAlias = Mapping[str, Value]  # a trial's values, constants included


@dataclass(frozen=True, slots=True)
class Condition:
    """The parameter exists only in trials where `parameter` has one of `values`."""

    parameter: str
    values: tuple[Value, ...]

    def holds(self, params: Params) -> bool:
        """Whether it holds for the values drawn so far."""
        return self.parameter in params and params[self.parameter] in self.values


@dataclass(frozen=True, slots=True)
class Parameter:
    """One searched parameter."""

    name: str
    distribution: Distribution
    when: tuple[Condition, ...] = ()  # all must hold

    def active(self, params: Params) -> bool:
        """Whether a trial with these values has the parameter."""
        return all(condition.holds(params) for condition in self.when)


@dataclass(frozen=True)
class SearchSpace:
    """Parameters in an order in which every condition looks back, and the constants that every trial shares."""

    parameters: tuple[Parameter, ...]
    constants: Params = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = set(self.constants)
        for parameter in self.parameters:
            if parameter.name in known:
                raise ValueError(f"parameter {parameter.name!r} is there twice")
            for condition in parameter.when:
                if condition.parameter not in known:
                    raise ValueError(
                        f"{parameter.name!r} depends on {condition.parameter!r}, which does not come before it"
                    )
            known.add(parameter.name)

    @cached_property
    def size(self) -> float:
        """The number of different trials; infinite where a range is continuous."""
        if not any(parameter.when for parameter in self.parameters):
            return math.prod(parameter.distribution.size for parameter in self.parameters)
        return self._count(0, dict(self.constants))

    @property
    def finite(self) -> bool:
        """Whether the different trials can be counted."""
        return self.size != math.inf

    def _count(self, index: int, params: dict[str, Value]) -> float:
        if index == len(self.parameters):
            return 1
        parameter = self.parameters[index]
        if not parameter.active(params):
            return self._count(index + 1, params)
        watched = {
            value
            for later in self.parameters[index + 1 :]
            for condition in later.when
            if condition.parameter == parameter.name
            for value in condition.values
        }
        watched = {value for value in watched if parameter.distribution.contains(value)}
        total = 0.0
        for value in watched:  # only values that a condition names change what follows
            total += self._count(index + 1, {**params, parameter.name: value})
        others = parameter.distribution.size - len(watched)
        return total + (others * self._count(index + 1, params) if others else 0)

    def points(self) -> Iterator[dict[str, Value]]:
        """All different trials, constants included, in the order of the file. Raises ValueError if infinite."""
        return self._points(0, dict(self.constants))

    def _points(self, index: int, params: dict[str, Value]) -> Iterator[dict[str, Value]]:
        if index == len(self.parameters):
            yield params
            return
        parameter = self.parameters[index]
        if not parameter.active(params):
            yield from self._points(index + 1, params)
            return
        for value in parameter.distribution.values():
            yield from self._points(index + 1, {**params, parameter.name: value})

    def at(self, units: Iterator[float]) -> dict[str, Value]:
        """The trial at a point of the unit cube: one number in [0, 1) a parameter, drawn also for inactive ones."""
        params = dict(self.constants)
        for parameter in self.parameters:
            unit = next(units)
            if parameter.active(params):
                params[parameter.name] = parameter.distribution.at(unit)
        return params


def identity(params: Params) -> tuple[tuple[str, Value], ...]:
    """A hashable key: equal for two trials exactly when they have the same values."""
    return tuple(sorted((name, value) for name, value in params.items()))
