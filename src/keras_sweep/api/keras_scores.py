"""Losses and metrics of Keras's own that a program gives as `compile` takes them: objects, classes and functions."""

import re
import sys
from collections.abc import Sequence
from types import FunctionType
from typing import Any

from keras_sweep.process.given import give_function, loss_of_keras, unusual_arguments


def score_of_keras(value: Any) -> Any:
    """What a space file has for a loss or metric of Keras's own, or a metric of a class of the program's; else None.

    Its name, with the arguments that are not as by default; a metric of another name, or with arguments that a space
    file does not have, is a function that makes it anew. A loss with such arguments counts as one of the program's.
    """
    keras, kind = sys.modules.get("keras"), value if isinstance(value, type) else type(value)
    if kind is FunctionType:
        return loss_of_keras(value)
    if keras is not None and issubclass(kind, keras.metrics.Metric) and not kind.__module__.startswith("keras."):
        return _own_metric(kind, value)
    if keras is None or getattr(keras.losses, kind.__name__, getattr(keras.metrics, kind.__name__, None)) is not kind:
        return None
    try:
        made: Any = value() if value is kind else value
    except TypeError:  # it needs arguments, which is told where it is made
        return None
    from keras_sweep.space_file.keras_tables import LOSS_ARGUMENTS, METRIC_ARGUMENTS, METRICS

    if isinstance(made, keras.losses.Loss):
        name = loss_of_keras(made) or ""
        return _named(made, name, LOSS_ARGUMENTS.get(name))
    name, config = re.sub(r"_\d+$", "", made.name), made.get_config()  # Keras counts objects of a class: `precision_1`
    known = METRIC_ARGUMENTS.get(name, () if name in METRICS else None)
    if name.replace("_", "") != kind.__name__.lower():  # it has another name than its class
        name, known = made.name, None

    def made_anew() -> Any:
        return kind.from_config(config)

    made_anew.__name__ = name  # by which it is recorded
    return _named(made, name, known) or {"python": give_function(made_anew)}


def _own_metric(kind: Any, value: Any) -> Any:
    """A metric of the program's own, by the name that it gives itself; None where that is the name of its class."""
    try:
        made, again = (value(), value()) if value is kind else (value, None)
    except TypeError:  # it needs arguments, which is told where it is made
        return None
    config, as_it_is = made.get_config(), again is not None and again.name == made.name

    def made_anew() -> Any:
        return kind() if as_it_is else kind.from_config(config)

    made_anew.__name__ = made.name  # by which it is recorded
    return None if value is kind and made.name == kind.__name__ else {"python": give_function(made_anew)}


def _named(made: Any, name: str, known: Sequence[str] | None) -> Any:
    """The name, with the arguments that are not as by default; None where a space file does not know all of these."""
    arguments = unusual_arguments(made)
    if known is None or not arguments.keys() <= set(known):
        return None
    return {"name": name, **arguments} if arguments else name
