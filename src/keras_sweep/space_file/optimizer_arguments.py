"""Which arguments each Keras optimizer takes, and what each may be, from keras_tables.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_sweep.space_file.keras_names import TABLES
from keras_sweep.space_file.rules import NumberRule

DEFAULT_OPTIMIZER = "rmsprop"  # as `keras.Model.compile`
_KINDS = {"float": float, "int": int, "bool": bool}


def _rule(argument: Mapping[str, Any]) -> NumberRule:
    return NumberRule(**{**argument, "kind": _KINDS[argument["kind"]]})


# optimizer -> its arguments. Left out: `name`, `exclude_layers`, and the optimizers that wrap others.
OPTIMIZERS: Mapping[str, Mapping[str, NumberRule]] = {
    optimizer: {name: _rule(argument) for name, argument in arguments.items()}
    for optimizer, arguments in TABLES["optimizers"].items()
}
ARGUMENTS: tuple[str, ...] = tuple(dict.fromkeys(name for known in OPTIMIZERS.values() for name in known))


def argument(name: str) -> NumberRule | None:
    """What an argument may be in general: for the first optimizer that takes it. None where no optimizer does."""
    return next((known[name] for known in OPTIMIZERS.values() if name in known), None)


def optimizers_with(argument: str) -> tuple[str, ...]:
    """The optimizers that take an argument."""
    return tuple(name for name, known in OPTIMIZERS.items() if argument in known)
