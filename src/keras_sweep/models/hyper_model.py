"""What a `keras_tuner.HyperModel` or a `build(hp)` function brings beside a model: its parameters, optimizer, `fit`.

KerasTuner meets a hyperparameter only when a build asks for it; here the space is known before the first trial, so the
model is built a few times with other values, to see what is asked for when. The usual
`for i in range(hp.Int("layers", 1, 3)): hp.Int(f"units_{i}", ...)` thus gives `model.units_2` with the condition
`model.layers: [3]`.
"""

import inspect
import io
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from keras_sweep.data.arrays import cut
from keras_sweep.data.labels import LOSS_NEEDS
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.errors import ModelError
from keras_sweep.process.user_code import user_code
from keras_sweep.space.distributions import Categorical, Distribution, Float, Int, Value
from keras_sweep.space.search_space import Condition, Objective, Parameter, Params, SearchSpace, in_order
from keras_sweep.space.sweep_spec import MODEL_PREFIX, SweepSpec

DEFAULT_OBJECTIVE = "default_objective"  # KerasTuner's name for a number that a `fit` returns
RETURNED = "the model's `fit` returned"  # so begins what is wrong with it
MOST_BUILDS = 100  # while discovering
MOST_FAULTS = 16  # builds that raise before any does not
MOST_VALUES = 16  # of one hyperparameter, that are tried
ROWS = 64  # on which a `fit` of a HyperModel's own is tried
MOST_SECONDS = 5.0  # that one may train although it is asked for no epochs

Fit = Callable[..., Any]  # of rows and the arguments of `keras.Model.fit`, for one model and its hyperparameters


def is_hyper_model(found: Any) -> bool:
    """Whether it is a HyperModel (an instance or a class), or a function whose first parameter is `hp`."""
    if _find_class(found) is not None:
        return True
    with suppress(TypeError, ValueError):  # no function, or one that has no signature
        return not isinstance(found, type) and next(iter(inspect.signature(found).parameters), None) == "hp"
    return False


def has_own_fit(found: object) -> bool:
    """Whether it is a HyperModel, or a class of one, that trains its models by a `fit` of its own."""
    kind = _find_class(found)
    return kind is not None and kind.fit is not sys.modules["keras_tuner"].HyperModel.fit


def _find_class(found: object) -> Any:
    """The class of a HyperModel, or of its instance; None of anything else."""
    keras_tuner = sys.modules.get("keras_tuner")  # whoever made a HyperModel has imported it
    kind = found if isinstance(found, type) else type(found)
    return kind if keras_tuner is not None and issubclass(kind, keras_tuner.HyperModel) else None


def call_fit(fit: Fit, train: Rows, validation: Rows, *, begun: Callable[[], object], **given: Any) -> Any:
    """Call a `fit` of a HyperModel's own as KerasTuner calls it, with these rows and arguments of `keras.Model.fit`.

    An argument that it does not take is left out, and so is one that it gives beside `**kwargs` itself, as in
    `model.fit(*args, verbose=2, **kwargs)`: Python then raises before anything trains, which `begun` says. Raises
    ModelError where that is what rows weigh.
    """
    given["validation_data"] = validation.validation_data
    given |= {} if train.weights is None else {"sample_weight": train.weights}
    while True:
        try:
            return fit(*((train.x,) if train.labels is None else (train.x, train.y)), **given)
        except TypeError as error:
            more = re.search(r"(unexpected|multiple values for) (?:keyword )?argument '(\w+)'", str(error))
            if more is None or more[2] not in given or begun() or more.groups() == ("multiple values for", "callbacks"):
                raise
            del given[more[2]]
            if more[2] == "sample_weight":
                message = "rows weigh unlike, but the model's `fit` takes no `sample_weight`"
                raise ModelError(message, hint="Let it take one") from error


def parse_fit_result(found: Any, objective: Objective) -> dict[str, float]:
    """The metrics that a `fit` returned, by KerasTuner's rules: a number is its `default_objective`, a list the mean of
    its parts, where the best epoch counts of what `model.fit` returned. Of that alone, or of nothing, those count that
    its epochs logged. Raises ModelError for anything else."""
    import keras

    if found is None or isinstance(found, keras.callbacks.History):
        return {}
    if isinstance(found, list) and found:
        parts = [parse_fit_result(_select_best_epoch(one, objective), objective) for one in found]
        names = dict.fromkeys(name for part in parts for name in part)
        return {name: fmean(part[name] for part in parts if name in part) for name in names}
    try:
        metrics = found if isinstance(found, Mapping) else {DEFAULT_OBJECTIVE: found}
        return {str(name): float(value) for name, value in metrics.items()}
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{RETURNED} a {type(found).__name__} that is no metric: {error}",
            hint="Return a number, a dict of metrics, what `model.fit` returns, a list of these, or nothing",
        ) from error


def _select_best_epoch(found: Any, objective: Objective) -> Any:
    """Of what `model.fit` returned the metrics of its best epoch; anything else as it is."""
    curve = getattr(found, "history", None)
    if not (isinstance(curve, Mapping) and curve.get(objective.name)):
        return found
    _, best = min((objective.key(value), epoch) for epoch, value in enumerate(curve[objective.name]))
    return {name: values[best] for name, values in curve.items()}


def make_hyper_parameters(values: Mapping[str, Value]) -> Any:
    """`keras_tuner.HyperParameters` with these values; others have their defaults."""
    import keras_tuner

    hyper_parameters = keras_tuner.HyperParameters()
    hyper_parameters.values = dict(values)
    return hyper_parameters


def convert_parameters(hyper_parameters: Iterable[Any]) -> tuple[Parameter, ...]:
    """The parameters `model.NAME` of `keras_tuner.HyperParameters.space`, in their order, so that conditions look back.

    A name that stands in several conditional scopes becomes one parameter that is there in all of them. Raises
    ModelError where it has another range in each.
    """
    merged: dict[str, Parameter] = {}
    for one in hyper_parameters:
        name = MODEL_PREFIX + one.name
        when = (Condition(MODEL_PREFIX + condition.name, tuple(condition.values)) for condition in one.conditions)
        new = Parameter(name, convert_distribution(one), tuple(when), default=one.default)
        merged[name] = _merge_parameters(merged[name], new) if name in merged else new
    return tuple(merged.values())


def convert_distribution(hyper_parameter: Any) -> Distribution:
    """The range of one `keras_tuner` hyperparameter.

    A logarithmic range with a step is the list of its values. `reverse_log`, which no other engine knows, is uniform.
    """
    kind = type(hyper_parameter).__name__
    if kind == "Boolean":
        return Categorical((False, True))
    if kind == "Fixed":
        return Categorical((hyper_parameter.value,))
    if kind == "Choice":
        return Categorical(tuple(dict.fromkeys(hyper_parameter.values)))
    low, high, step = hyper_parameter.min_value, hyper_parameter.max_value, hyper_parameter.step
    log, number = hyper_parameter.sampling == "log", int if kind == "Int" else float
    if step is not None and hyper_parameter.sampling != "linear":
        return Categorical(tuple(dict.fromkeys(map(number, hyper_parameter.values))))
    if kind == "Int":
        return Int(low, high, log=log, step=1 if log else step or 1)
    return Float(float(low), float(high), log=log, step=None if step is None else float(step))


def _merge_parameters(a: Parameter, b: Parameter) -> Parameter:
    if a.distribution != b.distribution:
        raise ModelError(
            f"hyperparameter {a.name!r} has a range of its own in each conditional scope: {a.distribution} and "
            f"{b.distribution}",
            hint="Give each a name of its own",
        )
    both = list(zip(a.when, b.when, strict=False))
    differing = [(x, y) for x, y in both if x != y]
    if len(a.when) == len(b.when) and len(differing) <= 1 and all(x.parameter == y.parameter for x, y in both):
        when = (Condition(x.parameter, tuple(dict.fromkeys((*x.values, *y.values)))) for x, y in both)
        return replace(a, when=tuple(when))
    # Otherwise what both scopes ask for: the parameter is then there too often, and never missing.
    return replace(a, when=tuple(condition for condition in a.when if condition in b.when))


def explore_space(spec: SweepSpec, build: Callable[[Any], Any], fit: Fit | None, data: SearchData) -> SweepSpec:
    """The sweep with the hyperparameters of what `builder` made of its HyperModel or function among its parameters.

    What the space file says of `model.NAME` wins: a range of its own, or a fixed value, which becomes a constant.
    Raises ModelError where no build gives a Keras model, or where the model has no hyperparameter of such a NAME.
    """
    space = spec.space
    constants = {_strip_prefix(name): value for name, value in space.constants.items() if name.startswith(MODEL_PREFIX)}
    fixed = {**spec.model.arguments, **constants}
    exploration = Exploration(build if fit is None else _add_fit(build, fit, spec, data), fixed)
    exploration.run()
    own = [parameter.name for parameter in space.parameters if parameter.name.startswith(MODEL_PREFIX)]
    known = {variant.name for variant in exploration.variants}
    for name in (*fixed, *map(_strip_prefix, own)):
        if name not in known:
            raise ModelError(
                f"`{MODEL_PREFIX}{name}`: {spec.model.source} has no hyperparameter {name!r}",
                hint=f"It has {', '.join(sorted(known)) or 'none'}",
            )
    new = [parameter for parameter in exploration.parameters() if parameter.name not in own]
    constants = {**space.constants, **{MODEL_PREFIX + name: value for name, value in fixed.items()}}
    return replace(spec, space=SearchSpace(in_order((*space.parameters, *new)), constants, space.where))


def _add_fit(build: Callable[[Any], Any], fit: Fit, spec: SweepSpec, data: SearchData) -> Callable[[Any], None]:
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


def _strip_prefix(name: str) -> str:
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
            if name is not None:
                self._vary(name)
            else:  # all that builds asked for is done: a scope that no build so far was in
                hidden = next((one for one in self.variants if one.name not in {*self.found_in, *self.done}), None)
                if hidden is None:
                    break
                name, values = hidden.name, dict[str, Value]()
                for condition in hidden.conditions:
                    values |= {**self.found_in.get(condition.name, {}), condition.name: condition.values[0]}
                self._try(values)
            self.done.add(name)
        if len(self.faults) == self.builds:
            raise self.faults[0]

    def parameters(self) -> tuple[Parameter, ...]:
        """What is to be searched, each with its conditions, in an order in which these look back."""
        names = [*self.found_in, *(variant.name for variant in self.variants)]
        met = sorted(self.variants, key=lambda variant: names.index(variant.name))
        free = [one for one in met if one.name not in self.fixed]
        wanted = {condition.name for one in free for condition in one.conditions}
        kept = [one for one in free if type(one).__name__ != "Fixed" or one.name in wanted]
        return in_order(map(self._add_conditions, convert_parameters(kept)))

    def _add_conditions(self, parameter: Parameter) -> Parameter:
        """The parameter with the conditions that follow from which values of others it is asked for with."""
        name, when = _strip_prefix(parameter.name), list(parameter.when)
        passed_over = {name, *self.fixed, *(_strip_prefix(condition.parameter) for condition in when)}
        for parent, asked in self.asked.items():
            if parent in passed_over:
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
        distribution = convert_distribution(next(one for one in self.variants if one.name == name))
        listed = distribution.values() if distribution.size <= MOST_VALUES else ()
        asked = self.asked[name] = dict[Value, tuple[frozenset[str], bool]]()

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
        whole, hyper_parameters = True, make_hyper_parameters({**values, **self.fixed})
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
