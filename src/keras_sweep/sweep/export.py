"""Writes a trained trial as a model file, whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import ModelError, SweepError, UsageError
from keras_sweep.files.atomic import replacing_path
from keras_sweep.models.model_as_file import fileable
from keras_sweep.process.backend import without_tensorflow
from keras_sweep.space.sweep_spec import SweepSpec


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """A form of a model's file."""

    suffix: str  # of the file: ".keras"
    write: Callable[[Any, Path], None]  # a Keras model to a path where nothing stands yet, or an older file
    opening: str | None = None  # the call that opens the file, for its card; None: as Keras's own file


def file_model(spec: SweepSpec, model: Any, data: SearchData) -> Any:
    """The model that a trial's file holds: it takes raw rows, and is compiled as the trial was.

    The data's preprocessing comes first, as Keras layers. Keras is left to choose whether to compile where the file is
    opened: what suits JAX makes PyTorch compile for minutes.

    Raises:
        ModelError: Keras can't write the model down.
    """
    whole = _fileable(spec, model, data)
    written = getattr(whole, "_compile_config", None)  # Keras 3.15: it writes what "auto" is on this machine
    if written is not None:
        written.config["jit_compile"] = "auto"
    return whole


def _fileable(spec: SweepSpec, model: Any, data: SearchData) -> Any:
    """As `file_model`, before Keras is left to choose."""
    try:
        whole = fileable(model, data.train.x)
    except ValueError as error:
        raise ModelError(
            f"the model of {spec.model.source} can't be written as a file: {error}",
            hint="Define `get_config` in it, as keras.io/guides/serialization_and_saving shows, or return a functional "
            "model. The weights are kept in the sweep's folder",
        ) from error
    if whole is not model:
        optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
        whole.compile(optimizer=optimizer, loss=spec.loss, metrics=list(spec.metrics))
    if data.preprocessing is not None:
        whole = data.preprocessing.wrap(whole)
        whole.compile(loss=spec.loss, metrics=list(spec.metrics))
    if whole is not model:
        whole.optimizer.build(whole.trainable_variables)  # else loading warns of variables that are not there
    return whole


def save_keras(model: Any, path: Path) -> None:
    """Write a `.keras` file; `keras.models.load_model` opens it on every backend.

    Raises:
        UsageError: the folder isn't there, or can't be written.
        SweepError: the machine's clock tells a year that no zip file can hold.
    """
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint="Make it, or name another file with -o")
    now = time.localtime()
    if not 1980 <= now.tm_year <= 2107:
        raise SweepError(
            f"{path} can't be written: this machine's clock says {time.strftime('%Y-%m-%d', now)}, which no zip file, "
            "as a .keras file is one, can hold",
            hint="Set the clock, and give the same command again; all trials are kept",
        )
    with replacing_path(path) as part, without_tensorflow():
        model.save(part)


def check_target(path: Path, form: ExportFormat) -> None:
    """Refuse a path that can't be written, before any work is done. Raises UsageError."""
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint="Make it, or name another place with -o")
    if path.suffix != form.suffix:
        raise UsageError(f"a model's file must end in {form.suffix}, but got {path.name!r}", hint="Name it so with -o")
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="Name a file with -o")


EXPORT_FORMATS: Mapping[str, ExportFormat] = {"keras": ExportFormat(".keras", save_keras)}
