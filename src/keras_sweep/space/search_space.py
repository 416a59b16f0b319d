"""What is searched, and what ranks trials: parameters, some conditional on others, beside constants; the objective."""

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

Params: TypeAlias = Mapping[str, Value]  # a trial's values, constants included
MOST_LISTED = 100_000  # points of a space
MEASURED = ("parameters", "flops", "predict_seconds", "train_seconds")  # goals that no epoch logs; less is better
_SHARES = ("accuracy", "acc", "auc", "precision", "recall")  # metrics, or how their names end


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
    """One searched parameter, or one case of it, where its distribution depends on other parameters."""

    name: str
    distribution: Distribution
    when: tuple[Condition, ...] = ()  # all must hold
    case: int = 0  # of several, whose conditions never hold together; they count from 1
    default: Value = field(default=None, compare=False)  # of a KerasTuner model's hyperparameter

    @property
    def key(self) -> str:
        """What samplers know it by, of which each name has one distribution: `learning_rate@1` of the first case."""
        return f"{self.name}@{self.case}" if self.case else self.name

    def active(self, params: Params) -> bool:
        """Whether a trial with these values has the parameter."""
        return all(condition.holds(params) for condition in self.when)


@dataclass(frozen=True)
class SearchSpace:
    """Parameters in an order in which every condition looks back, and the constants that every trial shares."""

    parameters: tuple[Parameter, ...]
    constants: Params = field(default_factory=dict)
    where: tuple[str, ...] = ()  # constraints, which all of its points meet

    def __post_init__(self) -> None:
        known = set(self.constants)
        for parameter in self.parameters:
            if parameter.name in known and not parameter.case:
                raise ValueError(f"parameter {parameter.name!r} is there twice")
            for condition in parameter.when:
                if condition.parameter not in known:
                    raise ValueError(
                        f"{parameter.name!r} depends on {condition.parameter!r}, which does not come before it"
                    )
            known.add(parameter.name)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all that a trial may have: the constants, then the parameters, those with cases once for each."""
        return *self.constants, *(parameter.name for parameter in self.parameters)

    @cached_property
    def size(self) -> float:
        """The number of different trials; infinite where a range is continuous, or where conditions make very many."""
        if self.where and replace(self, where=()).size > MOST_LISTED:  # as many would be tried
            return math.inf
        if not self.where and not any(parameter.when for parameter in self.parameters):
            sizes = [parameter.distribution.size for parameter in self.parameters]
            return math.inf if math.inf in sizes else math.prod(sizes)
        try:
            count = sum(1 for _ in islice(self.points(), MOST_LISTED + 1))
        except ValueError:  # of a continuous range
            return math.inf
        return count if count <= MOST_LISTED else math.inf

    @property
    def distributions(self) -> dict[str, Distribution]:
        """By name; of a parameter with cases one that has the values of all."""
        cases: dict[str, list[Distribution]] = {}
        for parameter in self.parameters:
            cases.setdefault(parameter.name, []).append(parameter.distribution)
        return {name: unite_distributions(drawn) for name, drawn in cases.items()}

    def least_and_most(self, name: str, default: int) -> tuple[int, int]:
        """What a trial may have of a parameter that is a whole number."""
        searched = self.distributions.get(name)
        if isinstance(searched, Int):
            return searched.low, searched.high
        values = searched.values() if searched else (self.constants.get(name, default),)
        known = [value for value in values if isinstance(value, int)]
        return min(known), max(known)

    def points(self) -> Iterator[dict[str, Value]]:
        """All different trials, constants included, in the order of the file. Raises ValueError if infinite."""
        found = iter([dict(self.constants)])
        for parameter in self.parameters:
            found = _with_values(found, parameter)
        return filter(self.allows, found) if self.where else found

    def at(self, units: Iterator[float]) -> dict[str, Value]:
        """The trial at a point of the unit cube: one number in [0, 1) a parameter, drawn also for inactive ones."""
        places = {parameter.name: next(units) for parameter in self.parameters}
        return self.assign_values(lambda parameter: parameter.distribution.at(places[parameter.name]))

    def drawn(self, unit: Callable[[], float]) -> dict[str, Value] | None:
        """The first random point that `where` allows, `unit` drawing from [0, 1); None where there is hardly any."""
        for _ in range(MOST_LISTED):
            point = self.at(iter([unit() for _ in self.parameters]))
            if self.allows(point):
                return point
        return None

    def example(self, place: float) -> dict[str, Value]:
        """The trial at one place in [0, 1) of every range; a random one instead where `where` does not allow it."""
        point = self.at(repeat(place))
        return point if self.allows(point) else self.drawn(random.Random(place).random) or point

    def allows(self, params: Params) -> bool:
        """Whether values meet all of `where`; those of which one can't be computed do not."""
        try:
            return all(parse_constraint(text).holds(params) for text in self.where)
        except (ArithmeticError, TypeError, ValueError):
            return False

    def assign_values(self, value_of: Callable[[Parameter], Value], given: Params | None = None) -> dict[str, Value]:
        """A trial with a value, if there is one the `given`, for each parameter that those before it make active."""
        params, given = dict(self.constants), given or {}
        for parameter in self.parameters:
            if parameter.active(params):
                params[parameter.name] = given[parameter.name] if parameter.name in given else value_of(parameter)
        return params

    def fill_point(self, given: Params, others: Params) -> dict[str, Value]:
        """The trial with the given values, else with those of `others` that fit, else in the middle of their ranges."""

        def value_of(parameter: Parameter) -> Value:
            value, drawn = others.get(parameter.name), parameter.distribution
            return value if drawn.contains(value) else drawn.at(0.5)

        return self.assign_values(value_of, given)

    def match_values(self, params: Params) -> list[tuple[Parameter, Value]] | None:
        """The active parameters of a trial with their values; None where a value is not of its parameter's."""
        active = [(one, params.get(one.name)) for one in self.parameters if one.active(params)]
        return active if all(parameter.distribution.contains(value) for parameter, value in active) else None

    def normalize_point(self, given: Params) -> dict[str, Value]:
        """The given values of some parameters, each as its distribution draws it."""
        known = self.distributions
        return {name: normalize_value(known[name], value) if name in known else value for name, value in given.items()}

    def misfits(self, given: Params) -> dict[str, str]:
        """Name -> why no trial has this value (as drawn), or none without another one; "" -> why none has them all."""
        faults: dict[str, str] = {}
        for name, value in given.items():
            cases = [one for one in self.parameters if one.name == name]
            fits = [one for one in cases if one.distribution.contains(value)]
            active = [one for one in cases if one.active({**self.constants, **given})]
            if not cases:
                if name not in self.constants:
                    faults[name] = "is no parameter of this search"
                elif value != self.constants[name]:
                    faults[name] = f"is {quote(self.constants[name])} in every trial, but got {quote(value)}"
            elif not any(one in fits for one in active or cases):
                faults[name] = f"must be {describe_range((active or cases)[0].distribution)}, but got {quote(value)}"
            elif not active:
                needed = join(f"{one.parameter}: {join(map(str, one.values), 'or')}" for one in fits[0].when)
                faults[name] = f"is there only beside `{needed}`"
        whole = self.assign_values(lambda _: None, given)
        return faults if faults or None in whole.values() or self.allows(whole) else {"": "is ruled out by `where`"}


def _with_values(points: Iterator[dict[str, Value]], parameter: Parameter) -> Iterator[dict[str, Value]]:
    """The points, each with every value of the parameter where that is active."""
    for point in points:
        if parameter.active(point):
            yield from ({**point, parameter.name: value} for value in parameter.distribution.values())
        else:
            yield point


def sort_parameters(parameters: Iterable[Parameter]) -> tuple[Parameter, ...]:
    """In an order in which every condition looks back, otherwise as given."""
    left, ordered = list(parameters), list[Parameter]()
    while left:
        names = {parameter.name for parameter in left}
        ready = (one for one in left if not any(condition.parameter in names for condition in one.when))
        ordered.append(next(ready, left[0]))
        left.remove(ordered[-1])
    return tuple(ordered)


def identity(params: Params) -> tuple[tuple[str, Value], ...]:
    """A hashable key: equal for two trials exactly when they have the same values."""
    return tuple(sorted((name, value) for name, value in params.items()))


class Goal(StrEnum):
    """The direction of the objective."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


@dataclass(frozen=True, slots=True)
class Objective:
    """The recorded metric that ranks trials, and what else is wanted of them."""

    name: str  # as Keras logs it: "val_accuracy", "val_loss"; of a further goal it may be one of `MEASURED`
    goal: Goal
    take_best: bool = field(default=False, repr=False)  # a trial's best epoch counts, not its last
    epochs_from: int = field(default=0, repr=False)  # its best epoch from this one on is its `epochs`; 0: it is not
    further: tuple["Objective", ...] = field(default=(), repr=False)  # goals beside this one: trials make up a front
    where: str = field(default="", repr=False)  # a constraint over goals, which the winner meets

    @property
    def directions(self) -> tuple[Goal, ...]:
        """Its own, and that of each further goal."""
        return self.goal, *(one.goal for one in self.further)

    @property
    def is_share(self) -> bool:
        """Whether its values lie in [0, 1]: their differences are told in points, which are hundredths."""
        return self.name.endswith(_SHARES)

    def key(self, value: float) -> float:
        """A sort key: smaller is better."""
        return -value if self.goal is Goal.MAXIMIZE else value

    def better(self, a: float, b: float) -> bool:
        """Whether a is strictly better than b."""
        return self.key(a) < self.key(b)
