"""What a model becomes in a `.keras` file, and what it takes to open that file."""

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
ROWS = 8  # on which two models are compared


def fileable(model: Any, x: Arrays) -> Any:
    """The model itself if Keras can write it down; else a functional model of the layers that its `call` goes through.

    A subclassed model without `get_config` can't be written. Called on a symbol it shows which layers it is made of,
    which plain Keras can write and open, where its `call` is made of layers and Keras's operations alone. On a few
    of the rows `x` both must give the same. Raises ValueError, with the reason, where neither can be written.
    """
    why = _find_save_problem(model)
    if why is None:
        return model
    functional = _make_functional(model, x)
    if functional is None or _find_save_problem(functional) is not None:
        raise ValueError(why)
    return functional


def opening_call(model: Any) -> str:
    """How its file is opened: by plain `load_model`, or by what it needs beside the path."""
    import keras

    with without_tensorflow():
        config = keras.saving.serialize_keras_object(model)
        names = find_custom_objects(config)
        compiled = ", compile=False" if find_custom_objects({"parts": config.get("compile_config")}) else ""
    custom = f", custom_objects={{{', '.join(f'{name!r}: {place}' for name, place in names.items())}}}" if names else ""
    unsafe = ", safe_mode=False" if any(part["class_name"] == "__lambda__" for part in _walk_config(config)) else ""
    return f"keras.models.load_model(path{custom}{compiled}{unsafe})"


def find_custom_objects(config: Any) -> dict[str, str]:
    """The user's own classes, with their modules, and functions in a model's config, by what the file calls them.

    Not those that it is compiled with: without them it opens by `compile=False`.
    """
    names = {}
    for part in _walk_config(config):
        module = str(part.get("module") or "")
        if part["class_name"] == "function":
            if not _is_known_to_keras(part):  # Keras keeps no module of a function
                names[part["config"]] = part["config"].rpartition(">")[2]
        elif part.get("registered_name") and module.split(".")[0] not in ("keras", "builtins"):
            names[part["registered_name"]] = f"{module}.{part['class_name']}".lstrip(".")  # of `__main__` it has none
    return names


def objects_in_file(path: Path, source: str, *, compiled: bool) -> dict[str, str]:
    """`find_custom_objects` of a model's file, and of what it is `compiled` with, each as "module:name".

    {} where it is no such file, which opening it tells.

    Of a function the file has no module: then it is that of `source`, the model's own.
    """
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
    """What a user should know of a file that is opened by this call; None where plain `load_model` opens it."""
    if call == PLAIN:
        return None
    which = "is compiled with a loss or metric that Keras lacks" if call == UNCOMPILED else "holds code of yours"
    return f"plain `load_model` refuses the model's file, which {which}; this opens it: `{call}`"


def _is_known_to_keras(function: Mapping[str, Any]) -> bool:
    """Whether a function is one that Keras finds by its name, in a process without code of the user's."""
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
        return " ".join(str(fault).split("\n\n")[0].split()).rstrip(".")  # Keras goes on with an example
    return None


def _make_functional(model: Any, x: Arrays) -> Any | None:
    import keras

    given: dict[str, Any] = {"training": None} if "training" in model.call_signature_parameters else {}
    with contextlib.suppress(Exception), warnings.catch_warnings():  # its `call` may do anything
        warnings.simplefilter("ignore")
        inputs = each(lambda array: keras.Input(array.shape[1:], dtype=str(array.dtype)), x)
        outputs = model.call(inputs, **given)
        functional = keras.Model(inputs, outputs, name=model.name)
        if {id(one) for one in functional.weights} != {id(one) for one in model.weights}:
            return None
        to_numpy = keras.ops.convert_to_numpy
        ours, theirs = (leaves(each(to_numpy, one(cut(x, 0, ROWS), training=False))) for one in (functional, model))
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
