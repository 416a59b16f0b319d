"""Losses and metrics of Keras's own that a program gives as `compile` takes them: objects, classes and functions."""

import re
import sys
from types import FunctionType
from typing import Any

from keras_sweep.process.given import give_function, loss_of_keras, unusual_arguments


def score_of_keras(value: Any) -> Any:
    """What a space file has for a loss or metric of Keras's own; None for any other.

    Its name, with the arguments that are not as by default; a metric of another name, or with arguments that a space
    file does not have, is a function that makes it anew. A loss with such arguments counts as one of the program's.
    """
    keras, kind = sys.modules.get("keras"), value if isinstance(value, type) else type(value)
    if kind is FunctionType:
        return loss_of_keras(value)
    if keras is None or getattr(keras.losses, kind.__name__, getattr(keras.metrics, kind.__name__, None)) is not kind:
        return None
    try:
        made: Any = value() if value is kind else value
    except TypeError:  # it needs arguments, which is told where it is made
        return None
    arguments, config = unusual_arguments(made), made.get_config()
    is_loss = isinstance(made, keras.losses.Loss)
    name, known = _loss(made) if is_loss else _metric(made)
    if known is not None and arguments.keys() <= set(known):
        return {"name": name, **arguments} if arguments else name
    if is_loss:
        return None

    def made_anew() -> Any:
        return kind.from_config(config)

    made_anew.__name__ = name  # by which it is recorded
    return {"python": give_function(made_anew)}


def _loss(loss: Any) -> tuple[str, Any]:
    """Its name, and the arguments that a space file has for it; None if it has none for the loss."""
    from keras_sweep.space_file.keras_tables import LOSS_ARGUMENTS

    name = loss_of_keras(loss) or ""
    return name, LOSS_ARGUMENTS.get(name)


def _metric(metric: Any) -> tuple[str, Any]:
    """As `_loss`; of a metric that is named as its class is."""
    from keras_sweep.space_file.keras_tables import METRIC_ARGUMENTS, METRICS

    name = re.sub(r"_\d+$", "", metric.name)  # Keras counts the objects of a class: `precision_1`
    if name.replace("_", "") == type(metric).__name__.lower():
        return name, METRIC_ARGUMENTS.get(name, () if name in METRICS else None)
    return metric.name, None
