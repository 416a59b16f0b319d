"""Finds the hyperparameters of a HyperModel or `build(hp)` function, which become parameters `model.NAME`.

KerasTuner meets a hyperparameter only when a build asks for it; here the space is known before the first trial, so the
model is built a few times with other values, to see what is asked for when. The usual
`for i in range(hp.Int("layers", 1, 3)): hp.Int(f"units_{i}", ...)` thus gives `model.units_2` with the condition
`model.layers: [3]`.
"""

import io
import time
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from keras_sweep.data.arrays import cut
from keras_sweep.data.labels import LOSS_NEEDS
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.errors import ModelError
from keras_sweep.models.build import builder, classes_of
from keras_sweep.models.hyper_model import Fit, asking, call_fit, distribution_of, parameters_of
from keras_sweep.process.user_code import user_code
from keras_sweep.space.distributions import Categorical, Value
from keras_sweep.space.search_space import Condition, Parameter, Params, SearchSpace, in_order
from keras_sweep.space.sweep_spec import MODEL_PREFIX, SweepSpec

MOST_BUILDS = 100  # while discovering
MOST_FAULTS = 16  # builds that raise before any does not
MOST_VALUES = 16  # of one hyperparameter, that are tried
ROWS = 64  # on which a `fit` of a HyperModel's own is tried
MOST_SECONDS = 5.0  # that one may train although it is asked for no epochs


def explored_space(spec: SweepSpec, found: object, data: SearchData) -> SweepSpec:
    """The sweep with the hyperparameters of its HyperModel or `build(hp)` function among its parameters.

    What the space file says of `model.NAME` wins: a range of its own, or a fixed value, which becomes a constant.
    Raises ModelError where no build gives a Keras model, or where the model has no hyperparameter of such a NAME.
    """
    space = spec.space
    constants = {_bare(name): value for name, value in space.constants.items() if name.startswith(MODEL_PREFIX)}
    fixed = {**spec.model.arguments, **constants}
    build, fit = builder(found, spec.folder, data.input_shape, classes_of(spec, data))
    exploration = Exploration(build if fit is None else _fitting_too(build, fit, spec, data), fixed)
    exploration.run()
    own = [parameter.name for parameter in space.parameters if parameter.name.startswith(MODEL_PREFIX)]
    known = {variant.name for variant in exploration.variants}
    for name in (*fixed, *map(_bare, own)):
        if name not in known:
            raise ModelError(
                f"`{MODEL_PREFIX}{name}`: {spec.model.source} has no hyperparameter {name!r}",
                hint=f"It has {', '.join(sorted(known)) or 'none'}",
            )
    new = [parameter for parameter in exploration.parameters() if parameter.name not in own]
    constants = {**space.constants, **{MODEL_PREFIX + name: value for name, value in fixed.items()}}
    return replace(spec, space=SearchSpace(in_order((*space.parameters, *new)), constants, space.where))


def _fitting_too(build: Callable[[Any], Any], fit: Fit, spec: SweepSpec, data: SearchData) -> Callable[[Any], None]:
    """Builds a model and calls its HyperModel's own `fit`, so that it asks for its hyperparameters, too.

    It gets a few rows, and no epochs: then Keras trains and compiles nothing, and yet a second phase is reached. One
    that asks for more in an epoch gets one. What it raises may be for want of rows: the trials tell.
    """
    import keras

    rows, epochs = Rows(*(cut(arrays, 0, ROWS) for arrays in data.train.arrays)), [0, 1]

    def build_and_fit(hyper_parameters: Any) -> None:
        model, ends = build(hyper_parameters), time.monotonic() + MOST_SECONDS
        if not model.compiled:  # the space has the loss, which matters to nothing that is looked at
            model.compile(loss=spec.loss if spec.loss in LOSS_NEEDS else "mse")

        def look(*_: Any, **__: Any) -> None:
            if time.monotonic() > ends:
                raise TimeoutError

        callbacks = [keras.callbacks.LambdaCallback(on_train_batch_end=look, on_epoch_end=look)]
        given: dict[str, Any] = {"begun": lambda: False, "verbose": 0, "callbacks": callbacks}
        for count in tuple(epochs):
            asked = len(hyper_parameters.space)
            with suppress(ModelError), user_code("`fit`", Path(), ModelError), redirect_stdout(io.StringIO()):
                call_fit(partial(fit, hyper_parameters, model), rows, rows, epochs=count, **given)
            epochs[:] = [int(count and len(hyper_parameters.space) > asked)] if count else epochs

    return build_and_fit


def _bare(name: str) -> str:
    return name.removeprefix(MODEL_PREFIX)


@dataclass
class Exploration:
    """Builds with one value changed at a time, and what each build asked for."""

    build: Callable[[Any], Any]  # of `keras_tuner.HyperParameters` a model; raises ModelError
    fixed: Params  # given and not searched; by the hyperparameters' own names, as all values here
    builds: int = 0
    faults: list[ModelError] = field(default_factory=list)  # of the builds that raised
    variants: list[Any] = field(default_factory=list)  # every hyperparameter met, by name and conditions
    found_in: dict[str, Params] = field(default_factory=dict)  # name -> the values with which it was first asked for
    unsure: set[str] = field(default_factory=set)  # names met so far only in builds that raised
    done: set[str] = field(default_factory=set)  # names whose values have been tried
    # name -> its tried values -> the names that are asked for then, and whether those are all: the build did not raise
    asked: dict[str, dict[Value, tuple[frozenset[str], bool]]] = field(default_factory=dict)

    def run(self) -> None:
        """Build until all is known. Raises ModelError where no build gives a model."""
        self._try({})
        while self._may_build():
            name = next((name for name in self.found_in if name not in self.done), None)
            # Once all that builds asked for is done, scopes that no build so far was in.
            hidden = next((one for one in self.variants if one.name not in {*self.found_in, *self.done}), None)
            if name is not None:
                self._vary(name)
            elif hidden is not None:
                name, values = hidden.name, dict[str, Value]()
                for condition in hidden.conditions:
                    values |= {**self.found_in.get(condition.name, {}), condition.name: condition.values[0]}
                self._try(values)
            else:
                break
            self.done.add(name)
        if len(self.faults) == self.builds:
            raise self.faults[0]

    def parameters(self) -> tuple[Parameter, ...]:
        """What is to be searched, each with its conditions, in an order in which these look back."""
        names = list(dict.fromkeys((*self.found_in, *(variant.name for variant in self.variants))))
        met = sorted(self.variants, key=lambda variant: names.index(variant.name))
        free = [one for one in met if one.name not in self.fixed]
        wanted = {condition.name for one in free for condition in one.conditions}
        kept = [one for one in free if type(one).__name__ != "Fixed" or one.name in wanted]
        return in_order(self._conditioned(parameter) for parameter in parameters_of(kept, MODEL_PREFIX))

    def _conditioned(self, parameter: Parameter) -> Parameter:
        """The parameter with the conditions that follow from which values of others it is asked for with."""
        name = _bare(parameter.name)
        given = {condition.parameter for condition in parameter.when}
        when = list(parameter.when)
        for parent, asked in self.asked.items():
            if parent == name or MODEL_PREFIX + parent in given or parent in self.fixed:
                continue
            # A build that raised may have asked for it later on.
            there = tuple(value for value, (names, whole) in asked.items() if name in names or not whole)
            if len(there) < len(asked) and any(name in names for names, _ in asked.values()):
                when.append(Condition(MODEL_PREFIX + parent, there))
        return replace(parameter, when=tuple(when))

    def _may_build(self) -> bool:
        return self.builds < (MOST_FAULTS if len(self.faults) == self.builds else MOST_BUILDS)

    def _vary(self, name: str) -> None:
        """Build with values of a hyperparameter that may lead to other code: every choice, both ends of a range."""
        distribution = distribution_of(next(one for one in self.variants if one.name == name))
        listed = distribution.values() if distribution.size <= MOST_VALUES else ()
        asked: dict[Value, tuple[frozenset[str], bool]] = {}
        self.asked[name] = asked

        def probe(values: Iterable[Value]) -> None:
            for value in values:
                if name not in self.fixed and value not in asked and self._may_build():
                    asked[value] = self._try({**self.found_in[name], name: value})

        is_choice = isinstance(distribution, Categorical)
        probe(distribution.values()[:MOST_VALUES] if is_choice else (distribution.at(0.0), distribution.at(1.0)))
        if len({names for names, _ in asked.values()}) > 1:
            probe(listed)
            # Only where every value was tried is it known with which of them something is asked for.
            self.asked[name] = {value: asked[value] for value in listed} if set(listed) == set(asked) else {}

    def _try(self, values: Params) -> tuple[frozenset[str], bool]:
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
