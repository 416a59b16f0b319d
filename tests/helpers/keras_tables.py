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
OTHER_LOSSES = ("circle", "ctc")  # they need more than one label a row
COUNTS = {"false_negatives": "down", "false_positives": "down", "true_negatives": "up", "true_positives": "up"}
ACCURACY = ("accuracy", "acc")  # `compile` chooses one by the labels' shape


def keras_tables(known: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of the installed Keras, with the bounds of `known` tables."""
    import keras
    from keras.src.activations import ALL_OBJECTS_DICT as ACTIVATIONS
    from keras.src.losses import ALL_OBJECTS_DICT as LOSSES

    losses = {name for name, item in LOSSES.items() if name.islower() and not inspect.isclass(item)}
    metrics = _metrics()
    return {
        "keras": keras.__version__,
        "losses": sorted(losses - set(OTHER_LOSSES)),
        "metrics_to_maximize": sorted(name for name, (_, direction) in metrics.items() if direction == "up"),
        "metrics_to_minimize": sorted(name for name, (_, direction) in metrics.items() if direction == "down"),
        "activations": sorted(ACTIVATIONS),
        "optimizers": _optimizers(known.get("optimizers", {})),
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


def _optimizers(known: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What each optimizer takes that may be searched, and what each argument may be."""
    classes = {name.lower(): item for name, item in public("optimizers").items()}
    others = {name.lower() for name in named(OPTIMIZERS_LEFT_OUT)}
    return {
        name: {
            argument.name: known.get(name, {}).get(argument.name) or _kind(argument.default)
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


def main() -> None:
    """Write the file anew."""
    known = json.loads(FILE.read_text(encoding="utf-8"))
    FILE.write_text(as_text(keras_tables(known)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
