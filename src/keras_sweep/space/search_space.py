"""The search space (parameters, conditions, constants, constraints) and the objective that ranks trials."""

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from itertools import islice, repeat
from typing import TypeAlias

from keras_sweep.space.constraint import parse_constraint
from keras_sweep.space.distributions import (
    Distribution,
    Int,
    Value,
    describe_range,
    normalize_value,
    unite_distributions,
)
from keras_sweep.space.text import join, quote

Params: TypeAlias = Mapping[str, Value]  # a trial's values, with constants
MOST_LISTED = 100_000  # configurations of a space
WEIGHTS = "parameters"  # in `where`: the number of weights of a trial's model
MEASURED = (WEIGHTS, "flops", "predict_seconds", "train_seconds")  # goals that no epoch logs; less is better
_SHARES = ("accuracy", "acc", "auc", "precision", "recall")  # names of metrics, or their ends


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in a parameter's `when`: the trial has the parameter named `parameter`, with any of `values`."""

    parameter: str
    values: tuple[Value, ...]

    def is_met(self, params: Params) -> bool:
        return self.parameter in params and params[self.parameter] in self.values


@dataclass(frozen=True, slots=True)
class Parameter:
    """A searched parameter and its distribution.
    A parameter with several distributions, each for another `when`, has a `Parameter` for each of them: a case."""

    name: str
    distribution: Distribution
    when: tuple[Condition, ...] = ()  # all must hold
    case: int = 0  # number of the case, from 1; the conditions of two cases never hold together
    default: Value = field(default=None, compare=False)  # from a KerasTuner model

    @property
    def key(self) -> str:
        """The name that samplers use, different for each case of a parameter: "learning_rate@1" is the first case."""
        return f"{self.name}@{self.case}" if self.case else self.name

    def is_active(self, params: Params) -> bool:
        """Return whether a trial with the values `params` has this parameter."""
        return all(condition.is_met(params) for condition in self.when)


@dataclass(frozen=True)
class SearchSpace:
    """The constants of every trial, and its parameters. Each parameter comes after the parameters in its `when`."""

    parameters: tuple[Parameter, ...]
    constants: Params = field(default_factory=dict)
    where: tuple[str, ...] = ()  # constraints on every configuration
    count_weights: Callable[[Params], int] | None = field(default=None, compare=False)  # known once the data are read

    def __post_init__(self) -> None:
        known = set(self.constants)
        for parameter in self.parameters:
            if parameter.name in known and not parameter.case:
                raise ValueError(f"parameter {parameter.name!r} occurs twice")
            for condition in parameter.when:
                if condition.parameter not in known:
                    raise ValueError(f"{parameter.name!r} must come after {condition.parameter!r}")
            known.add(parameter.name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of constants, then of parameters. A parameter with cases occurs once for each case."""
        return *self.constants, *(parameter.name for parameter in self.parameters)

    @property
    def limits_weights(self) -> bool:
        """Whether `parameters` in `where` is the number of weights, and no parameter of the space."""
        return WEIGHTS not in self.names and any(WEIGHTS in parse_constraint(text).names for text in self.where)

    @cached_property
    def size(self) -> float:
        """The number of configurations; `math.inf` for a continuous range, or above 100,000 with `when` or `where`."""
        if self.count_weights is not None:  # models with too many weights count, too: each would need a build
            return replace(self, count_weights=None).size
        if self.where and replace(self, where=()).size > MOST_LISTED:  # too many to check each
            return math.inf
        if not self.where and not any(parameter.when for parameter in self.parameters):
            sizes = [parameter.distribution.size for parameter in self.parameters]
            return math.inf if math.inf in sizes else math.prod(sizes)
        try:
            count = sum(1 for _ in islice(self.points(), MOST_LISTED + 1))
        except ValueError:  # a continuous range
            return math.inf
        return count if count <= MOST_LISTED else math.inf

    @property
    def distributions(self) -> dict[str, Distribution]:
        """Parameter -> distribution. If a parameter has several cases, its distribution has the values of all cases."""
        cases: dict[str, list[Distribution]] = {}
        for parameter in self.parameters:
            cases.setdefault(parameter.name, []).append(parameter.distribution)
        return {name: unite_distributions(drawn) for name, drawn in cases.items()}

    def get_bounds(self, name: str, default: int) -> tuple[int, int]:
        """Return the (least, greatest) whole number that `name` can have; (default, default) if there is no `name`."""
        distribution = self.distributions.get(name)
        if isinstance(distribution, Int):
            return distribution.low, distribution.high
        values = distribution.values() if distribution else (self.constants.get(name, default),)
        numbers = [value for value in values if isinstance(value, int)]
        return min(numbers), max(numbers)

    def points(self) -> Iterator[dict[str, Value]]:
        """Yield the configurations that `where` allows, in the space file's order. Raises ValueError if endless."""
        points = iter([dict(self.constants)])
        for parameter in self.parameters:
            points = _add_values(points, parameter)
        return filter(self.allows, points) if self.where else points

    def at(self, units: Iterator[float]) -> dict[str, Value]:
        """Return the configuration at quantiles: `units` yields a number in [0, 1) for each parameter, in their
        order."""
        places = {parameter.name: next(units) for parameter in self.parameters}
        return self.assign_values(lambda parameter: parameter.distribution.at(places[parameter.name]))

    def drawn(self, unit: Callable[[], float]) -> dict[str, Value] | None:
        """Return a random configuration that `where` allows; None after 100,000 draws. `unit` draws from [0, 1)."""
        for _ in range(MOST_LISTED):
            point = self.at(iter([unit() for _ in self.parameters]))
            if self.allows(point):
                return point
        return None

    def make_example(self, place: float) -> dict[str, Value]:
        """Return the configuration at the quantile `place` of each parameter; 0.5 is the median.
        If `where` forbids this configuration, returns a random configuration that `where` allows."""
        point = self.at(repeat(place))
        return point if self.allows(point) else self.drawn(random.Random(place).random) or point

    def allows(self, params: Params) -> bool:
        """Return whether `params` meet all constraints. A constraint that can't be computed is not met."""
        if self.count_weights is not None:
            params = {**params, WEIGHTS: self.count_weights(params)}
        try:
            return all(parse_constraint(text).is_met(params) for text in self.where)
        except (ArithmeticError, TypeError, ValueError):
            return False

    def assign_values(self, value_of: Callable[[Parameter], Value], fixed: Params | None = None) -> dict[str, Value]:
        """Return a configuration. Each active parameter gets its value in `fixed`, or else `value_of(parameter)`."""
        params, fixed = dict(self.constants), fixed or {}
        for parameter in self.parameters:
            if parameter.is_active(params):
                params[parameter.name] = fixed[parameter.name] if parameter.name in fixed else value_of(parameter)
        return params

    def fill_point(self, fixed: Params, defaults: Params) -> dict[str, Value]:
        """Return a configuration with the values `fixed`.
        Other parameters have their values in `defaults`, or their medians if the value is missing or out of range."""

        def value_of(parameter: Parameter) -> Value:
            value, drawn = defaults.get(parameter.name), parameter.distribution
            return value if drawn.contains(value) else drawn.at(0.5)

        return self.assign_values(value_of, fixed)

    def match_values(self, params: Params) -> list[tuple[Parameter, Value]] | None:
        """Return (active parameter, value) pairs of a trial; None if a value is missing or not in its distribution."""
        active = [
            (parameter, params.get(parameter.name)) for parameter in self.parameters if parameter.is_active(params)
        ]
        return active if all(parameter.distribution.contains(value) for parameter, value in active) else None

    def normalize_point(self, params: Params) -> dict[str, Value]:
        """Convert each value to the type of its distribution: 1 to 1.0 for a Float, 1.0 to 1 for an Int."""
        known = self.distributions
        return {name: normalize_value(known[name], value) if name in known else value for name, value in params.items()}

    def find_misfits(self, params: Params) -> dict[str, str]:
        """Return parameter -> why no trial can have its value: "must be from 0.1 to 1.0, but got 2.0".
        Returns {} if a trial can have all values, and {"": "does not meet `where`"} if only their combination is
        impossible. Call `normalize_point` before."""
        faults: dict[str, str] = {}
        for name, value in params.items():
            cases = [parameter for parameter in self.parameters if parameter.name == name]
            fits = [case for case in cases if case.distribution.contains(value)]
            active = [case for case in cases if case.is_active({**self.constants, **params})]
            if not cases:
                if name not in self.constants:
                    faults[name] = "is not a parameter of this search"
                elif value != self.constants[name]:
                    faults[name] = f"must be {quote(self.constants[name])}, as in every trial, but got {quote(value)}"
            elif not any(case in fits for case in active or cases):
                faults[name] = f"must be {describe_range((active or cases)[0].distribution)}, but got {quote(value)}"
            elif not active:
                needed = join(f"{need.parameter}: {join(map(str, need.values), 'or')}" for need in fits[0].when)
                faults[name] = f"exists only in trials with `{needed}`"
        whole = self.assign_values(lambda _: None, params)
        return faults if faults or None in whole.values() or self.allows(whole) else {"": "does not meet `where`"}


def _add_values(points: Iterator[dict[str, Value]], parameter: Parameter) -> Iterator[dict[str, Value]]:
    for point in points:
        if parameter.is_active(point):
            yield from ({**point, parameter.name: value} for value in parameter.distribution.values())
        else:
            yield point


def sort_parameters(parameters: Iterable[Parameter]) -> tuple[Parameter, ...]:
    """Move each parameter after the parameters that its conditions name. Other parameters keep their order."""
    left, ordered = list(parameters), list[Parameter]()
    while left:
        names = {parameter.name for parameter in left}
        ready = (parameter for parameter in left if not any(need.parameter in names for need in parameter.when))
        ordered.append(next(ready, left[0]))
        left.remove(ordered[-1])
    return tuple(ordered)


def identity(params: Params) -> tuple[tuple[str, Value], ...]:
    """Return a hashable key of a configuration. Keys of two configurations are equal if all values are equal."""
    return tuple(sorted((name, value) for name, value in params.items()))


class Goal(StrEnum):
    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


@dataclass(frozen=True, slots=True)
class Objective:
    """The recorded metric that ranks trials, its direction, further goals, and a condition for the winner."""

    name: str  # as Keras logs the metric: "val_accuracy"; a further goal may be in `MEASURED`
    goal: Goal
    take_best: bool = field(default=False, repr=False)  # whether a trial's best epoch counts, not the last epoch
    # If not 0, `epochs` is not searched: a trial's best epoch, from this number on, is the value of `epochs`.
    epochs_from: int = field(default=0, repr=False)
    further: tuple["Objective", ...] = field(default=(), repr=False)  # if any, the best trials form a Pareto front
    where: str = field(default="", repr=False)  # a constraint over goals that the winner must meet

    @property
    def directions(self) -> tuple[Goal, ...]:
        """The directions of all goals: of this objective, then of `further`."""
        return self.goal, *(objective.goal for objective in self.further)

    @property
    def is_share(self) -> bool:
        """Whether the metric's values are in [0, 1]. If so, messages show differences in points (hundredths)."""
        return self.name.endswith(_SHARES)

    def key(self, value: float) -> float:
        return -value if self.goal is Goal.MAXIMIZE else value

    def is_better(self, a: float, b: float) -> bool:
        return self.key(a) < self.key(b)
