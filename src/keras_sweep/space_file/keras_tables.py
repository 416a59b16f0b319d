"""Tables of Keras's names and arguments, from keras_tables.json, so that no check of a space file imports Keras.

`python -m tests.helpers.keras_tables` updates keras_tables.json. The tests compare the file with Keras.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import Field, TypeAdapter

from keras_sweep.space.data_spec import STRICT

TABLES = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))

LOSS_ARGUMENTS: Mapping[str, Sequence[str]] = TABLES["loss_arguments"]
METRIC_ARGUMENTS: Mapping[str, Sequence[str]] = TABLES["metric_arguments"]
# Losses that `compile(loss=...)` accepts as text and that need only labels and outputs.
LOSSES = tuple(LOSS_ARGUMENTS)
METRICS_TO_MAXIMIZE: tuple[str, ...] = tuple(TABLES["metrics_to_maximize"])
ALL_METRICS = frozenset({*METRICS_TO_MAXIMIZE, *TABLES["metrics_to_minimize"]})
METRICS_OF_ARGUMENTS: tuple[str, ...] = tuple(TABLES["metrics_of_arguments"])  # each needs an argument
# Metrics that `compile(metrics=[...])` accepts as text without arguments. Keras logs each under this name.
METRICS = tuple(sorted(ALL_METRICS.difference(METRICS_OF_ARGUMENTS)))
ACTIVATIONS: tuple[str, ...] = tuple(TABLES["activations"])

Kind: TypeAlias = TypeAdapter[Any]  # validates values of a parameter or key, in `Faults.check_value`
_KINDS: Mapping[str, Any] = {"float": float, "int": int, "bool": bool}


def make_kind(annotation: Any) -> Kind:
    """Return a validator of values of the type `annotation`. It is strict: the text "1" is not a number."""
    return TypeAdapter(annotation, config=STRICT)


def _make_argument_kind(kind: str, null: bool = False, **bounds: Any) -> Kind:
    """Return a validator. `kind`: "float", "int" or "bool". `bounds`: like `ge=0`. `null`: whether None is valid."""
    number = _KINDS[kind]
    return make_kind(Annotated[number | None if null else number, Field(**bounds)])


# Optimizer -> arguments, without `name` and `exclude_layers`, and without optimizers that wrap an optimizer.
OPTIMIZERS: Mapping[str, Sequence[str]] = TABLES["optimizers"]
ARGUMENTS = {name: _make_argument_kind(**argument) for name, argument in TABLES["optimizer_arguments"].items()}


def is_maximized(metric: str) -> bool | None:
    """Return whether greater values of a metric (or `val_` metric) are better; None for a metric that Keras lacks."""
    name = metric.removeprefix("val_")
    return name in METRICS_TO_MAXIMIZE if name in ALL_METRICS or name == "loss" else None


def list_optimizers_with(argument: str) -> tuple[str, ...]:
    return tuple(name for name, known in OPTIMIZERS.items() if argument in known)
