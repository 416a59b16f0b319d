"""A `fit` of a HyperModel's own: called as KerasTuner calls it, and what it returns."""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from keras_sweep.data.search_data import Rows
from keras_sweep.errors import ModelError

Fit = Callable[..., Any]  # of rows and the arguments of `keras.Model.fit`, for one model and its hyperparameters


def call_fit(fit: Fit, train: Rows, validation: Rows, *, begun: Callable[[], object], **given: Any) -> Any:
    """Call it with these rows and arguments of `keras.Model.fit`; returns what it returns, raises what it raises.

    An argument that it does not take is left out, and so is one that it gives beside `**kwargs` itself, as in
    `model.fit(*args, verbose=2, **kwargs)`: Python then raises before anything trains, which `begun` says.
    """
    given["validation_data"] = validation.validation_data
    rows = (train.x,) if train.labels is None else (train.x, train.y)
    taken = inspect.signature(fit).parameters
    given |= {} if train.weights is None else {"sample_weight": train.weights}
    if all(one.kind is not inspect.Parameter.VAR_KEYWORD for one in taken.values()):
        if "sample_weight" in given and "sample_weight" not in taken:
            raise ModelError(
                "rows weigh unlike, but the model's `fit` takes no `sample_weight`", hint="Let it take one"
            )
        given = {name: value for name, value in given.items() if name in taken}
    while True:
        try:
            return fit(*rows, **given)
        except TypeError as error:
            twice = re.search(r"multiple values for (?:keyword )?argument '(\w+)'", str(error))
            if twice is None or twice[1] not in given or twice[1] == "callbacks" or begun():
                raise
            del given[twice[1]]


def returned(found: Any, objective: str) -> dict[str, float]:
    """The metrics that a `fit` returned, by KerasTuner's rules: a number is the objective, and of what `model.fit`
    returns, or nothing, those count that its epochs logged. Raises ModelError for anything else."""
    import keras

    if found is None or isinstance(found, keras.callbacks.History):
        return {}
    try:
        metrics = found if isinstance(found, Mapping) else {objective: found}
        return {str(name): float(value) for name, value in metrics.items()}
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"the model's `fit` returned a {type(found).__name__} that is no metric: {error}",
            hint=f"Return {objective} as a number, a dict of metrics, what `model.fit` returns, or nothing",
        ) from error
