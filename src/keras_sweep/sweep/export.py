"""Writes a trained trial as a model file, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import UsageError
from keras_sweep.files.atomic import replacing_path
from keras_sweep.process.without_tensorflow import without_tensorflow
from keras_sweep.space.sweep_spec import SweepSpec

FORMATS = ("keras",)


def raw_model(spec: SweepSpec, model: Any, data: SearchData) -> Any:
    """The model that takes raw rows: the data's preprocessing as Keras layers, then `model`, compiled alike."""
    if data.preprocessing is None:
        return model
    wrapped = data.preprocessing.wrap(model)
    wrapped.compile(loss=spec.loss, metrics=list(spec.metrics))
    wrapped.optimizer.build(wrapped.trainable_variables)  # else loading warns of variables that are not there
    return wrapped


def save_keras(model: Any, path: Path) -> None:
    """Write a `.keras` file; plain `keras.models.load_model` opens it on every backend.

    Raises:
        UsageError: the folder isn't there, or can't be written.
    """
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint="Make it, or name another file with -o")
    with replacing_path(path) as part, without_tensorflow():
        model.save(part)


def check_target(path: Path) -> None:
    """Refuse a path that can't be written, before any work is done. Raises UsageError."""
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint="Make it, or name another place with -o")
    if path.suffix != ".keras":
        raise UsageError(f"a Keras model's file must end in .keras, but got {path.name!r}", hint="Name it so with -o")
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="Name a file with -o")
