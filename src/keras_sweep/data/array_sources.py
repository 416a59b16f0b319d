"""Arrays: an .npz file, or what a user's function returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.search_data import Array
from keras_sweep.data.source import RawRows, Source
from keras_sweep.data.table_columns import check_columns
from keras_sweep.data.table_files import must_be_file
from keras_sweep.errors import DataError
from keras_sweep.process.user_code import load_python, user_place

KEYS = (
    "`x` and `y`; or `x_train` and `y_train`, with `x_validation` and `y_validation`, `x_test` and `y_test` where "
    "there are such parts"
)
RESULTS = f"(x, y); ((x_train, y_train), (x_test, y_test)); three such pairs, validation second; or a dict of {KEYS}"


def read_npz(path: Path, target: str | None) -> Source:
    """The arrays of an .npz file, never unpickled. Raises DataError.

    Args:
        target: the array of labels, where it is not called `y`; `x` is then `x`, or the only other array.
    """
    must_be_file(path)
    try:
        with path.open("rb") as opened:  # np.load leaves a file open that it opened by name and could not read
            file = np.load(opened, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DataError(f"{path} holds one array, not several", hint="Save it by `np.savez(path, x=x, y=y)`")
            with file:
                arrays = {name: file[name] for name in file.files}
    except DataError:
        raise
    except Exception as error:  # zipfile and NumPy raise nearly anything for a damaged file
        raise DataError(f"{path} can't be read as npz ({error})", hint="Objects are refused: save numbers") from error
    if target is not None:
        arrays = _with_target(arrays, target, str(path))
    return _of_dict(arrays, path.name, str(path))


def call_python(source: str, folder: Path) -> Source:
    """The rows that a user's function returns. Raises DataError, naming the user's file and line where it raises."""
    function = load_python(source, folder, DataError)
    if not callable(function):
        raise DataError(
            f"`python: {source}` is not a function", hint=f"It is called without arguments and returns {RESULTS}"
        )
    try:
        returned = function()
    except (Exception, SystemExit) as error:
        raise DataError(f"`python: {source}` failed: {user_place(error, folder)}") from error
    place = f"`python: {source}`"
    if isinstance(returned, Mapping):
        return _of_dict(dict(returned), source, place)
    if not isinstance(returned, Sequence) or not 2 <= len(returned) <= 3:
        raise DataError(f"{place} returned {_kind(returned)}", hint=f"It may return {RESULTS}")
    pairs = list(returned)
    if all(isinstance(pair, Sequence) and not isinstance(pair, str) and len(pair) == 2 for pair in pairs):
        nested = any(hasattr(part, "shape") or isinstance(part, Sequence) for pair in pairs for part in pair)
        if nested and (len(pairs) == 3 or any(hasattr(part, "shape") for pair in pairs for part in pair)):
            names = ("train", "validation", "test") if len(pairs) == 3 else ("train", "test")
            arrays = {}
            for name, (x, y) in zip(names, pairs, strict=True):
                arrays[f"x_{name}"], arrays[f"y_{name}"] = x, y
            return _of_dict(arrays, source, place)
    if len(pairs) == 2:
        return _of_dict({"x": pairs[0], "y": pairs[1]}, source, place)
    raise DataError(f"{place} returned {_kind(returned)}", hint=f"It may return {RESULTS}")


def _with_target(arrays: dict[str, Array], target: str, place: str) -> dict[str, Array]:
    if target not in arrays:
        raise DataError(f"{place} has no array {target!r}", hint=f"It has {', '.join(map(repr, arrays))}")
    if target == "y" or target == "y_train":
        return arrays
    others = [name for name in arrays if name != target]
    x = "x" if "x" in others else others[0] if len(others) == 1 else None
    if x is None:
        raise DataError(
            f"{place} must have an array `x` beside {target!r}", hint=f"It has {', '.join(map(repr, arrays))}"
        )
    return {"x": arrays[x], "y": arrays[target]}


def _of_dict(arrays: dict[str, Any], name: str, place: str) -> Source:
    arrays = {{"x_val": "x_validation", "y_val": "y_validation"}.get(key, key): value for key, value in arrays.items()}
    parts = ("", "_train", "_validation", "_test")
    known = {f"{letter}{part}" for letter in "xy" for part in parts}
    strange = sorted(set(map(str, arrays)) - known)
    whole = {"x", "y"} <= set(arrays)
    if strange or whole == ({"x_train", "y_train"} <= set(arrays)):
        raise DataError(f"{place} gives {', '.join(map(repr, arrays)) or 'nothing'}", hint=f"It must give {KEYS}")
    alone = [part for part in parts if (f"x{part}" in arrays) != (f"y{part}" in arrays)]
    if alone:
        raise DataError(f"{place} gives only one of `x{alone[0]}` and `y{alone[0]}`")
    rows = {part: _rows(arrays[f"x{part}"], arrays[f"y{part}"], part, place) for part in parts if f"x{part}" in arrays}
    _must_agree(rows, place)
    return Source(name, rows.get(""), rows.get("_train"), rows.get("_validation"), rows.get("_test"))


def _rows(x: Any, y: Any, part: str, place: str) -> RawRows:
    import polars as pl

    labels = _label_array(y, f"`y{part}` of {place}")
    if type(x).__name__ == "DataFrame":
        frame = x if isinstance(x, pl.DataFrame) else pl.DataFrame({str(name): x[name].to_numpy() for name in x})
        if frame.height != len(labels):
            raise DataError(f"`x{part}` of {place} has {frame.height} rows, but `y{part}` has {len(labels)}")
        check_columns(frame)
        return RawRows(frame, labels)
    return RawRows(_input_array(x, len(labels), part, place), labels)


def _input_array(x: Any, rows: int, part: str, place: str) -> Array:
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise DataError(f"`x{part}` of {place} is not an array ({error})") from error
    what = f"`x{part}` of {place}"
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"{what} is of type {array.dtype}, not numbers", hint="Return a DataFrame where columns are text"
        )
    if array.ndim < 2:
        raise DataError(f"{what} must be [N, ...], one row an example, but its shape is {array.shape}")
    if len(array) != rows:
        raise DataError(f"{what} has {len(array)} rows, but `y{part}` has {rows}")
    if not rows:
        raise DataError(f"{what} has no rows")
    if array.dtype.kind == "f":
        bad = ~np.isfinite(array)
        if bad.any():
            first = tuple(int(place) for place in np.argwhere(bad)[0])
            raise DataError(f"{what} has {bad.sum()} missing or infinite numbers, the first at {list(first)}")
    return array


def _label_array(y: Any, what: str) -> Array:
    import polars as pl

    try:
        array = y.to_numpy() if isinstance(y, pl.Series) else np.asarray(y)
    except ValueError as error:
        raise DataError(f"{what} is not an array ({error})") from error
    if array.dtype.kind not in "fiubUO" or array.ndim not in (1, 2):
        raise DataError(f"{what} must be [N] or [N, C] labels, but it is {array.dtype} of shape {array.shape}")
    if array.dtype.kind == "O":
        if not all(isinstance(value, str) for value in array.reshape(-1)):
            raise DataError(f"{what} mixes types, or has missing labels", hint="Give all numbers or all texts")
    elif array.dtype.kind == "U":
        array = array.astype(object)
    elif array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{what} has {(~np.isfinite(array)).sum()} missing or infinite labels")
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _must_agree(rows: Mapping[str, RawRows], place: str) -> None:
    shapes = {part: (tuple(part_rows.x.shape[1:]), part_rows.y.shape[1:]) for part, part_rows in rows.items()}
    if len(set(shapes.values())) > 1:
        listed = "; ".join(f"x{part} {list(shape[0])}" for part, shape in shapes.items())
        raise DataError(f"the parts of {place} have rows of different shapes: {listed}")


def _kind(value: object) -> str:
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, Sequence) else type(value).__name__
