"""Arrays: an .npz file, or what a user's function returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.arrays import ARRAYS, Array, described, input_array, label_array
from keras_sweep.data.source import Features, RawRows, Source
from keras_sweep.data.table_columns import check_columns, check_names, polars_table
from keras_sweep.data.table_files import must_be_file
from keras_sweep.errors import DataError
from keras_sweep.process.given import is_given, name_of
from keras_sweep.process.user_code import load_python, user_code
from keras_sweep.space.sweep_spec import DataSpec
from keras_sweep.space.text import listed

PARTS = ("", "_train", "_validation", "_test")
KEYS = "`x` and `y`; or `x_train` and `y_train`, and where there are such parts the same of `_validation` and `_test`"
RESULTS = (
    "(x, y); ((x_train, y_train), (x_test, y_test)); three such pairs for training, validation and test; "
    "or a dict of these names"
)
_OTHER_NAMES = {"x_val": "x_validation", "y_val": "y_validation"}


def read_npz(data: DataSpec, folder: Path) -> Source:
    """The arrays of an .npz file, never unpickled. Raises DataError.

    The target is the array of labels, where it is not called `y`; `x` is then `x`, or the only other array.
    """
    path, target = folder / data.source, data.target
    must_be_file(path)
    try:
        with path.open("rb") as opened:  # np.load leaves a file open that it opened by name and could not read
            file = np.load(opened, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DataError(f"{path} holds one array, not several", hint="Save it by `np.savez(path, x=x, y=y)`")
            with file:  # each array is read only where it is asked for
                names = {name: name for name in file.files} if target is None else _chosen(file.files, target, path)
                arrays = {key: _member(file, name, path) for key, name in names.items()}
    except DataError:
        raise
    except Exception as error:  # zipfile and NumPy raise nearly anything for a damaged file
        raise DataError(f"{path} can't be read as npz: {error}", hint="Write it again by `np.savez`") from error
    return _of_dict(arrays, path.name, str(path))


def _member(file: Any, name: str, path: Path) -> Array:
    try:
        return np.asarray(file[name])
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise DataError(
            f"the array {name!r} of {path} holds Python objects, which are not read since they could run code",
            hint="Save numbers (`.astype('float32')`), or text (`.astype(str)`)",
        ) from error


def _chosen(names: Sequence[str], target: str, path: Path) -> dict[str, str]:
    """Which array of a file is taken as what."""
    has = f"It has {listed(names, 10)}"
    if target not in names:
        raise DataError(f"{path} has no array {target!r}", hint=has)
    if target in ("y", "y_train"):
        return {name: name for name in names}
    others = [name for name in names if name != target]
    if "x" not in others and len(others) != 1:
        raise DataError(f"{path} must have an array `x` beside {target!r}", hint=has)
    return {"x": "x" if "x" in others else others[0], "y": target}


def call_python(data: DataSpec, folder: Path) -> Source:
    """The rows that a user's function returns. Raises DataError, naming the user's file and line where it raises."""
    source = data.source
    function = load_python(source, folder, DataError)
    name = name_of(source)
    place = name if is_given(source) else f"`python: {source}`"
    if not callable(function):
        raise DataError(f"{place} is not a function", hint=f"It is called without arguments and returns {RESULTS}")
    with user_code(f"{place} failed", folder, DataError, hint="It is called without arguments"):
        returned = function()
    if isinstance(returned, Mapping):
        return _of_dict(dict(returned), name, place)
    pairs = returned if _is_list(returned) else []
    names = {2: ("train", "test"), 3: ("train", "validation", "test")}.get(len(pairs), ())
    # Two pairs of plain lists are x and y of two rows, not training and test rows.
    of_arrays = len(pairs) == 3 or any(hasattr(part, "shape") for pair in pairs if _is_list(pair) for part in pair)
    if names and of_arrays and all(_is_list(pair) and len(pair) == 2 for pair in pairs):
        arrays: dict[str, Any] = {}
        for part, (x, y) in zip(names, pairs, strict=True):
            arrays |= {f"x_{part}": x, f"y_{part}": y}
        return _of_dict(arrays, name, place)
    if len(pairs) == 2:
        return _of_dict({"x": pairs[0], "y": pairs[1]}, name, place)
    raise DataError(
        f"{place} returned {described(returned)}",
        hint=f"It may return {RESULTS}; weights of rows are not taken. {ARRAYS}",
    )


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _of_dict(arrays: dict[str, Any], name: str, place: str) -> Source:
    arrays = {_OTHER_NAMES.get(key, key): value for key, value in arrays.items()}
    known = {f"{letter}{part}" for letter in "xy" for part in PARTS}
    whole = {"x", "y"} <= set(arrays)
    if not set(arrays) <= known or whole == ({"x_train", "y_train"} <= set(arrays)):
        raise DataError(f"{place} gives {listed(arrays, 10) or 'nothing'}", hint=f"It must give {KEYS}")
    for part in PARTS:
        if (f"x{part}" in arrays) != (f"y{part}" in arrays):
            here, absent = ("x", "y") if f"x{part}" in arrays else ("y", "x")
            raise DataError(f"{place} gives `{here}{part}` without `{absent}{part}`", hint="Give both, or neither")
    rows = {part: _rows(arrays[f"x{part}"], arrays[f"y{part}"], part, place) for part in PARTS if f"x{part}" in arrays}
    _must_agree(rows, place)
    return Source(name, rows.get(""), rows.get("_train"), rows.get("_validation"), rows.get("_test"))


def _rows(x: Any, y: Any, part: str, place: str) -> RawRows:
    labels = label_array(y, f"`y{part}` of {place}")
    what = f"`x{part}` of {place}"
    rows: Features
    if type(x).__name__ == "DataFrame":
        check_names(list(map(str, x.columns)), what)
        rows = polars_table(x, what)
        check_columns(rows, what)
    else:
        rows = input_array(x, what)
    if len(rows) != len(labels):
        raise DataError(
            f"{what} has {len(rows):,} rows, but `y{part}` has {len(labels):,}", hint="One label a row is needed"
        )
    return RawRows(rows, labels)


def _must_agree(rows: Mapping[str, RawRows], place: str) -> None:
    """Raises DataError where the parts of a source can't be parts of one."""
    for letter in "xy":
        kinds = {f"{letter}{part}": _kind(getattr(each, letter)) for part, each in rows.items()}
        if len(set(kinds.values())) > 1:
            listed = ", ".join(f"`{name}` {kind}" for name, kind in kinds.items())
            raise DataError(f"the parts of {place} are not alike: {listed}", hint="Give all parts alike")
    tables = {part: set(each.x.columns) for part, each in rows.items() if not isinstance(each.x, np.ndarray)}
    for part, columns in tables.items():
        if absent := tables.get("_train", columns) - columns:
            raise DataError(f"`x{part}` of {place} lacks the column {min(absent)!r}", hint="Give all parts alike")


def _kind(array: Features) -> str:
    if not isinstance(array, np.ndarray):
        return f"a table of {len(array.columns)} columns"
    return f"{'text' if array.dtype.kind == 'O' else 'numbers'}, each row of shape {list(array.shape[1:])}"
