"""Writes keras_tables.json from the installed Keras: `python -m tests.helpers.keras_tables`.

Names, kinds and directions are Keras's. Bounds are not, for Keras checks few of them: what the file says of an argument
is kept, and an argument that is new stands there by the kind of its default, for a person to bound.
"""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_sweep.space_file import keras_tables as tables
from tests.helpers.keras_catalogue import OPTIMIZERS_LEFT_OUT, named, public

FILE = Path(tables.__file__).with_name("keras_tables.json")

OTHER_ARGUMENTS = ("self", "name", "kwargs", "exclude_layers")
EXAMPLES = {"num_classes": 2, "target_class_ids": [0], "normalizer": [1.0]}  # of arguments that a metric needs
OTHER_LOSSES = ("circle", "ctc")  # they need more than one label a row
COUNTS = {"false_negatives": "down", "false_positives": "down", "true_negatives": "up", "true_positives": "up"}
ACCURACY = ("accuracy", "acc")  # `compile` chooses one by the labels' shape


def keras_tables(known: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of the installed Keras, with the bounds of `known` tables."""
    import keras
    from keras.src.activations import ALL_OBJECTS_DICT as ACTIVATIONS
    from keras.src.losses import ALL_OBJECTS_DICT as LOSSES

    losses = {name for name, item in LOSSES.items() if name.islower() and not inspect.isclass(item)}
    losses -= set(OTHER_LOSSES)
    metrics, others = _metrics(), dict(sorted(_metrics_of_arguments().items()))
    each, optimizers = metrics | others, _optimizers()
    arguments = {name: default for parts in reversed(optimizers.values()) for name, default in parts.items()}
    bounds = known.get("optimizer_arguments", {})
    return {
        "keras": keras.__version__,
        "metrics_to_maximize": sorted(name for name, (_, direction) in each.items() if direction == "up"),
        "metrics_to_minimize": sorted(name for name, (_, direction) in each.items() if direction == "down"),
        "loss_arguments": {name: _arguments(_class_of(name), "axis", "ignore_class") for name in sorted(losses)},
        "metric_arguments": {
            name: _arguments(kind)
            for name, (kind, _) in (*sorted(metrics.items()), *others.items())
            if name not in ACCURACY
        },
        "metrics_of_arguments": list(others),
        "activations": sorted(ACTIVATIONS),
        "optimizer_arguments": {name: bounds.get(name) or _kind(default) for name, default in arguments.items()},
        "optimizers": {name: list(parts) for name, parts in optimizers.items()},
    }


def _metrics() -> dict[str, tuple[type, str]]:
    """The metrics that a name alone makes and that have a direction: name -> (class, "up" or "down")."""
    import keras
    from keras.src.metrics import ALL_OBJECTS_DICT as METRICS

    found: dict[str, tuple[type, str]] = dict.fromkeys(ACCURACY, (keras.metrics.Accuracy, "up"))
    for name in filter(str.islower, METRICS):
        try:
            metric = keras.metrics.get(name)
        except TypeError:  # it takes an argument
            continue
        direction = COUNTS.get(name, getattr(metric, "_direction", None))
        if direction is not None:
            found[name] = (type(metric), direction)
    return found


def _metrics_of_arguments() -> dict[str, tuple[type, str]]:
    """Those that can't be made without an argument: name -> (class, "up" or "down")."""
    from keras.src.metrics import ALL_OBJECTS_DICT as METRICS

    found = {}
    for name in filter(str.islower, METRICS):
        required = _required(METRICS[name]) if inspect.isclass(METRICS[name]) else []
        if required and "fn" not in required:
            direction = getattr(METRICS[name](**{key: EXAMPLES.get(key, 0.5) for key in required}), "_direction", None)
            if direction is not None:
                found[name] = (METRICS[name], direction)
    return found


def _required(kind: type) -> list[str]:
    each = list(inspect.signature(kind).parameters.values())
    return [one.name for one in each if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD]


def _class_of(loss: str) -> type:
    """The class of a loss, which takes its arguments."""
    import keras

    function = keras.losses.get(loss)
    kinds = [kind for kind in vars(keras.losses).values() if inspect.isclass(kind) and not _required(kind)]
    return next(kind for kind in kinds if getattr(kind(), "fn", None) is function)


def _arguments(kind: type, *others: str) -> list[str]:
    """Those that a space file may give."""
    left_out = (*OTHER_ARGUMENTS, "dtype", "reduction", "args", *others)
    return [name for name in inspect.signature(kind).parameters if name not in left_out]


def _optimizers() -> dict[str, dict[str, Any]]:
    """What each optimizer takes that may be searched: argument -> default."""
    classes = {name.lower(): item for name, item in public("optimizers").items()}
    others = {name.lower() for name in named(OPTIMIZERS_LEFT_OUT)}
    return {
        name: {
            argument.name: argument.default
            for argument in inspect.signature(classes[name]).parameters.values()
            if argument.name not in OTHER_ARGUMENTS
        }
        for name in sorted(set(classes) - others)
    }


def _kind(default: object) -> dict[str, Any]:
    if isinstance(default, bool):
        return {"kind": "bool"}
    return {"kind": "float", "null": True} if default is None else {"kind": "float"}


def as_text(value: Any, indent: str = "") -> str:
    """JSON with a list of names, or what an argument may be, on each line."""
    if not isinstance(value, dict) or "kind" in value:
        return json.dumps(value)
    lines = [f"{indent} {json.dumps(key)}: {as_text(below, indent + ' ')}" for key, below in value.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


if __name__ == "__main__":
    FILE.write_text(as_text(keras_tables(tables.TABLES)) + "\n", encoding="utf-8")
