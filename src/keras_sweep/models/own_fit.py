"""A `fit` of a HyperModel's own: called as KerasTuner calls it, and what it returns."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from keras_sweep.data.search_data import Rows
from keras_sweep.errors import ModelError

Fit = Callable[..., Any]  # of rows and the arguments of `keras.Model.fit`, for one model and its hyperparameters


def call_fit(fit: Fit, train: Rows, validation: Rows, *, begun: Callable[[], object], **given: Any) -> Any:
    """Call it with these rows and arguments of `keras.Model.fit`; returns what it returns, raises what it raises.

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
