"""A `keras_tuner.HyperModel`, or a `build(hp)` function, as a model: its hyperparameters become parameters.

They are stored as `model.NAME`. KerasTuner meets a hyperparameter only when a build asks for it; here the space is
known before the first trial, so `discover` builds the model a few times with other values and watches what is asked for
when. The usual `for i in range(hp.Int("layers", 1, 3)): hp.Int(f"units_{i}", ...)` thus gives `model.units_2` with the
condition `model.layers: [3]`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from keras_sweep.errors import ModelError
from keras_sweep.models.hyper_parameters import parameters_of
from keras_sweep.process.user_code import user_place
from keras_sweep.space.distributions import Categorical, Int, Value
from keras_sweep.space.search_space import Condition, Parameter, SearchSpace
from keras_sweep.space.sweep_spec import SweepSpec

Values: TypeAlias = Mapping[str, Value]  # by the hyperparameters' own names

PREFIX = "model."
MOST_BUILDS = 100  # while discovering
MOST_VALUES = 16  # of one hyperparameter, that are tried


def is_hyper_model(found: object) -> bool:
    """Whether it is a HyperModel (an instance or a class), or a function whose first parameter is `hp`."""
    keras_tuner = sys.modules.get("keras_tuner")  # whoever made a HyperModel has imported it
    if keras_tuner is not None:
        if isinstance(found, keras_tuner.HyperModel):
            return True
        if isinstance(found, type):
            return issubclass(found, keras_tuner.HyperModel)
    if isinstance(found, type) or not callable(found):
        return False
    try:
        return next(iter(inspect.signature(found).parameters), None) == "hp"
    except (TypeError, ValueError):
        return False


def discover(
    found: object, *, input_shape: tuple[int, ...] = (), classes: int | None = None, fixed: Values | None = None
) -> tuple[Parameter, ...]:
    """The parameters `model.NAME` of a HyperModel or `build(hp)` function, conditions included.

    `fixed` holds values that are given and not searched; their hyperparameters are left out. Where the function, or the
    HyperModel's class, has parameters named `input_shape` (of one row) and `classes`, it is given these.

    Raises:
        ModelError: it can't be built, returns no Keras model, or trains by a `fit` of its own.
    """
    build = _builder(found, input_shape, classes)
    exploration = _Exploration(build, dict(fixed or {}))
    exploration.run()
    unknown = sorted(set(exploration.fixed) - {one.name for one in exploration.variants})
    if unknown:
        known = {one.name for one in exploration.variants}
        raise _no_hyper_parameter(unknown[0], getattr(found, "__name__", type(found).__name__), known)
    return exploration.parameters()


def build(found: object, values: Values, *, input_shape: tuple[int, ...] = (), classes: int | None = None) -> Any:
    """The `keras.Model` for a trial's model arguments; compiled, if its function compiles it.

    A hyperparameter without a value has KerasTuner's default, as in `keras_tuner`.

    Raises:
        ModelError: the function raises (the message has the user's file and line), or returns no Keras model.
    """
    model, _ = _builder(found, input_shape, classes)(values)
    if not model.built:
        model.build((None, *input_shape))
    return model


def own_optimizer(model: Any) -> Any | None:
    """A fresh optimizer like the one a model was compiled with in its `build`; None for an uncompiled model.

    The file's loss and metrics are what a sweep trains and ranks by, so a runner compiles the model anew: with this
    optimizer, unless the space has an `optimizer` of its own.
    """
    optimizer = getattr(model, "optimizer", None)
    return None if optimizer is None else type(optimizer).from_config(optimizer.get_config())


def with_hyper_model(
    spec: SweepSpec, found: object, *, input_shape: tuple[int, ...] = (), classes: int | None = None
) -> SweepSpec:
    """The sweep with the hyperparameters of its model among its parameters.

    What the space file says of `model.NAME` wins: a range of its own, or a fixed value, which becomes a constant.

    Raises:
        ModelError: as `discover`; or the file gives a model argument that the model has no hyperparameter for.
    """
    space = spec.space
    said = {name.removeprefix(PREFIX): value for name, value in space.constants.items() if name.startswith(PREFIX)}
    fixed = {**spec.model.arguments, **said}
    discovered = discover(found, input_shape=input_shape, classes=classes, fixed=fixed)
    known = {parameter.name for parameter in space.parameters}
    new = [parameter for parameter in discovered if parameter.name not in known]
    own = [parameter for parameter in space.parameters if parameter.name.startswith(PREFIX)]
    _check_known(spec, own, discovered)
    constants = {**space.constants, **{PREFIX + name: value for name, value in fixed.items()}}
    return replace(spec, space=SearchSpace(_ordered((*space.parameters, *new)), constants))


@dataclass
class _Exploration:
    """Builds with one value changed at a time, and what each build asked for."""

    build: Callable[[Values], tuple[Any, Any]]
    fixed: dict[str, Value]
    builds: int = 0
    variants: list[Any] = field(default_factory=list)  # every hyperparameter met, by name and conditions
    found_in: dict[str, Values] = field(default_factory=dict)  # name -> the values with which it was first asked for
    # name -> its tried values -> the names that are asked for then
    asked: dict[str, dict[Value, frozenset[str]]] = field(default_factory=dict)

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
        ordered = sorted(self.variants, key=lambda variant: names.index(variant.name))
        free = [one for one in ordered if one.name not in self.fixed]
        wanted = {condition.name for one in free for condition in one.conditions}
        kept = [one for one in free if type(one).__name__ != "Fixed" or one.name in wanted]
        parameters = parameters_of(kept, PREFIX)
        return _ordered(tuple(self._conditioned(parameter) for parameter in parameters))

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
            self.asked[name][value] = self._try({**self.found_in[name], name: value})

    def _try(self, values: Values) -> frozenset[str]:
        self.builds += 1
        _, hyper_parameters = self.build({**values, **self.fixed})
        active = [one for one in hyper_parameters.space if hyper_parameters.is_active(one)]
        for one in hyper_parameters.space:
            if not any(known.name == one.name and known.conditions == one.conditions for known in self.variants):
                self.variants.append(one)
        for one in active:
            self.found_in.setdefault(one.name, values)
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


def _check_known(spec: SweepSpec, own: list[Parameter], discovered: tuple[Parameter, ...]) -> None:
    known = {parameter.name.removeprefix(PREFIX) for parameter in discovered}
    for parameter in own:
        name = parameter.name.removeprefix(PREFIX)
        if name not in known:
            raise _no_hyper_parameter(name, spec.model.source, known)


def _no_hyper_parameter(name: str, model: str, known: set[str]) -> ModelError:
    return ModelError(
        f"`{PREFIX}{name}`: {model} has no hyperparameter {name!r}",
        hint=f"It has {', '.join(sorted(known)) or 'none'}",
    )


def _builder(found: object, input_shape: tuple[int, ...], classes: int | None) -> Callable[[Values], tuple[Any, Any]]:
    """A function from values to (model, the `keras_tuner.HyperParameters` that were asked for)."""
    context = {"input_shape": input_shape, "classes": classes}
    function, name = _function(found, context)
    written = getattr(getattr(function, "__self__", None), "_build", function)  # a HyperModel wraps the user's method
    folder = _folder(written)
    given = {key: value for key, value in context.items() if key in _parameters(written)}

    def build(values: Values) -> tuple[Any, Any]:
        import keras
        import keras_tuner

        hyper_parameters = keras_tuner.HyperParameters()
        hyper_parameters.values = dict(values)
        try:
            model = function(hyper_parameters, **given)
        except Exception as fault:
            said = ", ".join(f"{key}={value!r}" for key, value in values.items()) or "the default values"
            raise ModelError(f"{name} can't be built with {said}: {user_place(fault, folder)}") from fault
        if not isinstance(model, keras.Model):
            raise ModelError(f"{name} returned {type(model).__name__}, not a keras.Model", hint="Return the model")
        return model, hyper_parameters

    return build


def _function(found: object, context: Mapping[str, Any]) -> tuple[Callable[..., Any], str]:
    import keras_tuner

    name = getattr(found, "__name__", type(found).__name__)
    if isinstance(found, type):
        wanted = {key: value for key, value in context.items() if key in _parameters(found)}
        try:
            found = found(**wanted)
        except Exception as fault:
            raise ModelError(
                f"HyperModel {name} can't be made from {wanted}: {user_place(fault, _folder(found))}",
                hint="Name an instance instead: `tuned = MyHyperModel(...)` in the module, `python: module:tuned`",
            ) from fault
    if isinstance(found, keras_tuner.HyperModel):
        if type(found).fit is not keras_tuner.HyperModel.fit:
            raise ModelError(
                f"HyperModel {name} trains by a `fit` of its own, which would not be called",
                hint="Drop it, and make `epochs` and `batch_size` parameters of the space file",
            )
        return found.build, name
    assert callable(found), found
    return found, name


def _parameters(function: Any) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # built-in callables have none
        return {}


def _folder(function: Any) -> Path:
    try:
        return Path(inspect.getsourcefile(inspect.unwrap(function)) or ".").parent
    except (TypeError, OSError):
        return Path()
