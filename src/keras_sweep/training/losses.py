"""Losses and metrics as `compile` takes them: by Keras's names, or Keras's objects where they have arguments."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import ModelError
from keras_sweep.space.distributions import Value
from keras_sweep.space.sweep_spec import SweepSpec


def compile_arguments(spec: SweepSpec, arguments: Mapping[str, Value], data: SearchData) -> dict[str, Any]:
    """What `compile` takes beside the optimizer, for a trial whose loss has these arguments.

    Rows that weigh unlike do so in all metrics: Keras gives their weights to none but `weighted_metrics`.

    Raises:
        ModelError: Keras does not take them.
    """
    metrics = [metric_of(name, spec.metric_arguments.get(name)) for name in spec.metrics]
    return {"loss": loss_of(spec.loss, arguments), "weighted_metrics" if data.weighs else "metrics": metrics}


def loss_of(name: str, arguments: Mapping[str, Value]) -> Any:
    """A loss: its name, or of arguments the one object that has them. Raises ModelError."""
    return name if not arguments else _loss(name, tuple(sorted(arguments.items())))


@cache
def _loss(name: str, arguments: tuple[tuple[str, Value], ...]) -> Any:
    import keras

    function = keras.losses.get(name)
    for kind in vars(keras.losses).values():
        a_loss = isinstance(kind, type) and issubclass(kind, keras.losses.Loss) and kind is not keras.losses.Loss
        if a_loss and getattr(kind(), "fn", None) is function:
            return _made(kind, name, dict(arguments))
    raise ModelError(f"Keras {keras.__version__} has no class of the loss {name!r}", hint="Leave out its arguments")


def metric_of(name: str, arguments: Mapping[str, Value] | None) -> Any:
    """A metric: its name, or of arguments a new object that is logged by the name. Raises ModelError."""
    import keras

    if arguments is None:
        return name

    def make(**given: Any) -> Any:
        return keras.metrics.get({"class_name": name, "config": {**given, "name": name}})

    return _made(make, name, {key: list(one) if isinstance(one, tuple) else one for key, one in arguments.items()})


def _made(make: Callable[..., Any], name: str, arguments: Mapping[str, Any]) -> Any:
    try:
        return make(**arguments)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{name!r} does not take {dict(arguments)}: {error}") from error


def each_row(loss: Any) -> Callable[[Any, Any], Any] | None:
    """What a loss of arguments gives for each row of labels and outputs; None for one that is a name."""
    return None if isinstance(loss, str) else getattr(loss, "call", None)
