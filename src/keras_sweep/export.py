"""Writes a trained trial as a model file, whole or not at all."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import UsageError
from keras_sweep.record.atomic import replace_file
from keras_sweep.space.sweep_spec import SweepSpec

FORMATS = ("keras", "savedmodel", "onnx", "litert")


def raw_model(spec: SweepSpec, model: Any, data: SearchData) -> Any:
    """The model that takes raw rows: the data's preprocessing as Keras layers, then `model`, compiled alike."""
    if data.preprocessing is None:
        return model
    wrapped = data.preprocessing.wrap(model)
    wrapped.compile(loss=spec.loss, metrics=list(spec.metrics))
    return wrapped


def save_keras(model: Any, path: Path) -> None:
    """Write a `.keras` file; plain `keras.models.load_model` opens it on every backend.

    Raises:
        UsageError: the folder isn't there, or can't be written.
    """
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint="Make it, or name another file with -o")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        file = Path(folder) / "model.keras"
        model.save(file)
        replace_file(file, path)
