"""Arrays: an .npz file, or what a user's function returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.arrays import ARRAYS, described, input_array, label_array
from keras_sweep.data.search_data import Array
from keras_sweep.data.source import Features, RawRows, Source
from keras_sweep.data.table_columns import check_columns
from keras_sweep.data.table_files import must_be_file, polars_table
from keras_sweep.errors import DataError, SweepError
from keras_sweep.process.given import is_given, name_of
from keras_sweep.process.user_code import load_python, of_user, process_kept, user_place
from keras_sweep.space.sweep_spec import DataSpec

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
            with file:
                names = {name: name for name in file.files}
                if target is not None:
                    names = _with_target(list(names), target, str(path))
                arrays = {key: _member(file, name, path) for key, name in names.items()}
    except DataError:
        raise
    except Exception as error:  # zipfile and NumPy raise nearly anything for a damaged file
        raise DataError(f"{path} can't be read as npz: {error}", hint="Write it again by `np.savez`") from error
    return _of_dict(arrays, path.name, str(path))


def call_python(data: DataSpec, folder: Path) -> Source:
    """The rows that a user's function returns. Raises DataError, naming the user's file and line where it raises."""
    source = data.source
    function = load_python(source, folder, DataError)
    name = name_of(source)
    place = name if is_given(source) else f"`python: {source}`"
    if not callable(function):
        raise DataError(f"{place} is not a function", hint=f"It is called without arguments and returns {RESULTS}")
    try:
        with process_kept():
            returned = function()
    except BaseException as error:
        if isinstance(error, SweepError) or not of_user(error):
            raise
        raise DataError(
            f"{place} failed: {user_place(error, folder)}",
            hint="It is called without arguments" if isinstance(error, TypeError) else None,
        ) from error
    if isinstance(returned, Mapping):
        return _of_dict(dict(returned), name, place)
    pairs = list(returned) if isinstance(returned, Sequence) and not isinstance(returned, str | bytes) else []
    names = {2: ("train", "test"), 3: ("train", "validation", "test")}.get(len(pairs), ())
    # Two pairs of plain lists are x and y of two rows, not training and test rows.
    of_arrays = len(pairs) == 3 or any(hasattr(part, "shape") for pair in pairs if _is_pair(pair) for part in pair)
    if names and of_arrays and all(map(_is_pair, pairs)):
        arrays = {}
        for part, (x, y) in zip(names, pairs, strict=True):
            arrays[f"x_{part}"], arrays[f"y_{part}"] = x, y
        return _of_dict(arrays, name, place)
    if len(pairs) == 2:
        return _of_dict({"x": pairs[0], "y": pairs[1]}, name, place)
    raise DataError(
        f"{place} returned {described(returned)}",
        hint=f"It may return {RESULTS}; weights of rows are not taken. {ARRAYS}",
    )


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, Sequence) and not isinstance(pair, str | bytes) and len(pair) == 2


def _member(file: Any, name: str, path: Path) -> Array:
    """One array of an .npz file; NumPy reads it only now."""
    try:
        return np.asarray(file[name])
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise DataError(
            f"the array {name!r} of {path} holds Python objects, which are not read since they could run code",
            hint="Save numbers (`.astype('float32')`), or text (`.astype(str)`)",
        ) from error


def _with_target(names: list[str], target: str, place: str) -> dict[str, str]:
    """Which array of a file is taken as what."""
    has = f"It has {', '.join(map(repr, names))}"
    if target not in names:
        raise DataError(f"{place} has no array {target!r}", hint=has)
    if target == "y" or target == "y_train":
        return {name: name for name in names}
    others = [name for name in names if name != target]
    x = "x" if "x" in others else others[0] if len(others) == 1 else None
    if x is None:
        raise DataError(f"{place} must have an array `x` beside {target!r}", hint=has)
    return {"x": x, "y": target}


def _of_dict(arrays: dict[str, Any], name: str, place: str) -> Source:
    arrays = {_OTHER_NAMES.get(key, key): value for key, value in arrays.items()}
    known = {f"{letter}{part}" for letter in "xy" for part in PARTS}
    strange = sorted(set(map(str, arrays)) - known)
    whole = {"x", "y"} <= set(arrays)
    if strange or whole == ({"x_train", "y_train"} <= set(arrays)):
        raise DataError(f"{place} gives {', '.join(map(repr, arrays)) or 'nothing'}", hint=f"It must give {KEYS}")
    alone = [part for part in PARTS if (f"x{part}" in arrays) != (f"y{part}" in arrays)]
    if alone:
        here, absent = ("x", "y") if f"x{alone[0]}" in arrays else ("y", "x")
        raise DataError(f"{place} gives `{here}{alone[0]}` without `{absent}{alone[0]}`", hint="Give both, or neither")
    rows = {part: _rows(arrays[f"x{part}"], arrays[f"y{part}"], part, place) for part in PARTS if f"x{part}" in arrays}
    _must_agree(rows, place)
    return Source(name, rows.get(""), rows.get("_train"), rows.get("_validation"), rows.get("_test"))


def _rows(x: Any, y: Any, part: str, place: str) -> RawRows:
    labels = label_array(y, f"`y{part}` of {place}")
    what = f"`x{part}` of {place}"
    if type(x).__name__ != "DataFrame":
        return RawRows(input_array(x, len(labels), what, f"y{part}"), labels)
    frame = _polars_frame(x, what)
    if frame.height != len(labels):
        raise DataError(
            f"{what} has {frame.height:,} rows, but `y{part}` has {len(labels):,}", hint="One label a row is needed"
        )
    if not frame.height or not frame.width:
        raise DataError(f"{what} has no {'columns' if frame.height else 'rows'}")
    check_columns(frame, what)
    return RawRows(frame, labels)


def _polars_frame(x: Any, what: str) -> Any:
    """A table of polars, pandas or the like as one of polars."""
    names = [str(name) for name in getattr(x, "columns", x)]
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise DataError(f"{what} has several columns called {', '.join(map(repr, twice))}", hint="Rename them")
    try:
        return polars_table(x)
    except Exception as error:  # whatever the user's type raises
        raise DataError(f"{what} can't be read as a table: {error}", hint="Give a DataFrame of polars") from error


def _must_agree(rows: Mapping[str, RawRows], place: str) -> None:
    """Raises DataError where the parts of a source can't be parts of one."""
    for letter in "xy":
        kinds = {f"{letter}{part}": _kind(getattr(each, letter)) for part, each in rows.items()}
        if len(set(kinds.values())) > 1:
            listed = ", ".join(f"`{name}` {kind}" for name, kind in kinds.items())
            raise DataError(f"the parts of {place} are not alike: {listed}", hint="Give all parts alike")
    columns = {part: list(each.x.columns) for part, each in rows.items() if not isinstance(each.x, np.ndarray)}
    for part, names in columns.items():
        absent = [name for name in columns["_train"] if name not in set(names)] if "_train" in columns else []
        if absent:
            raise DataError(f"`x{part}` of {place} lacks the column {absent[0]!r}", hint="Give all parts alike")


def _kind(array: Features) -> str:
    if not isinstance(array, np.ndarray):
        return f"a table of {len(array.columns)} columns"
    return f"{'text' if array.dtype.kind == 'O' else 'numbers'}, each row of shape {list(array.shape[1:])}"
