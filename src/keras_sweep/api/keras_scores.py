"""Convert Keras losses and metrics in a `Spec` (objects, classes, functions) to their form in a space file.

If a space file can't describe a metric, the metric becomes a function that rebuilds it. The record has a digest of the
function's qualified name and free variables. Renaming `made_anew`, the function around it, `kind`, `config` or
`as_it_is` makes recorded sweeps count as changed.
"""

import re
import sys
from collections.abc import Sequence
from types import FunctionType
from typing import Any

from keras_sweep.process.user_objects import get_changed_arguments, get_keras_loss_name, register_function


def score_of_keras(value: Any) -> Any:
    """Convert a loss or metric of Keras, or of a user's subclass of `Metric`, to its value in a space file: a name, or
    {"name": ..., argument: value}. A metric that a space file can't describe becomes {"python": NAME}, a registered
    function that rebuilds the metric. Return None for other values: the caller registers them."""
    keras, kind = sys.modules.get("keras"), value if isinstance(value, type) else type(value)
    if kind is FunctionType:
        return get_keras_loss_name(value)
    if keras is not None and issubclass(kind, keras.metrics.Metric) and not kind.__module__.startswith("keras."):
        return _own_metric(kind, value)
    if keras is None or getattr(keras.losses, kind.__name__, getattr(keras.metrics, kind.__name__, None)) is not kind:
        return None
    # A class that needs arguments fails later, with a message, when Keras compiles the model.
    try:
        loss_or_metric: Any = value() if value is kind else value
    except TypeError:
        return None
    from keras_sweep.space_file.keras_tables import LOSS_ARGUMENTS, METRIC_ARGUMENTS, METRICS

    if isinstance(loss_or_metric, keras.losses.Loss):
        name = get_keras_loss_name(loss_or_metric) or ""
        return _name_with_arguments(loss_or_metric, name, LOSS_ARGUMENTS.get(name))
    # Keras numbers the objects of a class: `precision_1`.
    name, config = re.sub(r"_\d+$", "", loss_or_metric.name), loss_or_metric.get_config()
    known = METRIC_ARGUMENTS.get(name, () if name in METRICS else None)
    if name.replace("_", "") != kind.__name__.lower():
        name, known = loss_or_metric.name, None

    def made_anew() -> Any:
        return kind.from_config(config)

    made_anew.__name__ = name
    return _name_with_arguments(loss_or_metric, name, known) or {"python": register_function(made_anew)}


def _own_metric(kind: Any, value: Any) -> Any:
    """Return {"python": NAME}, a registered function that rebuilds a metric of the user's class `kind`. `value`: the
    metric, or the class. Return None for a class that needs arguments or gives metrics its own name: the caller
    registers the class."""
    try:
        metric, second_metric = (value(), value()) if value is kind else (value, None)
    except TypeError:
        return None
    config, as_it_is = metric.get_config(), second_metric is not None and second_metric.name == metric.name

    def made_anew() -> Any:
        return kind() if as_it_is else kind.from_config(config)

    made_anew.__name__ = metric.name
    return None if value is kind and metric.name == kind.__name__ else {"python": register_function(made_anew)}


def _name_with_arguments(loss_or_metric: Any, name: str, known: Sequence[str] | None) -> Any:
    """Return `name`, or a dict with `name` and the arguments that differ from Keras's defaults. Return None if a space
    file accepts only some of them (those in `known`), or not the name (`known` is None)."""
    arguments = get_changed_arguments(loss_or_metric)
    if known is None or not arguments.keys() <= set(known):
        return None
    return {"name": name, **arguments} if arguments else name
