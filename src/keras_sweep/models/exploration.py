"""Finds the hyperparameters of a HyperModel or `build(hp)` function, which become parameters `model.NAME`.

KerasTuner meets a hyperparameter only when a build asks for it; here the space is known before the first trial, so the
model is built a few times with other values, to see what is asked for when. The usual
`for i in range(hp.Int("layers", 1, 3)): hp.Int(f"units_{i}", ...)` thus gives `model.units_2` with the condition
`model.layers: [3]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from keras_sweep.errors import ModelError
from keras_sweep.models.build import builder, name_of
from keras_sweep.models.hyper_model import asking, parameters_of
from keras_sweep.space.distributions import Categorical, Int, Value
from keras_sweep.space.search_space import Condition, Parameter, SearchSpace
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.trial.plan import MODEL_PREFIX

Values: TypeAlias = Mapping[str, Value]  # by the hyperparameters' own names

MOST_BUILDS = 100  # while discovering
MOST_FAULTS = 16  # builds that raise before any does not
MOST_VALUES = 16  # of one hyperparameter, that are tried


def explored_space(
    spec: SweepSpec, found: object, *, input_shape: tuple[int, ...] = (), classes: int | None = None
) -> SweepSpec:
    """The sweep with the hyperparameters of its model among its parameters.

    What the space file says of `model.NAME` wins: a range of its own, or a fixed value, which becomes a constant.

    Raises:
        ModelError: as `explored`; or the file gives a model argument that the model has no hyperparameter for.
    """
    space = spec.space
    constants = {_bare(name): value for name, value in space.constants.items() if name.startswith(MODEL_PREFIX)}
    fixed = {**spec.model.arguments, **constants}
    discovered = explored(found, input_shape=input_shape, classes=classes, fixed=fixed)
    known = {_bare(parameter.name) for parameter in discovered}
    own = [parameter.name for parameter in space.parameters if parameter.name.startswith(MODEL_PREFIX)]
    for name in own:
        if _bare(name) not in known:
            raise _no_hyper_parameter(_bare(name), spec.model.source, known)
    new = [parameter for parameter in discovered if parameter.name not in own]
    constants = {**space.constants, **{MODEL_PREFIX + name: value for name, value in fixed.items()}}
    return replace(spec, space=SearchSpace(_ordered((*space.parameters, *new)), constants))


def explored(
    found: object, *, input_shape: tuple[int, ...] = (), classes: int | None = None, fixed: Values | None = None
) -> tuple[Parameter, ...]:
    """The hyperparameters of a HyperModel or `build(hp)` function.

    `fixed` holds values that are given and not searched; their hyperparameters are left out.

    Raises:
        ModelError: no build gives a Keras model, or it trains by a `fit` of its own.
    """
    exploration = Exploration(builder(found, input_shape, classes), dict(fixed or {}))
    exploration.run()
    known = {variant.name for variant in exploration.variants}
    if unknown := sorted(set(exploration.fixed) - known):
        raise _no_hyper_parameter(unknown[0], name_of(found), known)
    return exploration.parameters()


def _bare(name: str) -> str:
    return name.removeprefix(MODEL_PREFIX)


def _no_hyper_parameter(name: str, model: str, known: set[str]) -> ModelError:
    return ModelError(
        f"`{MODEL_PREFIX}{name}`: {model} has no hyperparameter {name!r}",
        hint=f"It has {', '.join(sorted(known)) or 'none'}",
    )


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
        parameters = parameters_of(kept, MODEL_PREFIX)
        return _ordered(tuple(self._conditioned(parameter) for parameter in parameters))

    def _conditioned(self, parameter: Parameter) -> Parameter:
        name = parameter.name.removeprefix(MODEL_PREFIX)
        given = {condition.parameter for condition in parameter.when}
        inferred = [
            Condition(MODEL_PREFIX + parent, there)
            for parent, asked in self.asked.items()
            if parent != name and MODEL_PREFIX + parent not in given and parent not in self.fixed
            if any(name in names for names, _ in asked.values())
            if len(there := tuple(value for value, (names, whole) in asked.items() if name in names or not whole))
            < len(asked)
        ]
        return replace(parameter, when=(*parameter.when, *inferred))

    def _probe(self, name: str, value: Value) -> None:
        if name not in self.fixed and value not in self.asked[name] and self._may_build():
            self.asked[name][value] = self._try({**self.found_in[name], name: value})

    def _try(self, values: Values) -> tuple[frozenset[str], bool]:
        self.builds += 1
        whole, hyper_parameters = True, asking({**values, **self.fixed})
        try:
            self.build(hyper_parameters)
        except ModelError as fault:  # a trial there fails; what was asked for before is known all the same
            self.faults.append(fault)
            whole = False
        active = [one for one in hyper_parameters.space if hyper_parameters.is_active(one)]
        for one in hyper_parameters.space:
            if not any(known.name == one.name and known.conditions == one.conditions for known in self.variants):
                self.variants.append(one)
        for one in active:
            if one.name not in self.found_in or (one.name in self.unsure and whole):
                self.found_in[one.name] = values
                self.done.discard(one.name)
                (self.unsure.discard if whole else self.unsure.add)(one.name)
        return frozenset(one.name for one in active), whole


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


def _ordered(parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
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
