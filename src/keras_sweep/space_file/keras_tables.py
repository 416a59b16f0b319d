"""What Keras knows, from keras_tables.json, so that a space file is checked without importing Keras.

`python -m tests.helpers.keras_tables` writes the file anew; the tests compare it with Keras.
"""

import json
from collections import ChainMap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import Field, TypeAdapter

from keras_sweep.space.data_spec import STRICT

TABLES = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))

# what `compile(loss=...)` takes as text and computes from labels and outputs alone
LOSSES: tuple[str, ...] = tuple(TABLES["losses"])
METRICS_TO_MAXIMIZE: tuple[str, ...] = tuple(TABLES["metrics_to_maximize"])
METRICS_TO_MINIMIZE: tuple[str, ...] = tuple(TABLES["metrics_to_minimize"])
# what `compile(metrics=[...])` takes as text and no argument; Keras logs each under exactly the name it was given by
METRICS: tuple[str, ...] = tuple(sorted({*METRICS_TO_MAXIMIZE, *METRICS_TO_MINIMIZE}))
# those that need an argument; of all the arguments that they, and losses, take
METRICS_OF_ARGUMENTS: Mapping[str, str] = TABLES["metrics_of_arguments"]
LOSS_ARGUMENTS: Mapping[str, Sequence[str]] = TABLES["loss_arguments"]
METRIC_ARGUMENTS: Mapping[str, Sequence[str]] = TABLES["metric_arguments"]
ACTIVATIONS: tuple[str, ...] = tuple(TABLES["activations"])

Kind: TypeAlias = TypeAdapter[Any]  # what a value may be, `Faults.fits` says whether it is
_KINDS: Mapping[str, Any] = {"float": float, "int": int, "bool": bool}


def make_kind(annotation: Any) -> Kind:
    """The kind of values that an annotation stands for, as strict as a section's fields."""
    return TypeAdapter(annotation, config=STRICT)


def _kind(kind: str, null: bool = False, **bounds: Any) -> Kind:
    """An argument of the table. `null` may stand for "off"."""
    number = _KINDS[kind]
    return make_kind(Annotated[number | None if null else number, Field(**bounds)])


# optimizer -> its arguments. Left out: `name`, `exclude_layers`, and the optimizers that wrap others.
OPTIMIZERS: Mapping[str, dict[str, Kind]] = {
    optimizer: {name: _kind(**argument) for name, argument in arguments.items()}
    for optimizer, arguments in TABLES["optimizers"].items()
}
# all arguments, each as the first optimizer that has it takes it
ARGUMENTS: Mapping[str, Kind] = ChainMap(*OPTIMIZERS.values())


def is_maximized(metric: str) -> bool | None:
    """Whether more of a metric, or of its value on validation rows, is better; None: it is none of Keras's."""
    name = metric.removeprefix("val_")
    known = {**dict.fromkeys(METRICS), **METRICS_OF_ARGUMENTS, "loss": None}
    return (name in METRICS_TO_MAXIMIZE or known[name] == "up") if name in known else None


def list_optimizers_with(argument: str) -> tuple[str, ...]:
    """The optimizers that take an argument."""
    return tuple(name for name, known in OPTIMIZERS.items() if argument in known)
