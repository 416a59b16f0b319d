"""Finds the hyperparameters of a `build(hp)` by building a few models, and what each of them changes of the model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from keras_sweep.errors import ModelError
from keras_sweep.models.hyper_parameters import parameters_of
from keras_sweep.models.model_facts import ModelFacts, model_facts
from keras_sweep.space.distributions import Categorical, Float, Int, Value
from keras_sweep.space.search_space import Condition, Parameter

Values: TypeAlias = Mapping[str, Value]  # by the hyperparameters' own names

PREFIX = "model."
MOST_BUILDS = 100  # while discovering
MOST_VALUES = 16  # of one hyperparameter, that are tried


@dataclass
class Exploration:
    """Builds with one value changed at a time, and what each build asked for."""

    build: Callable[[Values], tuple[Any, Any]]
    fixed: dict[str, Value]
    builds: int = 0
    variants: list[Any] = field(default_factory=list)  # every hyperparameter met, by name and conditions
    found_in: dict[str, Values] = field(default_factory=dict)  # name -> the values with which it was first asked for
    # name -> its tried values -> the names that are asked for then
    asked: dict[str, dict[Value, frozenset[str]]] = field(default_factory=dict)
    # name -> the models that differ in its value alone
    models: dict[str, list[ModelFacts]] = field(default_factory=dict)

    def run(self) -> None:
        self._try({})
        done: set[str] = set()
        while self.builds < MOST_BUILDS:
            name = next((name for name in self.found_in if name not in done), None)
            if name is not None:
                self._vary(name)
            else:  # scopes that no build so far was in
                unmet = (one for one in self.variants if one.name not in self.found_in and one.name not in done)
                hidden = next(unmet, None)
                if hidden is None:
                    return
                name = hidden.name
                self._try(self._entering(hidden.conditions))
            done.add(name)

    def _vary(self, name: str) -> None:
        hyper_parameter = next(one for one in self.variants if one.name == name)
        parameter = parameters_of([hyper_parameter])[0]
        self.asked[name] = {}
        for value in _probes(parameter):
            self._probe(name, value)
        if isinstance(parameter.distribution, Float):  # its ends may be where no model can be built
            with contextlib.suppress(ModelError):
                self._probe(name, parameter.distribution.low)
                self._probe(name, parameter.distribution.high)
        if len(set(self.asked[name].values())) > 1:
            listed = _all_values(parameter)
            for value in listed:
                self._probe(name, value)
            asked = self.asked[name]
            # Only where every value was tried is it known with which of them something is asked for.
            self.asked[name] = {value: asked[value] for value in listed} if set(listed) == set(asked) else {}

    def _entering(self, conditions: Sequence[Any]) -> Values:
        values: dict[str, Value] = {}
        for condition in conditions:
            values.update(self.found_in.get(condition.name, {}))
            values[condition.name] = condition.values[0]
        return values

    def parameters(self) -> tuple[Parameter, ...]:
        names = list(dict.fromkeys((*self.found_in, *(variant.name for variant in self.variants))))
        met = sorted(self.variants, key=lambda variant: names.index(variant.name))
        free = [one for one in met if one.name not in self.fixed]
        wanted = {condition.name for one in free for condition in one.conditions}
        kept = [one for one in free if type(one).__name__ != "Fixed" or one.name in wanted]
        parameters = parameters_of(kept, PREFIX)
        return ordered(tuple(self._conditioned(parameter) for parameter in parameters))

    def _conditioned(self, parameter: Parameter) -> Parameter:
        name = parameter.name.removeprefix(PREFIX)
        given = {condition.parameter for condition in parameter.when}
        inferred = [
            Condition(PREFIX + parent, there)
            for parent, asked in self.asked.items()
            if parent != name and PREFIX + parent not in given and parent not in self.fixed
            if (there := tuple(value for value, names in asked.items() if name in names))
            if len(there) < len(asked)
        ]
        return replace(parameter, when=(*parameter.when, *inferred))

    def _probe(self, name: str, value: Value) -> None:
        if name not in self.fixed and value not in self.asked[name] and self.builds < MOST_BUILDS:
            self.asked[name][value] = self._try({**self.found_in[name], name: value}, name)

    def _try(self, values: Values, varied: str | None = None) -> frozenset[str]:
        self.builds += 1
        model, hyper_parameters = self.build({**values, **self.fixed})
        active = [one for one in hyper_parameters.space if hyper_parameters.is_active(one)]
        for one in hyper_parameters.space:
            if not any(known.name == one.name and known.conditions == one.conditions for known in self.variants):
                self.variants.append(one)
        for one in active:
            self.found_in.setdefault(one.name, values)
        if varied is not None:
            self.models.setdefault(varied, []).append(model_facts(model))
        return frozenset(one.name for one in active)


def _probes(parameter: Parameter) -> Iterator[Value]:
    """Values that may lead to other code: every choice, and both ends of a range of whole numbers."""
    if isinstance(parameter.distribution, Categorical):
        yield from parameter.distribution.choices[:MOST_VALUES]
    elif isinstance(parameter.distribution, Int):
        yield parameter.distribution.low
        yield parameter.distribution.values()[-1]


def _all_values(parameter: Parameter) -> tuple[Value, ...]:
    distribution = parameter.distribution
    return distribution.values() if distribution.size <= MOST_VALUES else ()


def ordered(parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """In an order in which every condition looks back, otherwise as given."""
    names = {parameter.name for parameter in parameters}
    left, placed, out = list(parameters), set[str](), list[Parameter]()
    while left:
        ready = [
            one for one in left if all(c.parameter in placed or c.parameter not in names for c in one.when)
        ] or left[:1]
        first = ready[0]
        left.remove(first)
        placed.add(first.name)
        out.append(first)
    return tuple(out)
