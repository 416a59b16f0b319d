"""What a user's model is, as plain texts that can be compared and told: its structure, and how it compiled itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from keras_sweep.process.without_tensorflow import without_tensorflow


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Two models of equal facts train alike, if there is no code of the user's in them."""

    structure: str  # layers with their arguments, names left out; shapes of the weights
    compiled: Mapping[str, str] = field(default_factory=dict)  # part of `compile` -> what it was given; {}: uncompiled
    own_code: bool = False  # whether a layer is of no class of Keras's, so that its arguments may not be all


def model_facts(model: Any) -> ModelFacts:
    """The facts of a model as a function returned it."""
    with without_tensorflow():  # which Keras would import to look for its types among the arguments
        structure, compiled = _structure(model), _compiled(model)
    return ModelFacts(structure, compiled, any(not of_keras(layer) for layer in layers_of(model)))


def layers_of(model: Any) -> Iterator[Any]:
    """The model and every layer in it, at any depth; of another Keras without those that layers hold in themselves."""
    flatten = getattr(model, "_flatten_layers", None)  # Keras 3.15: no public way
    if flatten is not None:
        yield from flatten(include_self=True, recursive=True)
        return
    yield model
    for layer in getattr(model, "layers", ()):
        yield from layers_of(layer)


def of_keras(layer: Any) -> bool:
    """Whether its class is Keras's own, and it holds no function of the user's."""
    kind = type(layer)
    return kind.__module__.split(".")[0] == "keras" and kind.__name__ != "Lambda"


def _structure(model: Any) -> str:
    try:
        text = json.dumps(model.get_config(), sort_keys=True, default=_plain)
    except Exception:  # a class of the user's says nothing of its arguments
        text = type(model).__name__
    for index, name in enumerate(_names(model)):  # Keras numbers the layers of a process
        text = text.replace(json.dumps(name), f'"#{index}"')
    weights = [(tuple(weight.shape), weight.trainable) for weight in getattr(model, "weights", ())]
    return f"{text} {weights}"


def _names(model: Any) -> list[str]:
    parts = [*layers_of(model), *getattr(model, "operations", ())]
    return list(dict.fromkeys(str(part.name) for part in parts))


def _compiled(model: Any) -> dict[str, str]:
    if not getattr(model, "compiled", False):
        return {}
    optimizer = getattr(model, "optimizer", None)
    parts: dict[str, str] = {}
    if optimizer is not None:
        settings = {key: value for key, value in optimizer.get_config().items() if key != "name"}
        parts = {"optimizer": type(optimizer).__name__}
        parts |= {f"optimizer.{key}": json.dumps(value, default=_plain) for key, value in settings.items()}
    try:
        config = model.get_compile_config()
    except Exception:  # a loss of the user's that can't be written down
        config = {"loss": getattr(model, "loss", None)}
    for key in ("loss", "metrics", "weighted_metrics", "loss_weights"):
        if config.get(key):
            parts[key] = ", ".join(_words(config[key]))
    return parts


def _words(value: Any) -> list[str]:
    """A loss or metrics as a user would name them: `mse`, `SparseCategoricalCrossentropy(from_logits=True)`."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping) and "class_name" in value:
        settings = value.get("config")
        if not isinstance(settings, Mapping):  # of a function: its name
            return [str(settings)]
        given = [f"{key}={settings[key]!r}" for key in ("from_logits", "label_smoothing") if settings.get(key)]
        return [f"{value['class_name']}({', '.join(given)})" if given else str(value["class_name"])]
    if isinstance(value, Mapping):
        return [f"{key}: {word}" for key, one in value.items() for word in _words(one)]
    if isinstance(value, list | tuple):
        return [word for one in value for word in _words(one)]
    return [getattr(value, "__name__", None) or str(getattr(value, "name", None) or value)]


def _plain(value: object) -> str:
    return getattr(value, "__name__", None) or type(value).__name__
