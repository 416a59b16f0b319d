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
from keras_sweep.process.user_code import user_code
from keras_sweep.space.distributions import Categorical, Distribution, Float, Int, Value
from keras_sweep.space.search_space import Condition, Objective, Parameter, Params, SearchSpace, in_order
from keras_sweep.space.sweep_spec import MODEL_PREFIX, SweepSpec

DEFAULT_OBJECTIVE = "default_objective"  # KerasTuner's name of a number that `fit` returns
RETURNED = "the model's `fit` returned"  # the beginning of errors
MOST_BUILDS = 100  # of an exploration
MOST_FAULTS = 16  # builds that raise before the first success
MOST_VALUES = 16  # to try for a hyperparameter
ROWS = 64  # for a trial call of a HyperModel's own `fit`
MOST_SECONDS = 5.0  # for training in a trial call, which asks for no epochs

Fit = Callable[..., Any]  # takes rows and the arguments of `keras.Model.fit`


def is_hyper_model(value: Any) -> bool:
    """Whether a value is a HyperModel (instance or class), or a function whose first parameter is `hp`."""
    if _find_class(value) is not None:
        return True
    with suppress(TypeError, ValueError):  # no function, or a function without a signature
        return not isinstance(value, type) and next(iter(inspect.signature(value).parameters), None) == "hp"
    return False


def has_own_fit(value: object) -> bool:
    """Whether a value is a HyperModel (instance or class) with its own `fit`."""
    kind = _find_class(value)
    return kind is not None and kind.fit is not sys.modules["keras_tuner"].HyperModel.fit


def _find_class(value: object) -> Any:
    """Return the class of a HyperModel, or of its instance; None for other values."""
    keras_tuner = sys.modules.get("keras_tuner")  # imported, if there is a HyperModel
    kind = value if isinstance(value, type) else type(value)
    return kind if keras_tuner is not None and issubclass(kind, keras_tuner.HyperModel) else None


def call_fit(fit: Fit, train: Rows, validation: Rows, *, begun: Callable[[], object], **arguments: Any) -> Any:
    """Call a HyperModel's own `fit` as KerasTuner does, with rows and arguments of `keras.Model.fit`.

    Python raises TypeError for an argument that `fit` does not take. It does so, too, for an argument that `fit` passes
    on beside `**kwargs`, as in `model.fit(*args, verbose=2, **kwargs)`. If `begun` says that nothing trained yet, this
    function drops the argument and calls again. Raises ModelError if the dropped argument is `sample_weight`.
    """
    arguments["validation_data"] = validation.validation_data
    arguments |= {} if train.weights is None else {"sample_weight": train.weights}
    while True:
        try:
            return fit(*((train.x,) if train.labels is None else (train.x, train.y)), **arguments)
        except TypeError as error:
            refusal = re.search(r"(unexpected|multiple values for) (?:keyword )?argument '(\w+)'", str(error))
            if (
                refusal is None
                or refusal[2] not in arguments
                or begun()
                or refusal.groups() == ("multiple values for", "callbacks")
            ):
                raise
            del arguments[refusal[2]]
            if refusal[2] == "sample_weight":
                message = "rows weigh unlike, but the model's `fit` takes no `sample_weight`"
                raise ModelError(message, hint="Let it take one") from error


def parse_fit_result(result: Any, objective: Objective) -> dict[str, float]:
    """Return the metrics in the result of a `fit`, by KerasTuner's rules.

    A number is `default_objective`. A list gives the mean of its parts; a History in it counts with its best epoch. A
    History alone, or None, gives {}: then the logged epochs count. Raises ModelError for anything else.
    """
    import keras

    if result is None or isinstance(result, keras.callbacks.History):
        return {}
    if isinstance(result, list) and result:
        parts = [parse_fit_result(_select_best_epoch(item, objective), objective) for item in result]
        names = dict.fromkeys(name for part in parts for name in part)
        return {name: fmean(part[name] for part in parts if name in part) for name in names}
    try:
        metrics = result if isinstance(result, Mapping) else {DEFAULT_OBJECTIVE: result}
        return {str(name): float(value) for name, value in metrics.items()}
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{RETURNED} a {type(result).__name__} that is no metric: {error}",
            hint="Return a number, a dict of metrics, what `model.fit` returns, a list of these, or nothing",
        ) from error


def _select_best_epoch(result: Any, objective: Objective) -> Any:
    """Return the metrics of the best epoch of a History. Other results stay as they are."""
    curve = getattr(result, "history", None)
    if not (isinstance(curve, Mapping) and curve.get(objective.name)):
        return result
    _, best = min((objective.key(value), epoch) for epoch, value in enumerate(curve[objective.name]))
    return {name: values[best] for name, values in curve.items()}


def make_hyper_parameters(values: Mapping[str, Value]) -> Any:
    """Make `keras_tuner.HyperParameters` with these values. Other hyperparameters have their defaults."""
    import keras_tuner

    hyper_parameters = keras_tuner.HyperParameters()
    hyper_parameters.values = dict(values)
    return hyper_parameters


def convert_parameters(hyper_parameters: Iterable[Any]) -> tuple[Parameter, ...]:
    """Convert `keras_tuner.HyperParameters.space` to parameters `model.NAME`, in order, so that conditions look back.

    A name in several conditional scopes becomes one parameter that all scopes share. Raises ModelError if its range
    differs between scopes.
    """
    merged: dict[str, Parameter] = {}
    for hyper_parameter in hyper_parameters:
        name = MODEL_PREFIX + hyper_parameter.name
        when = (
            Condition(MODEL_PREFIX + condition.name, tuple(condition.values))
            for condition in hyper_parameter.conditions
        )
        new = Parameter(name, convert_distribution(hyper_parameter), tuple(when), default=hyper_parameter.default)
        merged[name] = _merge_parameters(merged[name], new) if name in merged else new
    return tuple(merged.values())


def convert_distribution(hyper_parameter: Any) -> Distribution:
    """Convert a `keras_tuner` hyperparameter to a range.

    A logarithmic range with a step becomes a list of values. `reverse_log` becomes uniform: no other engine has it.
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


def _merge_parameters(first: Parameter, second: Parameter) -> Parameter:
    if first.distribution != second.distribution:
        raise ModelError(
            f"hyperparameter {first.name!r} has a range of its own in each conditional scope: {first.distribution} and "
            f"{second.distribution}",
            hint="Give each a name of its own",
        )
    pairs = list(zip(first.when, second.when, strict=False))
    differing = [(x, y) for x, y in pairs if x != y]
    if (
        len(first.when) == len(second.when)
        and len(differing) <= 1
        and all(x.parameter == y.parameter for x, y in pairs)
    ):
        when = (Condition(x.parameter, tuple(dict.fromkeys((*x.values, *y.values)))) for x, y in pairs)
        return replace(first, when=tuple(when))
    # Otherwise keep the shared conditions. The parameter may then be active too often, but is never missing.
    return replace(first, when=tuple(condition for condition in first.when if condition in second.when))


def explore_space(spec: SweepSpec, build: Callable[[Any], Any], fit: Fit | None, data: SearchData) -> SweepSpec:
    """Add the hyperparameters that `build` asks for to the parameters of the sweep.

    The space file wins: if it gives `model.NAME` a range or a value, that range or constant is used. Raises ModelError if
    no build gives a Keras model, or if the space file names a hyperparameter that the model does not have.
    """
    space = spec.space
    constants = {_strip_prefix(name): value for name, value in space.constants.items() if name.startswith(MODEL_PREFIX)}
    fixed = {**spec.model.arguments, **constants}
    exploration = Exploration(build if fit is None else _add_fit(build, fit, spec, data), fixed)
    exploration.run()
    in_file = [parameter.name for parameter in space.parameters if parameter.name.startswith(MODEL_PREFIX)]
    known = {variant.name for variant in exploration.variants}
    for name in (*fixed, *map(_strip_prefix, in_file)):
        if name not in known:
            raise ModelError(
                f"`{MODEL_PREFIX}{name}`: {spec.model.source} has no hyperparameter {name!r}",
                hint=f"It has {', '.join(sorted(known)) or 'none'}",
            )
    discovered = [parameter for parameter in exploration.parameters() if parameter.name not in in_file]
    constants = {**space.constants, **{MODEL_PREFIX + name: value for name, value in fixed.items()}}
    return replace(spec, space=SearchSpace(in_order((*space.parameters, *discovered)), constants, space.where))


def _add_fit(build: Callable[[Any], Any], fit: Fit, spec: SweepSpec, data: SearchData) -> Callable[[Any], None]:
    """Return a function that builds a model and calls the HyperModel's own `fit`, to see its hyperparameters.

    `fit` gets a few rows and no epochs: Keras trains and compiles nothing, but a second phase of training is reached.
    If `fit` asks for more hyperparameters in an epoch, it gets an epoch. Errors are ignored, since they may come from
    the lack of rows; trials report them.
    """
    import keras

    rows, epochs = Rows(*(cut(arrays, 0, ROWS) for arrays in data.train.arrays)), [0, 1]

    def build_and_fit(hyper_parameters: Any) -> None:
        model, deadline = build(hyper_parameters), time.monotonic() + MOST_SECONDS
        if not model.compiled:  # any loss: it does not change which hyperparameters there are
            model.compile(loss=spec.loss if spec.loss in LOSS_NEEDS else "mse")

        def check_time(*_: Any, **__: Any) -> None:
            if time.monotonic() > deadline:
                raise TimeoutError

        callbacks = [keras.callbacks.LambdaCallback(on_train_batch_end=check_time, on_epoch_end=check_time)]
        arguments: dict[str, Any] = {"begun": lambda: False, "verbose": 0, "callbacks": callbacks}
        for count in tuple(epochs):
            known = len(hyper_parameters.space)
            with suppress(ModelError), user_code("`fit`", Path(), ModelError), redirect_stdout(io.StringIO()):
                call_fit(partial(fit, hyper_parameters, model), rows, rows, epochs=count, **arguments)
            epochs[:] = [int(count and len(hyper_parameters.space) > known)] if count else epochs

    return build_and_fit


def _strip_prefix(name: str) -> str:
    return name.removeprefix(MODEL_PREFIX)


@dataclass
class Exploration:
    """Build a model with one value changed at a time, and record which hyperparameters each build asks for."""

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
