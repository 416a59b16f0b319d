"""Arrays: an .npz file, or what a user's function returns, which may be datasets that `fit` iterates.

A dataset (`tf.data.Dataset`, `keras.utils.PyDataset`, `DataLoader` of torch) is read into memory where it fits. None of
these packages is imported here: a dataset of one has been made by it.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data import arrays as checked
from keras_sweep.data.arrays import (
    Array,
    Arrays,
    by_name,
    decode_texts,
    describe_value,
    each,
    has_several_arrays,
    leaves,
    read_arrays,
)
from keras_sweep.data.search_data import Stream
from keras_sweep.data.source import Features, RawRows, SourceRows
from keras_sweep.errors import DataError
from keras_sweep.process.given import is_given, name_of
from keras_sweep.process.user_code import load_python, user_code
from keras_sweep.space.data_spec import DataSpec, Split
from keras_sweep.space.text import itemize, quote

PARTS = ("", "_train", "_validation", "_test")
LETTERS = ("x", "y", "sample_weight")
KEYS = (
    "`x` and `y`; or `x_train` and `y_train`, and where there are such parts the same of `_validation` and `_test`; "
    "beside each, if rows weigh unlike, `sample_weight`, and the array that `groups` or `time` of `split` names; "
    "of several inputs a dict of arrays, in npz `x/a` and `x/b`"
)
RESULTS = (
    "(x, y); ((x_train, y_train), (x_test, y_test)); three such pairs for training, validation and test; "
    "or a dict of these names; a third array in a pair is what rows weigh; a dataset that `fit` takes, or datasets for "
    "training, validation and test"
)
KINDS = (("tensorflow", "data.Dataset"), ("keras", "utils.PyDataset"), ("torch", "utils.data.DataLoader"))
MOST_BYTES = 4 << 30  # of one dataset
FEWER = (
    "Of training rows, beside validation rows that do end, `data: {python: ..., steps_per_epoch: 100}` says how many "
    "batches are an epoch; else give as many rows as fit, as by `.take(n)`"
)
_OTHER_NAMES = {f"{letter}_val": f"{letter}_validation" for letter in LETTERS}


def read_npz(data: DataSpec, folder: Path) -> SourceRows:
    """Read an .npz file, never unpickled; `target` names the labels if they are not `y`. Raises DataError."""
    path, target, by = folder / data.source, data.target, data.split.by
    try:
        with path.open("rb") as opened, np.lib.npyio.NpzFile(opened, allow_pickle=False) as file:
            names = {name: name for name in file.files} if target is None else _select(file.files, target, path, by)
            arrays = {key: file[name] for key, name in names.items()}  # each is read only where it is asked for
    except DataError:
        raise
    except Exception as error:  # zipfile and NumPy raise nearly anything for a damaged file
        raise DataError(
            f"{path} can't be read as npz: {error}",
            hint="Write it again by `np.savez`, of numbers or texts (`.astype(str)`): objects could run code",
        ) from error
    return _rows_from_dict(checked.arrays_by_name(arrays), path.name, str(path), data.split)


def _select(names: Sequence[str], target: str, path: Path, by: str | None) -> dict[str, str]:
    has = f"It has {itemize(names, 10)}"
    if target not in names:
        raise DataError(f"{path} has no array {target!r}", hint=has)
    if target in ("y", "y_train"):
        return {name: name for name in names}
    beside = {name: name for name in names if name in ("sample_weight", by)}
    others = [name for name in names if name not in (target, *beside)]
    if "x" not in others and len(others) != 1:
        raise DataError(f"{path} must have an array `x` beside {target!r}", hint=has)
    return {"x": "x" if "x" in others else others[0], "y": target, **beside}


def call_python(data: DataSpec, folder: Path) -> SourceRows:
    """The rows that a user's function returns. Raises DataError, naming the user's file and line where it raises."""
    source, name = data.source, name_of(data.source)
    function = load_python(source, folder, DataError)
    place = name if is_given(source) else f"`python: {source}`"
    arguments = getattr(data.options, "arguments", {})
    given = ", ".join(f"{name}={quote(value)}" for name, value in arguments.items())
    called = f"It is called with {given}" if arguments else "It is called without arguments"
    if not callable(function):
        raise DataError(f"{place} is not a function", hint=f"{called} and returns {RESULTS}")
    function = partial(function, **arguments) if arguments else function
    with user_code(f"{place} failed", folder, DataError, hint=called):
        if tensorflow := sys.modules.get("tensorflow"):  # a trial's seed would change what `shuffle(n, seed=1)` draws
            tensorflow.random.set_seed(None)
        made = function()
    returned = rows_of_datasets(made, getattr(data.options, "steps_per_epoch", None)) or made
    parts = returned if _is_list(returned) else []
    pairs = [part for part in parts if _is_list(part) and len(part) in (2, 3)]
    # Two pairs of plain lists are x and y of two rows, not training and test rows.
    three = len(parts) == 3 and all(len(pair) == 2 for pair in pairs)
    of_arrays = three or any(hasattr(one, "shape") or isinstance(one, Mapping) for pair in pairs for one in pair)
    if isinstance(returned, Mapping):
        arrays = dict(returned)
    elif len(pairs) == len(parts) in (2, 3) and of_arrays:
        names = ("train", "test") if len(parts) == 2 else ("train", "validation", "test")
        of_parts = (named(pair, f"_{part}") for part, pair in zip(names, pairs, strict=True))
        arrays = {key: array for arrays in of_parts for key, array in arrays.items()}
    elif len(parts) in (2, 3):
        arrays = named(list(parts), "")
    else:
        raise DataError(
            f"{place} returned {describe_value(returned)}", hint=f"It may return {RESULTS}. {checked.ARRAYS}"
        )
    found = _rows_from_dict(arrays, name, place, data.split)
    if isinstance(returned, DatasetRows):
        first, anew = returned.streamed, returned is not made
        stream = Stream(lambda: function()[0] if anew else first, returned.steps) if returned.steps else None
        return replace(found, stream=stream, notices=(*found.notices, *returned.notices))
    return found


class DatasetRows(dict[str, Any]):
    """Arrays by their names that were read of datasets, and what is said of that."""

    notices: tuple[str, ...] = ()
    streamed: Any = None  # the dataset that `fit` is to iterate: the validation rows stand for its own
    steps: int = 0  # batches of its epoch


def rows_of_datasets(given: Any, steps: int | None = None) -> DatasetRows | None:
    """The arrays of a dataset, or of (training, validation[, test]); None where there is none.

    With `steps` an epoch the training dataset is not read, nor is one that is too large. Raises DataError.
    """
    parts = [given] if is_dataset(given) else given if _is_list(given) else []
    if not any(map(is_dataset, parts)):
        return None
    rows = DatasetRows()
    if steps and not (len(parts) > 1 and is_dataset(parts[0])):
        raise DataError("`steps_per_epoch` is of a training dataset", hint="Return (training, validation)")
    for suffix, part in zip(("_train", "_validation", "_test") if len(parts) > 1 else PARTS, parts, strict=False):
        if suffix == "_train" and is_dataset(part) and (count := steps or count_large_steps(part)):
            rows.streamed, rows.steps = part, count
            rows.notices = (f"`fit` iterates the training dataset as it is, {count:,} batches an epoch",)
            continue
        arrays, said = read_dataset(part, suffix[1:]) if is_dataset(part) else (part, None)
        rows |= named(arrays, suffix) | (named(arrays, "_train") if rows.steps and suffix == "_validation" else {})
        rows.notices += () if said is None else (said,)
    return rows


def is_dataset(value: Any) -> bool:
    """Whether it is one of these, and not arrays."""
    loaded = [(sys.modules[module], name) for module, name in KINDS if module in sys.modules]
    return any(isinstance(value, attrgetter(name)(module)) for module, name in loaded)


def count_large_steps(dataset: Any) -> int:
    """How many batches it gives, where so many of the size of the first are more than `MOST_BYTES`; else 0."""
    with suppress(Exception):  # whatever the user's code raises: `read_dataset` comes to it, too, and tells of it
        elements, count = _iterate_dataset(dataset)
        size = sum(array.nbytes for one in _to_numpy(next(elements)) for array in leaves(one)) if count > 1 else 0
        return count if size * count > MOST_BYTES else 0
    return 0


def read_dataset(dataset: Any, part: str) -> tuple[list[Any], str]:
    """Read x, y and weights of all batches, or rows, and say their size. Raises DataError, also if it never ends."""
    name = f"the {part.replace('train', 'training')} dataset" if part else "the dataset"
    parts, size = [], 0
    try:
        elements, count = _iterate_dataset(dataset)
        if count == -1:
            raise DataError(f"{name} never ends, and is read into memory before the search", hint=FEWER)
        for element in elements:
            parts.append(_to_numpy(element))
            size += sum(array.nbytes for one in parts[-1] for array in leaves(one))
            if size > MOST_BYTES:
                raise DataError(f"{name} has more than {MOST_BYTES >> 30} GB, and is read into memory", hint=FEWER)
        if not parts:
            raise DataError(f"{name} gives no rows", hint="An iterator that has come to its end gives nothing more")
        every = [array for one in parts[0] for array in leaves(one)]
        # Labels of one row are mostly a number, or of another length than its x.
        in_batches = len({one.shape[:1] for one in every}) == 1 and every[0].ndim > 0
        join = np.concatenate if in_batches else np.stack
        columns = [each(lambda *of_one: join(of_one), *column) for column in zip(*parts, strict=True)]
    except DataError:
        raise
    except Exception as error:  # whatever the user's code raises; NumPy for rows of other shapes
        raise DataError(f"{name} can't be read: {str(error).strip() or type(error).__name__}") from error
    return columns, f"{name} was read into memory: {len(leaves(columns[0])[0]):,} rows, {size / 1e6:,.1f} MB"


def _to_numpy(element: Any) -> list[Any]:
    """x, y and weights of a batch, or of a row, as arrays of NumPy, texts as `str`."""

    def as_array(value: Any) -> Any:
        return decode_texts(np.asarray(value.detach().cpu() if hasattr(value, "detach") else value))

    return [each(as_array, one) for one in (element if isinstance(element, tuple | list) else [element])]


def _iterate_dataset(dataset: Any) -> tuple[Iterator[Any], int]:
    """What it gives, and how much that is; -1: it never ends, -2: it does not say, both as tf.data has it."""
    if hasattr(dataset, "num_batches"):  # of Keras
        return iter(dataset), -1 if dataset.num_batches is None else dataset.num_batches
    try:
        return iter(dataset), int(dataset.cardinality()) if hasattr(dataset, "cardinality") else len(dataset)
    except TypeError:  # a DataLoader of an iterable
        return iter(dataset), -2


def named(arrays: Sequence[Any], part: str) -> dict[str, Any]:
    """x, y and, if they are there, weights, by their names."""
    found = zip(LETTERS, arrays, strict=False)
    return {f"{letter}{part}": array for letter, array in found if array is not None or letter in "xy"}


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _rows_from_dict(arrays: dict[str, Any], name: str, place: str, how: Split) -> SourceRows:
    arrays = {_OTHER_NAMES.get(key, key): value for key, value in arrays.items()}
    arrays = {key: value for key, value in arrays.items() if value is not None or not key.startswith("y")}
    parts = [part for part in PARTS if f"x{part}" in arrays]
    letters = "xy" if any(key.startswith("y") for key in arrays) else "x"  # a model may learn without labels
    whole = {f"{letter}{part}" for letter in letters for part in parts}
    weigh, at = ({f"{beside}{part}" for part in parts} for beside in ("sample_weight", how.by))
    if not whole <= set(arrays) <= whole | weigh | at or ("" in parts) == ("_train" in parts):
        raise DataError(f"{place} gives {itemize(arrays, 10) or 'nothing'}", hint=f"It must give {KEYS}")
    if (given := sorted(weigh & set(arrays))) and not {"sample_weight", "sample_weight_train"} & set(given):
        raise DataError(f"{place} gives {itemize(given)}, but no weights of training rows", hint="Weigh these by 1")
    names = (*LETTERS, how.by)
    rows = {part: _make_rows([arrays.get(f"{name}{part}") for name in names], part, place, how) for part in parts}
    first = next(iter(rows.values())).y
    rows = {part: replace(one, y=_match_columns(first, one.y)) for part, one in rows.items()}
    for letter in "xy":
        kinds = {f"{letter}{part}": _describe_rows(getattr(one, letter)) for part, one in rows.items()}
        if len(set(kinds.values())) > 1:
            alike = ", ".join(f"`{name}` {kind}" for name, kind in kinds.items())
            raise DataError(f"the parts of {place} are not alike: {alike}", hint="Give all parts alike")
    return SourceRows(name, rows.get(""), rows.get("_train"), rows.get("_validation"), rows.get("_test"))


def _match_columns(first: Arrays, y: Arrays) -> Arrays:
    """Shape labels as the first part has them: in a column, [N, 1], or [N]."""

    def reshape(like: Array, array: Array) -> Array:
        in_column = {like.shape[1:], array.shape[1:]} == {(), (1,)}
        return array.reshape(len(array), *like.shape[1:]) if in_column else array

    return each(reshape, first, y) if by_name("", first).keys() == by_name("", y).keys() else y


def _make_rows(arrays: Sequence[Any], part: str, place: str, how: Split) -> RawRows:
    x, y, weights, by = arrays
    what = f"`x{part}` of {place}"
    rows: Features
    if type(x).__name__ in ("DataFrame", "Table"):  # of pandas, polars, pyarrow
        from keras_sweep.data.table_columns import check_columns, check_names, polars_table
        from keras_sweep.data.table_preprocessing import split_dates

        check_names(list(map(str, getattr(x, "column_names", x.columns))), what)
        rows = polars_table(x, what)
        if by is None and how.by in rows.columns:
            by = rows[how.by]
        rows = split_dates(rows[[name for name in rows.columns if name != how.by]])
        check_columns(rows, what)
    else:
        rows = read_arrays(x, checked.input_array, what, _count_rows(y))
    count = len(leaves(rows)[0])
    y = (
        np.zeros((count, 0), np.float32)
        if y is None
        else read_arrays(y, checked.label_array, f"`y{part}` of {place}", count)
    )
    counts = {**by_name(f"x{part}", rows), **by_name(f"y{part}", y)}
    for key, array in counts.items():
        if len(array) != count:
            raise DataError(
                f"`{next(iter(counts))}` of {place} has {count:,} rows, but `{key}` has {len(array):,}",
                hint="One label a row is needed" if key[0] == "y" else "A row of each input makes a row",
            )
    of_rows = None if weights is None else checked.weight_array(weights, count, f"`sample_weight{part}` of {place}")
    at = {}
    if by is not None or not isinstance(rows, np.ndarray | dict | tuple):
        from keras_sweep.data.table_files import find_group_columns, rank_values

        what = f"`{how.by}{part}` of {place}"
        at = find_group_columns(rows) if by is None else {str(how.by): rank_values(by, count, how, what)}
    return RawRows(rows, y, of_rows, at)


def _count_rows(y: Any) -> int | None:
    with suppress(TypeError, IndexError):  # what is no array at all is told when it is read
        several = has_several_arrays(y, -1) and not isinstance(y, list)
        return len(leaves(y)[0] if several else y)
    return None


def _describe_rows(array: Features) -> str:
    if isinstance(array, dict | tuple):
        return ", ".join(f"{name.removeprefix('/')} {_describe_rows(one)}" for name, one in by_name("", array).items())
    if not isinstance(array, np.ndarray):
        return f"a table of {len(array.columns)} columns"
    return f"{'text' if array.dtype.kind == 'O' else 'numbers'}, each row of shape {list(array.shape[1:])}"
