"""Finds the hyperparameters of a `build(hp)` by building a few models, and what each of them changes of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from keras_sweep.errors import ModelError
from keras_sweep.models.hyper_parameters import parameters_of
from keras_sweep.models.model_facts import ModelFacts, model_facts
from keras_sweep.space.distributions import Categorical, Int, Value
from keras_sweep.space.search_space import Condition, Parameter

Values: TypeAlias = Mapping[str, Value]  # by the hyperparameters' own names

PREFIX = "model."
MOST_BUILDS = 100  # while discovering
MOST_FAULTS = 16  # builds that raise before any does not
MOST_VALUES = 16  # of one hyperparameter, that are tried


@dataclass
class Exploration:
    """Builds with one value changed at a time, and what each build asked for."""

    build: Callable[[Any], Any]  # of `keras_tuner.HyperParameters` a model; raises ModelError
    fixed: dict[str, Value]
    builds: int = 0
    faults: list[ModelError] = field(default_factory=list)  # of the builds that raised
    variants: list[Any] = field(default_factory=list)  # every hyperparameter met, by name and conditions
    found_in: dict[str, Values] = field(default_factory=dict)  # name -> the values with which it was first asked for
    unsure: set[str] = field(default_factory=set)  # names met so far only in builds that raised
    done: set[str] = field(default_factory=set)  # names whose values have been tried
    # name -> its tried values -> the names that are asked for then, and whether those are all: the build did not raise
    asked: dict[str, dict[Value, tuple[frozenset[str], bool]]] = field(default_factory=dict)
    # name -> the models that differ in its value alone
    models: dict[str, list[ModelFacts]] = field(default_factory=dict)

    def run(self) -> None:
        """Build until all is known. Raises ModelError where no build gives a model."""
        self._try({})
        while self._may_build():
            name = next((name for name in self.found_in if name not in self.done), None)
            if name is not None:
                self._vary(name)
            else:  # scopes that no build so far was in
                unmet = (one for one in self.variants if one.name not in {*self.found_in, *self.done})
                hidden = next(unmet, None)
                if hidden is None:
                    break
                name = hidden.name
                self._try(self._entering(hidden.conditions))
            self.done.add(name)
        if len(self.faults) == self.builds:
            raise self.faults[0]

    def _may_build(self) -> bool:
        return self.builds < (MOST_FAULTS if len(self.faults) == self.builds else MOST_BUILDS)

    def _vary(self, name: str) -> None:
        hyper_parameter = next(one for one in self.variants if one.name == name)
        parameter = parameters_of([hyper_parameter])[0]
        self.asked[name] = {}
        for value in _probes(parameter):
            self._probe(name, value)
        if len({names for names, _ in self.asked[name].values()}) > 1:
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
            if any(name in names for names, _ in asked.values())
            if len(there := tuple(value for value, (names, whole) in asked.items() if name in names or not whole))
            < len(asked)
        ]
        return replace(parameter, when=(*parameter.when, *inferred))

    def _probe(self, name: str, value: Value) -> None:
        if name not in self.fixed and value not in self.asked[name] and self._may_build():
            self.asked[name][value] = self._try({**self.found_in[name], name: value}, name)

    def _try(self, values: Values, varied: str | None = None) -> tuple[frozenset[str], bool]:
        self.builds += 1
        model, hyper_parameters = None, asking({**values, **self.fixed})
        try:
            model = self.build(hyper_parameters)
        except ModelError as fault:  # a trial there fails; what was asked for before is known all the same
            self.faults.append(fault)
        active = [one for one in hyper_parameters.space if hyper_parameters.is_active(one)]
        for one in hyper_parameters.space:
            if not any(known.name == one.name and known.conditions == one.conditions for known in self.variants):
                self.variants.append(one)
        for one in active:
            if one.name not in self.found_in or (one.name in self.unsure and model is not None):
                self.found_in[one.name] = values
                self.done.discard(one.name)
                (self.unsure.add if model is None else self.unsure.discard)(one.name)
        if varied is not None and model is not None:
            self.models.setdefault(varied, []).append(model_facts(model))
        return frozenset(one.name for one in active), model is not None


def asking(values: Values) -> Any:
    """`keras_tuner.HyperParameters` with these values; others have their defaults."""
    import keras_tuner

    hyper_parameters = keras_tuner.HyperParameters()
    hyper_parameters.values = dict(values)
    return hyper_parameters


def _probes(parameter: Parameter) -> Iterator[Value]:
    """Values that may lead to other code: every choice, and both ends of a range."""
    if isinstance(parameter.distribution, Categorical):
        yield from parameter.distribution.choices[:MOST_VALUES]
    elif isinstance(parameter.distribution, Int):
        yield parameter.distribution.low
        yield parameter.distribution.values()[-1]
    else:
        yield parameter.distribution.low
        yield parameter.distribution.high


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
