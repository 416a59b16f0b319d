"""Convert training and validation rows to other forms: raw, merged, or in a file. No function reads test rows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.arrays import Array, by_name, each
from keras_sweep.data.search_data import Rows, SearchData, fingerprint
from keras_sweep.data.source import Parts, image_set
from keras_sweep.data.split import fit_encoding, read_parts
from keras_sweep.errors import DataError
from keras_sweep.files.atomic import replacing
from keras_sweep.space.sweep_spec import SweepSpec


def raw_rows(spec: SweepSpec, data: SearchData) -> tuple[Any, Any]:
    """Return (x of training rows, x of validation rows) as the exported model takes x: for a table, raw columns."""
    if data.preprocessing is None:
        return data.train.x, data.validation.x
    parts = read_parts(spec)
    if data.train is data.validation:
        x = data.preprocessing.inputs(_merge_rows(parts).x)
        return x, x
    return data.preprocessing.inputs(parts.train.x), data.preprocessing.inputs(parts.validation.x)


def rows_in_order(spec: SweepSpec, data: SearchData) -> Rows:
    """Return training and validation rows together, for cross-validation, without test rows. A published picture set
    keeps its own order, and x is exactly `images / 255.0` in float64, since float32 changes the sum of many pixels.
    Other rows are training rows, then validation rows. Raises DataError for a dataset that is not read into memory."""
    if data.stream is not None:
        raise DataError(f"the training rows of {data.name} are a dataset that only `fit` reads, batch by batch")
    if (pictures := image_set(spec.data)) is not None:
        images, labels = pictures.search_arrays()
        return Rows(images.reshape(len(images), -1) / 255.0, labels)
    return _merge_rows(data)  # type: ignore[no-any-return]


def whole(spec: SweepSpec, data: SearchData) -> SearchData:
    """Return data in which `train` and `validation` each have all training and validation rows. The scales and
    categories of a table are fitted on all these rows. Raises DataError."""
    if data.folds:
        return replace(data, folds=(), fingerprint=f"{data.fingerprint} without folds")
    if data.preprocessing is None:
        rows, preprocessing = _merge_rows(data), None
    else:
        parts = read_parts(spec)
        raw = _merge_rows(parts)
        encoding = fit_encoding(spec, replace(parts, train=raw, validation=raw, test=None))
        rows, preprocessing = encoding.rows("train"), encoding.preprocessing
    return replace(data, train=rows, validation=rows, preprocessing=preprocessing, fingerprint=fingerprint(rows))


def save_rows(path: Path, spec: SweepSpec, data: SearchData) -> None:
    """Write x_train, y_train, x_validation and y_validation to an .npz file, with sample weights if rows have weights.
    With folds, an array `fold` replaces the validation rows: the number, from 0, of the fold that scores each row. If
    the model takes a dict of columns, each column is an array, like `x_validation/NAME`. Rows of a dataset that `fit`
    iterates are left out. Raises DataError if rows can't be read, and RecordError if the file can't be written."""
    train, validation = raw_rows(spec, data)
    arrays = {} if data.stream else _name_arrays("train", train, data.train)
    if data.folds:
        order = np.concatenate([fold.held for fold in data.folds]).argsort()
        arrays["fold"] = np.repeat(np.arange(len(data.folds)), [len(fold.held) for fold in data.folds])[order]
    else:
        arrays |= _name_arrays("validation", validation, data.validation)
    arrays = {name: array.astype(str) if array.dtype.kind == "O" else array for name, array in arrays.items()}
    with replacing(path, option="--save") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _merge_rows(parts: Parts | SearchData) -> Any:
    if parts.folds:
        return parts.train
    both, weights = (parts.train, parts.validation), None
    if any(part.weights is not None for part in both):
        weights = np.concatenate(
            [np.ones(len(part), np.float32) if part.weights is None else part.weights for part in both]
        )
    x, y = each(_concatenate, *(part.x for part in both)), each(_concatenate, *(part.y for part in both))
    return type(parts.train)(x, y, weights)


def _concatenate(*parts: Any) -> Any:
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else parts[0].vstack(parts[1])


def _name_arrays(part: str, x: Any, rows: Rows) -> dict[str, Array]:
    arrays = dict(zip((f"x_{part}", f"y_{part}", f"sample_weight_{part}"), (x, *rows.arrays[1:]), strict=False))
    return {name: array for key, structure in arrays.items() for name, array in by_name(key, structure).items()}
