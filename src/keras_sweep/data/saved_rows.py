"""Training and validation rows as a file, in the form that the exported model takes; never a test row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.catalog import raw_rows
from keras_sweep.data.search_data import Array, SearchData
from keras_sweep.errors import UsageError
from keras_sweep.files.atomic import SHARED, replacing
from keras_sweep.files.plain_errors import plain_errors
from keras_sweep.space.sweep_spec import SweepSpec


def check_rows_path(path: Path) -> None:
    """Refuse a path that can't be written, before any work is done. Raises UsageError."""
    if path.suffix != ".npz" or path.is_dir() or not path.parent.is_dir():
        raise UsageError(
            f"`--save` takes a .npz file in a folder that is there, but got {path}",
            hint="For example `--save rows.npz`",
        )


def save_rows(path: Path, spec: SweepSpec, data: SearchData) -> dict[str, Array]:
    """Write x_train, y_train, x_validation and y_validation to an .npz file; returns what was written.

    With folds there are no validation rows apart, but `fold`: which fold leaves a row out, counted from 0.
    Where the model takes a dict of columns, each column is an array: `x_validation/NAME`.

    Raises:
        DataError: the rows can't be read.
        RecordError: the file can't be written.
    """
    train, validation = raw_rows(spec, data)
    arrays = dict((*_named("x_train", train), ("y_train", data.train.y)))
    if data.folds:
        order = np.concatenate([fold.held for fold in data.folds]).argsort()
        arrays["fold"] = np.repeat(np.arange(len(data.folds)), [len(fold.held) for fold in data.folds])[order]
    else:
        arrays |= dict((*_named("x_validation", validation), ("y_validation", data.validation.y)))
    with plain_errors("write", path), replacing(path, mode=SHARED) as file:
        np.savez(file, allow_pickle=False, **arrays)
    return arrays


def _named(name: str, x: Any) -> Iterator[tuple[str, Array]]:
    if isinstance(x, dict):
        for column, array in x.items():
            yield f"{name}/{column}", array
    else:
        yield name, x
