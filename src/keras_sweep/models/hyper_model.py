"""Find the hyperparameters of a `keras_tuner.HyperModel` or a `build(hp)` function, and call a HyperModel's own `fit`.

KerasTuner learns of a hyperparameter only when a build asks for it, but a sweep needs the space before the first trial.
Therefore the model is built a few times with different values, to see which hyperparameters each build asks for. The
usual `for i in range(hp.Int("layers", 1, 3)): hp.Int(f"units_{i}", ...)` gives `model.units_2` with the condition
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
from keras_sweep.process.user_code import guard_user_code
from keras_sweep.space.distributions import Categorical, Distribution, Float, Int, Value
from keras_sweep.space.search_space import Condition, Objective, Parameter, Params, SearchSpace, sort_parameters
from keras_sweep.space.sweep_spec import MODEL_PREFIX, SweepSpec
from keras_sweep.trial.plan import training_plan

DEFAULT_OBJECTIVE = "default_objective"  # KerasTuner's name of a number that `fit` returns
RETURNED = "the model's `fit` returned"  # how messages of errors begin
MOST_BUILDS = 100  # in an exploration
MOST_FAULTS = 16  # builds that raise before the first success
MOST_VALUES = 16  # values to try for a hyperparameter
ROWS = 64  # rows for a trial call of a HyperModel's own `fit`
MOST_SECONDS = 5.0  # time limit of training in a trial call

Fit = Callable[..., Any]  # takes rows and the arguments of `keras.Model.fit`


def is_hyper_model(value: Any) -> bool:
    """Return whether a value is a HyperModel (instance or class), or a function whose first parameter is `hp`."""
    if _get_hyper_model_class(value) is not None:
        return True
    with suppress(TypeError, ValueError):  # no function, or a function without a signature
        return not isinstance(value, type) and next(iter(inspect.signature(value).parameters), None) == "hp"
    return False


def has_own_fit(value: object) -> bool:
    """Return whether a value is a HyperModel (instance or class) that defines its own `fit`."""
    kind = _get_hyper_model_class(value)
    return kind is not None and kind.fit is not sys.modules["keras_tuner"].HyperModel.fit


def _get_hyper_model_class(value: object) -> Any:
    keras_tuner = sys.modules.get("keras_tuner")  # imported already, if any HyperModel exists
    kind = value if isinstance(value, type) else type(value)
    return kind if keras_tuner is not None and issubclass(kind, keras_tuner.HyperModel) else None


def call_fit(fit: Fit, train: Rows, validation: Rows, *, begun: Callable[[], object], **kwargs: Any) -> Any:
    """Call a HyperModel's own `fit` as KerasTuner does, with arguments of `keras.Model.fit`, and return its result.

    If Python refuses an argument, and `begun()` is false since no training has begun, call `fit` again without the
    argument. `fit` may lack the argument, or may set it beside `**kwargs`, as in `model.fit(*args, verbose=2,
    **kwargs)`. Raises ModelError if `sample_weight` would be left out.
    """
    kwargs["validation_data"] = validation.validation_data
    kwargs |= {} if train.weights is None else {"sample_weight": train.weights}
    while True:
        try:
            return fit(*((train.x,) if train.labels is None else (train.x, train.y)), **kwargs)
        except TypeError as error:
            hit = re.search(r"(unexpected|multiple values for) (?:keyword )?argument '(\w+)'", str(error))
            if hit is None or hit[2] not in kwargs or begun() or hit.groups() == ("multiple values for", "callbacks"):
                raise
            del kwargs[hit[2]]
            if hit[2] == "sample_weight":
                message = "the rows have weights, but the model's `fit` takes no `sample_weight`"
                raise ModelError(message, hint="Give `fit` an argument `sample_weight`") from error


def parse_fit_result(result: Any, objective: Objective, who: str = RETURNED) -> dict[str, float]:
    """Return name -> value of the metrics that a HyperModel's `fit` returned, by KerasTuner's rules. A dict has metrics
    by name. A number is the metric `default_objective`. A list gives the mean of its items, where a History counts with
    its best epoch by `objective`. A History alone, or None, gives {}: the caller uses the metrics logged during `fit`.
    Raises ModelError for other results; the message begins with `who`."""
    import keras

    if result is None or isinstance(result, keras.callbacks.History):
        return {}
    if isinstance(result, list) and result:
        parts = [parse_fit_result(_select_best_epoch(item, objective), objective, who) for item in result]
        names = dict.fromkeys(name for part in parts for name in part)
        return {name: fmean(part[name] for part in parts if name in part) for name in names}
    try:
        metrics = result if isinstance(result, Mapping) else {DEFAULT_OBJECTIVE: result}
        return {str(name): float(value) for name, value in metrics.items()}
    except (TypeError, ValueError) as error:
        hint = "Return a number, a dict of metrics, what `model.fit` returns, a list of these, or nothing"
        raise ModelError(f"{who} a {type(result).__name__} that is no metric: {error}", hint=hint) from error


def _select_best_epoch(result: Any, objective: Objective) -> Any:
    curve = getattr(result, "history", None)
    if not (isinstance(curve, Mapping) and curve.get(objective.name)):
        return result
    _, best = min((objective.key(value), epoch) for epoch, value in enumerate(curve[objective.name]))
    return {name: values[best] for name, values in curve.items()}


def make_hyper_parameters(values: Mapping[str, Value]) -> Any:
    """Return `keras_tuner.HyperParameters` with these values. Other hyperparameters have their defaults."""
    import keras_tuner

    hyper_parameters = keras_tuner.HyperParameters()
    hyper_parameters.values = dict(values)
    return hyper_parameters


def convert_parameters(hyper_parameters: Iterable[Any]) -> tuple[Parameter, ...]:
    """Convert `keras_tuner.HyperParameters.space` to parameters `model.NAME` in the same order: a condition names only
    earlier parameters. A name in several conditional scopes becomes a single parameter with merged conditions. Raises
    ModelError if ranges differ between scopes."""
    merged: dict[str, Parameter] = {}
    for hp in hyper_parameters:
        name = MODEL_PREFIX + hp.name
        when = (Condition(MODEL_PREFIX + condition.name, tuple(condition.values)) for condition in hp.conditions)
        new = Parameter(name, convert_distribution(hp), tuple(when), default=hp.default)
        merged[name] = _merge_parameters(merged[name], new) if name in merged else new
    return tuple(merged.values())


def convert_distribution(hyper_parameter: Any) -> Distribution:
    """Convert a `keras_tuner` hyperparameter to a range. A logarithmic range with a step becomes a list of values. The
    sampling `reverse_log` becomes uniform, since no other engine has it."""
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
            f"hyperparameter {a.name!r} has different ranges in its conditional scopes: {a.distribution} and "
            f"{b.distribution}",
            hint="Use a different name in each scope",
        )
    pairs = list(zip(a.when, b.when, strict=False))
    differing = [(x, y) for x, y in pairs if x != y]
    if len(a.when) == len(b.when) and len(differing) <= 1 and all(x.parameter == y.parameter for x, y in pairs):
        when = (Condition(x.parameter, tuple(dict.fromkeys((*x.values, *y.values)))) for x, y in pairs)
        return replace(a, when=tuple(when))
    # Otherwise keep the shared conditions. The parameter may then be active too often, but is never missing.
    return replace(a, when=tuple(condition for condition in a.when if condition in b.when))


def explore_space(spec: SweepSpec, build: Callable[[Any], Any], fit: Fit | None, data: SearchData) -> SweepSpec:
    """Return `spec` with more parameters: the hyperparameters that a HyperModel's `build` and `fit` ask for. If the
    space file gives `model.NAME` a range or a value, the space file wins. Raises ModelError if no build gives a Keras
    model, or if the space file names a hyperparameter that the model does not have."""
    space = spec.space
    fixed = training_plan(spec, space.constants).model_arguments
    exploration = Exploration(build if fit is None else _add_fit(build, fit, spec, data), fixed)
    exploration.run()
    listed = [parameter.name for parameter in space.parameters if parameter.name.startswith(MODEL_PREFIX)]
    known = {variant.name for variant in exploration.variants}
    for name in (*fixed, *(name.removeprefix(MODEL_PREFIX) for name in listed)):
        if name not in known:
            hint = f"Choose from {', '.join(sorted(known))}" if known else "Leave it out: there are none"
            raise ModelError(f"`{MODEL_PREFIX}{name}`: {spec.model.source} has no hyperparameter {name!r}", hint=hint)
    new = [parameter for parameter in exploration.parameters() if parameter.name not in listed]
    constants = {**space.constants, **{MODEL_PREFIX + name: value for name, value in fixed.items()}}
    return replace(spec, space=SearchSpace(sort_parameters((*space.parameters, *new)), constants, space.where))


def _add_fit(build: Callable[[Any], Any], fit: Fit, spec: SweepSpec, data: SearchData) -> Callable[[Any], None]:
    """Return a function that builds a model and calls the HyperModel's `fit`, to see the hyperparameters of both. With
    0 epochs Keras trains nothing, but the rest of `fit` runs. The first build also trains for 1 epoch. If this epoch
    asks for more hyperparameters, later builds train for 1 epoch, too. Errors are ignored: few rows may cause them."""
    import keras

    rows, epochs = Rows(*(cut(arrays, 0, ROWS) for arrays in data.train.arrays)), [0, 1]

    def build_and_fit(hyper_parameters: Any) -> None:
        model, deadline = build(hyper_parameters), time.monotonic() + MOST_SECONDS
        if not model.compiled:  # any loss will do: hyperparameters do not depend on the loss
            model.compile(loss=spec.loss if spec.loss in LOSS_NEEDS else "mse")

        def check_time(*_: Any, **__: Any) -> None:
            if time.monotonic() > deadline:
                raise TimeoutError

        callbacks = [keras.callbacks.LambdaCallback(on_train_batch_end=check_time, on_epoch_end=check_time)]
        arguments: dict[str, Any] = {"begun": lambda: False, "verbose": 0, "callbacks": callbacks}
        for count in tuple(epochs):
            known = len(hyper_parameters.space)
            with suppress(ModelError), guard_user_code("`fit`", Path(), ModelError), redirect_stdout(io.StringIO()):
                call_fit(partial(fit, hyper_parameters, model), rows, rows, epochs=count, **arguments)
            epochs[:] = [int(count and len(hyper_parameters.space) > known)] if count else epochs

    return build_and_fit


@dataclass
class Exploration:
    """Build a model with a single value changed at a time, and record which hyperparameters each build asks for."""

    build: Callable[[Any], Any]  # from `keras_tuner.HyperParameters` to a model; raises ModelError
    fixed: Params  # values that are not searched; all names here are without `model.`
    builds: int = 0
    faults: list[ModelError] = field(default_factory=list)  # from builds that raised
    variants: list[Any] = field(default_factory=list)  # every hyperparameter seen, by name and conditions
    origins: dict[str, Params] = field(default_factory=dict)  # name -> the values of the first build with it
    unsure: set[str] = field(default_factory=set)  # names seen only in builds that raised
    done: set[str] = field(default_factory=set)  # names whose values have been tried
    # name -> value -> (names that a build with this value asks for, whether these are all: the build did not raise)
    answers: dict[str, dict[Value, tuple[frozenset[str], bool]]] = field(default_factory=dict)

    def run(self) -> None:
        """Build until all hyperparameters are known, or MOST_BUILDS times. Raises ModelError if all builds fail."""
        self._build_with({})
        while self._may_build():
            name = next((name for name in self.origins if name not in self.done), None)
            if name is not None:
                self._vary(name)
            else:  # all these names are done: enter a scope that no build was in
                new = next((item for item in self.variants if item.name not in {*self.origins, *self.done}), None)
                if new is None:
                    break
                name, values = new.name, dict[str, Value]()
                for condition in new.conditions:
                    values |= {**self.origins.get(condition.name, {}), condition.name: condition.values[0]}
                self._build_with(values)
            self.done.add(name)
        if len(self.faults) == self.builds:
            raise self.faults[0]

    def parameters(self) -> tuple[Parameter, ...]:
        """Return the parameters to search, with their conditions. A condition names only earlier parameters."""
        names = [*self.origins, *(variant.name for variant in self.variants)]
        ordered = sorted(self.variants, key=lambda variant: names.index(variant.name))
        free = [variant for variant in ordered if variant.name not in self.fixed]
        parents = {condition.name for variant in free for condition in variant.conditions}
        searched = [variant for variant in free if type(variant).__name__ != "Fixed" or variant.name in parents]
        return sort_parameters(map(self._add_conditions, convert_parameters(searched)))

    def _add_conditions(self, parameter: Parameter) -> Parameter:
        """Add a condition for each other hyperparameter whose value decides whether a build asks for this parameter."""
        name, when = parameter.name.removeprefix(MODEL_PREFIX), list(parameter.when)
        skipped = {name, *self.fixed, *(condition.parameter.removeprefix(MODEL_PREFIX) for condition in when)}
        for parent, answers in self.answers.items():
            if parent in skipped:
                continue
            # A build that raised might have asked for the parameter later.
            values = tuple(value for value, (names, is_all) in answers.items() if name in names or not is_all)
            if len(values) < len(answers) and any(name in names for names, _ in answers.values()):
                when.append(Condition(MODEL_PREFIX + parent, values))
        return replace(parameter, when=tuple(when))

    def _may_build(self) -> bool:
        return self.builds < (MOST_FAULTS if len(self.faults) == self.builds else MOST_BUILDS)

    def _vary(self, name: str) -> None:
        """Build with each choice of the hyperparameter `name`, or with both ends of its range. If these builds ask for
        different hyperparameters, build with all values of a small range."""
        distribution = convert_distribution(next(variant for variant in self.variants if variant.name == name))
        choices = distribution.values() if distribution.size <= MOST_VALUES else ()
        answers = self.answers[name] = dict[Value, tuple[frozenset[str], bool]]()

        def probe(values: Iterable[Value]) -> None:
            for value in values:
                if name not in self.fixed and value not in answers and self._may_build():
                    answers[value] = self._build_with({**self.origins[name], name: value})

        is_choice = isinstance(distribution, Categorical)
        probe(distribution.values()[:MOST_VALUES] if is_choice else (distribution.at(0.0), distribution.at(1.0)))
        if len({names for names, _ in answers.values()}) > 1:
            probe(choices)
            # A condition lists all its values, so every value must have been tried.
            self.answers[name] = {value: answers[value] for value in choices} if set(choices) == set(answers) else {}

    def _build_with(self, values: Params) -> tuple[frozenset[str], bool]:
        self.builds += 1
        is_all, hyper_parameters = True, make_hyper_parameters({**values, **self.fixed})
        try:
            self.build(hyper_parameters)
        except ModelError as fault:  # the names that the build asked for before the error are known
            self.faults.append(fault)
            is_all = False
        active = [item for item in hyper_parameters.space if hyper_parameters.is_active(item)]
        for item in hyper_parameters.space:
            if not any(old.name == item.name and old.conditions == item.conditions for old in self.variants):
                self.variants.append(item)
        for item in active:
            if item.name not in self.origins or (item.name in self.unsure and is_all):
                self.origins[item.name] = values
                self.done.discard(item.name)
                (self.unsure.discard if is_all else self.unsure.add)(item.name)
        return frozenset(item.name for item in active), is_all
