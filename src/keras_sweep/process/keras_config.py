"""Keras's own configuration, which moves numbers: as keras.json has it, or as code has set it since."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_sweep.errors import RecordError, UsageError

KERAS_CONFIG = "keras_config"  # what a record and a card call it; absent where none of its trials was trained here
DEFAULTS = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last", "dtype_policy": "float32"}
_ALLOWED = {
    "floatx": ("float16", "float32", "float64"),
    "image_data_format": ("channels_last", "channels_first"),
}


def keras_config() -> dict[str, Any]:
    """The configuration of this process: Keras's own functions are asked, or keras.json before Keras is imported.

    Raises UsageError where keras.json is broken.
    """
    keras = sys.modules.get("keras")
    if keras is None or not hasattr(keras, "config"):
        return _of_file()
    asked = {name: getattr(keras.config, name)() for name in DEFAULTS}
    return {**asked, "dtype_policy": asked["dtype_policy"].name}


def config_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs: `keras.config.epsilon: 1e-07 -> 0.001`, by the name of Keras's function for it."""
    both = [(name, str(old.get(name, "not there"))[:60], str(value)) for name, value in new.items()]
    return [f"keras.config.{name}: {former} -> {now}" for name, former, now in both if former != now]


def use_keras_config(recorded: Mapping[str, Any] | None) -> str | None:
    """Give this process the configuration that trials were trained with; a sentence on it where it had another one.

    Code of the user's that sets it once more does as it did when they were trained. Raises RecordError where Keras does
    not take it.
    """
    now = keras_config()
    wanted = {name: (recorded or {}).get(name, value) for name, value in now.items()}
    if not (changes := config_changes(now, wanted)):
        return None
    import keras

    for name, value in wanted.items():
        try:
            if type(value) is not type(now[name]):
                raise ValueError(f"it must be of the kind of {now[name]!r}")
            getattr(keras.config, f"set_{name}")(value)
        except ValueError as error:
            message = f"the recorded `{KERAS_CONFIG}` can't be had: `{name}` is {value!r:.60}, and {error}"
            raise RecordError(message, hint="It was altered: run the sweep anew under another name") from None
    return f"Keras is configured as it was for these trials: {'; '.join(changes)}"


def keras_json() -> Path:
    """Where Keras reads its configuration, in the words of its own module."""
    user = os.path.expanduser("~")  # noqa: PTH111  # where nobody knows a home this stays "~", and raises nothing
    home = os.environ.get("KERAS_HOME", f"{user if os.access(user, os.W_OK) else '/tmp'}/.keras")
    return Path(os.path.expanduser(home), "keras.json")  # noqa: PTH111


def _of_file() -> dict[str, Any]:
    path = keras_json()
    hint = "Mend that file, or delete it: Keras then writes its defaults"
    try:
        text = path.read_bytes() if path.exists() else b""
        read = json.loads(text) if text else {}  # empty: another process that has just made it is about to write it
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"Keras's configuration {path} can't be read: {error}", hint=hint) from None
    if not isinstance(read, dict):
        raise UsageError(f"Keras's configuration {path} must be a JSON object, but it is {read!r:.60}", hint=hint)
    config = {name: read.get(name, value) for name, value in DEFAULTS.items() if name != "dtype_policy"}
    for name, value in config.items():
        if value not in _ALLOWED.get(name, (value,)) or type(value) is not type(DEFAULTS[name]):
            wanted = f"one of {', '.join(_ALLOWED[name])}" if name in _ALLOWED else "a number with a point, as 1e-07"
            raise UsageError(f"Keras's configuration {path}: `{name}` must be {wanted}, but got {value!r}", hint=hint)
    return {**config, "dtype_policy": config["floatx"]}
