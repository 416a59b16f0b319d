"""What a `keras_tuner.HyperModel` or a `build(hp)` function brings beside a model: its parameters, optimizer, `fit`."""

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from statistics import fmean
from typing import Any

from keras_sweep.data.search_data import Rows
from keras_sweep.errors import ModelError
from keras_sweep.space.distributions import Categorical, Distribution, Float, Int, Value
from keras_sweep.space.search_space import Condition, Objective, Parameter

DEFAULT_OBJECTIVE = "default_objective"  # KerasTuner's name for a number that a `fit` returns
RETURNED = "the model's `fit` returned"  # so begins what is wrong with it
Fit = Callable[..., Any]  # of rows and the arguments of `keras.Model.fit`, for one model and its hyperparameters


def is_hyper_model(found: object) -> bool:
    """Whether it is a HyperModel (an instance or a class), or a function whose first parameter is `hp`."""
    keras_tuner = sys.modules.get("keras_tuner")  # whoever made a HyperModel has imported it
    kind = found if isinstance(found, type) else type(found)
    if keras_tuner is not None and issubclass(kind, keras_tuner.HyperModel):
        return True
    if isinstance(found, type) or not callable(found):
        return False
    try:
        return next(iter(inspect.signature(found).parameters), None) == "hp"
    except (TypeError, ValueError):
        return False


def has_own_fit(found: Any) -> bool:
    """Whether it is a HyperModel, or a class of one, that trains its models by a `fit` of its own."""
    keras_tuner: Any = sys.modules.get("keras_tuner")
    kind: Any = found if isinstance(found, type) else type(found)
    return bool(keras_tuner) and issubclass(kind, keras_tuner.HyperModel) and kind.fit is not keras_tuner.HyperModel.fit


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


def returned(found: Any, objective: Objective) -> dict[str, float]:
    """The metrics that a `fit` returned, by KerasTuner's rules: a number is its `default_objective`, a list the mean of
    its parts, where the best epoch counts of what `model.fit` returned. Of that alone, or of nothing, those count that
    its epochs logged. Raises ModelError for anything else."""
    import keras

    if found is None or isinstance(found, keras.callbacks.History):
        return {}
    if isinstance(found, list) and found:
        parts = [returned(_best_of(one, objective), objective) for one in found]
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


def _best_of(found: Any, objective: Objective) -> Any:
    """Of what `model.fit` returned the metrics of its best epoch; anything else as it is."""
    curve = getattr(found, "history", None)
    if not (isinstance(curve, Mapping) and curve.get(objective.name)):
        return found
    _, best = min((objective.key(value), epoch) for epoch, value in enumerate(curve[objective.name]))
    return {name: values[best] for name, values in curve.items()}


def asking(values: Mapping[str, Value]) -> Any:
    """`keras_tuner.HyperParameters` with these values; others have their defaults."""
    import keras_tuner

    hyper_parameters = keras_tuner.HyperParameters()
    hyper_parameters.values = dict(values)
    return hyper_parameters


def own_optimizer(model: Any) -> Any | None:
    """A fresh optimizer like the one a model was compiled with in its `build`; None for an uncompiled model."""
    optimizer = getattr(model, "optimizer", None)
    return None if optimizer is None else type(optimizer).from_config(optimizer.get_config())


def parameters_of(hyper_parameters: Iterable[Any], prefix: str = "") -> tuple[Parameter, ...]:
    """The parameters of `keras_tuner.HyperParameters.space`, each name with the prefix before it.

    Names keep their order, so conditions look back. A name that stands in several conditional scopes becomes one
    parameter that is there in all of them. Raises ModelError where it has another range in each.
    """
    merged: dict[str, Parameter] = {}
    for hyper_parameter in hyper_parameters:
        name = prefix + hyper_parameter.name
        when = tuple(
            Condition(prefix + condition.name, tuple(condition.values)) for condition in hyper_parameter.conditions
        )
        new = Parameter(name, distribution_of(hyper_parameter), when, default=hyper_parameter.default)
        merged[name] = _united(merged[name], new) if name in merged else new
    return tuple(merged.values())


def distribution_of(hyper_parameter: Any) -> Distribution:
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
    log = hyper_parameter.sampling == "log"
    if step is not None and hyper_parameter.sampling != "linear":
        number = int if kind == "Int" else float
        return Categorical(tuple(dict.fromkeys(number(value) for value in hyper_parameter.values)))
    if kind == "Int":
        return Int(low, high, log=log, step=1 if log else step or 1)
    return Float(float(low), float(high), log=log, step=None if step is None else float(step))


def _united(a: Parameter, b: Parameter) -> Parameter:
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
