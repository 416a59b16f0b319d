"""Prepare a model for a `.keras` file, and say how to open the file."""

import contextlib
import json
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.arrays import Arrays, cut, each, leaves
from keras_sweep.process.backend import without_tensorflow

PLAIN = "keras.models.load_model(path)"
UNCOMPILED = "keras.models.load_model(path, compile=False)"
ROWS = 8  # rows on which two models are compared


def fileable(model: Any, x: Arrays) -> Any:
    """Return the model if Keras can save it, or a functional model of the layers in its `call`. Keras can't save a
    subclassed model without `get_config`. A call on a symbolic tensor shows the layers: if `call` uses only layers and
    Keras's operations, Keras can save a functional model of them. The functional model must give the outputs of `model`
    for a few rows of `x`. Raises ValueError, with the reason, if neither model can be saved."""
    problem = _find_save_problem(model)
    if problem is None:
        return model
    functional = _make_functional(model, x)
    if functional is None or _find_save_problem(functional) is not None:
        raise ValueError(problem)
    return functional


def opening_call(model: Any) -> str:
    """Return the Python call that opens the model's file: `load_model` with the arguments that the file needs."""
    import keras

    with without_tensorflow():
        config = keras.saving.serialize_keras_object(model)
        names = find_custom_objects(config)
        compiled = ", compile=False" if find_custom_objects({"parts": config.get("compile_config")}) else ""
    custom = f", custom_objects={{{', '.join(f'{name!r}: {place}' for name, place in names.items())}}}" if names else ""
    unsafe = ", safe_mode=False" if any(part["class_name"] == "__lambda__" for part in _walk_config(config)) else ""
    return f"keras.models.load_model(path{custom}{compiled}{unsafe})"


def find_custom_objects(config: Any) -> dict[str, str]:
    """Return the user's objects in a model's config: a class's name -> `module.Class`, a function's name -> the same
    name. Objects of `compile` are left out, since `compile=False` opens the file without them."""
    names = {}
    for part in _walk_config(config):
        module = str(part.get("module") or "")
        if part["class_name"] == "function":
            if not _is_known_to_keras(part):  # Keras saves no module of a function
                names[part["config"]] = part["config"].rpartition(">")[2]
        elif part.get("registered_name") and module.split(".")[0] not in ("keras", "builtins"):
            names[part["registered_name"]] = f"{module}.{part['class_name']}".lstrip(".")  # no module for `__main__`
    return names


def objects_in_file(path: Path, source: str, *, compiled: bool) -> dict[str, str]:
    """Return name -> "module:name" of the user's classes and functions in a model's file, with objects of `compile` if
    `compiled`. `source` is the user's model function as "module:name". Keras saves no module of a function, so the
    module of `source` is used. Returns {} if the file is unreadable: the function that opens it reports the error."""
    sources = {}
    with contextlib.suppress(Exception), without_tensorflow():
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
        parts = [config, {"parts": config.get("compile_config") if compiled else None}]
        for name, place in find_custom_objects(parts).items():
            module, _, known = place.rpartition(".")
            sources[name] = f"{module or source.partition(':')[0]}:{known}"
    return sources


def opening_words(call: str) -> str | None:
    """Return a notice with the Python `call` that opens the model's file, or None if `load_model(FILE)` opens it."""
    if call == PLAIN:
        return None
    which = "is compiled with your loss or metric" if call == UNCOMPILED else "contains your code"
    return f"plain `load_model` refuses the model's file, which {which}; this opens it: `{call}`"


def _is_known_to_keras(function: Mapping[str, Any]) -> bool:
    import keras

    if keras.saving.get_registered_object(function["config"]) is not None:
        return False
    try:
        keras.saving.deserialize_keras_object(dict(function))
    except (TypeError, ValueError):
        return False
    return True


def _find_save_problem(model: Any) -> str | None:
    import keras

    try:
        with without_tensorflow():
            keras.saving.serialize_keras_object(model)
    except Exception as fault:
        return " ".join(str(fault).split("\n\n")[0].split()).rstrip(".")  # Keras adds an example
    return None


def _make_functional(model: Any, x: Arrays) -> Any | None:
    import keras

    kwargs: dict[str, Any] = {"training": None} if "training" in model.call_signature_parameters else {}
    with contextlib.suppress(Exception), warnings.catch_warnings():  # the model's `call` may do anything
        warnings.simplefilter("ignore")
        inputs = each(lambda array: keras.Input(array.shape[1:], dtype=str(array.dtype)), x)
        outputs = model.call(inputs, **kwargs)
        functional = keras.Model(inputs, outputs, name=model.name)
        if {id(weight) for weight in functional.weights} != {id(weight) for weight in model.weights}:
            return None
        to_numpy = keras.ops.convert_to_numpy
        ours, theirs = (leaves(each(to_numpy, net(cut(x, 0, ROWS), training=False))) for net in (functional, model))
        pairs = zip(ours, theirs, strict=True)
        return functional if all(np.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in pairs) else None
    return None


def _walk_config(config: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(config, Mapping):
        if "class_name" in config:
            yield config
        for key, value in config.items():
            yield from _walk_config(value) if key != "compile_config" else ()
    elif isinstance(config, list | tuple):
        for value in config:
            yield from _walk_config(value)
