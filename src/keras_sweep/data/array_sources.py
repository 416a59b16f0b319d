"""Read arrays from an .npz file, or from a user's function, which may return datasets.

A dataset (`tf.data.Dataset`, `keras.utils.PyDataset`, torch's `DataLoader`, a generator) is read into memory if it
fits. This module never imports the packages of datasets: if a dataset exists, its package is imported already.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from keras_sweep.process.user_code import guard_user_code, load_python
from keras_sweep.process.user_objects import display_name, is_object_name
from keras_sweep.space.data_spec import DataSpec, Split
from keras_sweep.space.text import did_you_mean, itemize, pluralize, quote

PARTS = ("", "_train", "_validation", "_test")
LETTERS = ("x", "y", "sample_weight")
KEYS = (
    "Give `x` and `y`, or `x_train` and `y_train`; also with `_validation` and `_test`. For row weights add "
    "`sample_weight` or `sample_weight_train`. Name an array of groups or times as in `split`, with the same ending. "
    "Give several inputs as a dict of arrays, in npz `x/a` and `x/b`"
)
NAMES = ("train", "validation", "test")
NAMED = '{"train": ..., "validation": ..., "test": ...}'
RESULTS = (
    "(x, y) or (x, y, sample_weight); ((x_train, y_train), (x_test, y_test)); three pairs for training, validation and "
    f"test; a dict with keys like `x_train`; a dataset that `fit` takes; or {NAMED} of pairs or datasets"
)
KINDS = (("tensorflow", "data.Dataset"), ("keras", "utils.PyDataset"), ("torch", "utils.data.DataLoader"))
MOST_BYTES = 4 << 30  # of a dataset that is read into memory
MOST_ELEMENTS = 1 << 20  # of a generator, which may never end
FEWER = (
    "Limit it with `.take(n)`. Or, if it is the training dataset and you also give validation rows, set "
    "`data: {python: ..., steps_per_epoch: 100}`"
)
RENEW = "Create it inside the function: `data: {python: ..., steps_per_epoch: 100}` calls the function for each trial"
_OTHER_NAMES = {f"{letter}_val": f"{letter}_validation" for letter in LETTERS}


def read_npz(data: DataSpec, folder: Path) -> SourceRows:
    """Read the arrays of the .npz file `data.source` in `folder`. Pickled objects are refused. `data.target` is the
    name of the labels' array, by default `y`. Raises DataError."""
    path, target, by = folder / data.source, data.target, data.split.by
    try:
        with path.open("rb") as stream, np.lib.npyio.NpzFile(stream, allow_pickle=False) as file:
            names = {name: name for name in file.files} if target is None else _select(file.files, target, path, by)
            arrays = {key: file[name] for key, name in names.items()}  # NumPy reads only these arrays
    except DataError:
        raise
    except Exception as error:  # zipfile and NumPy raise nearly anything for a damaged file
        hint = "Write numbers or texts (`.astype(str)`) with `np.savez`. Objects could run code, so they are refused"
        raise DataError(f"{path} can't be read as npz: {error}", hint=hint) from error
    return _rows_from_dict(checked.arrays_by_name(arrays), path.name, str(path), data.split)


def _select(names: Sequence[str], target: str, path: Path, by: str | None) -> dict[str, str]:
    if target not in names:
        raise DataError(f"{path} has no array {target!r}", hint=f"Choose from its arrays: {itemize(names, 10)}")
    if target in ("y", "y_train"):
        return {name: name for name in names}
    extra = {name: name for name in names if name in ("sample_weight", by)}
    inputs = [name for name in names if name not in (target, *extra)]
    if "x" not in inputs and len(inputs) != 1:
        raise DataError(f"{path} must have an array `x` beside {target!r}", hint="Call the array of inputs `x`")
    return {"x": "x" if "x" in inputs else inputs[0], "y": target, **extra}


def call_python(data: DataSpec, folder: Path) -> SourceRows:
    """Call the user's function `data.source`, a "module:function" in `folder`. Return the rows that the function gives.
    Raises DataError, which names the failing line."""
    source, name = data.source, display_name(data.source)
    function = load_python(source, folder, DataError)
    place = name if is_object_name(source) else f"`python: {source}`"
    arguments = getattr(data.options, "arguments", {})
    argument_list = ", ".join(f"{name}={quote(value)}" for name, value in arguments.items())
    call = f"Fix the function: `sweep` calls it {f'with {argument_list}' if arguments else 'without arguments'}"
    if not callable(function):
        raise DataError(f"{place} is not a function", hint="Name a function that returns the rows, for example (x, y)")
    function = partial(function, **arguments) if arguments else function
    with guard_user_code(f"{place} failed", folder, DataError, hint=call):
        # A trial's seed would change what `shuffle(n, seed=1)` draws.
        if tensorflow := sys.modules.get("tensorflow"):
            tensorflow.random.set_seed(None)
        result = function()
    returned = rows_of_datasets(result, getattr(data.options, "steps_per_epoch", None)) or result
    if isinstance(returned, Mapping) and any(str(key).startswith("x") for key in returned):
        arrays = dict(returned)
    elif parts := name_parts(returned, place):
        arrays = {key: array for part, rows in parts.items() for key, array in name_arrays(rows, part).items()}
    else:
        raise DataError(f"{place} returned {describe_value(returned)}", hint=f"Return {RESULTS}. {checked.ARRAYS}")
    source_rows = _rows_from_dict(arrays, name, place, data.split)
    if isinstance(returned, DatasetRows):
        dataset, calls_again = returned.streamed, returned is not result
        begin: Callable[[], Any] = (lambda: name_parts(function())["_train"]) if calls_again else (lambda: dataset)
        if isinstance(dataset, Iterator):
            if begin() is dataset:
                raise DataError(f"{place} gives a generator that can't begin again for the next trial", hint=RENEW)
            begin = partial(_repeat, begin)
        stream = Stream(begin, returned.steps) if returned.steps else None
        return replace(source_rows, stream=stream, notices=(*source_rows.notices, *returned.notices))
    return source_rows


class DatasetRows(dict[str, Any]):
    """Hold arrays that were read from datasets, by names like `x_train`."""

    notices: tuple[str, ...] = ()
    streamed: Any = None  # the training dataset, if `fit` iterates it: validation rows replace its rows here
    steps: int = 0  # batches in an epoch of `streamed`


def name_parts(rows: Any, place: str = "`data`") -> dict[str, Any]:
    """Return {ending of names like "_train": its rows} of `rows`: a dataset, arrays (x, y[, weights]), a tuple of
    these, or a dict by NAMES. The ending "" is of rows to split. A pair is (training, test), as `load_data()` of
    Keras's data sets gives it; three are (training, validation, test). Return {} for another form. `place` is for
    messages. Raises DataError, for example for a pair with a dataset: users of Keras often mean (training, validation)
    by a pair."""
    if is_dataset(rows):
        return {"": rows}
    if isinstance(rows, Mapping):
        return _check_names(rows, place)
    parts = rows if _is_list(rows) else []
    pairs = [part for part in parts if _is_list(part) and len(part) in (2, 3)]
    # Two pairs of plain lists are x and y with two rows each, not training and test rows.
    triple = len(parts) == 3 and all(len(pair) == 2 for pair in pairs)
    has_arrays = triple or any(hasattr(item, "shape") or isinstance(item, Mapping) for pair in pairs for item in pair)
    if has_dataset := any(map(is_dataset, parts)):
        if len(parts) == 1:
            return {"": parts[0]}
        if len(parts) != 3:
            raise DataError(
                f"{place} is {len(parts)} parts with a dataset, which do not say what the rows are for",
                hint=f"Name the parts, `test` and `validation` only if you have them: `{NAMED}`",
            )
    if len(parts) not in (2, 3):
        return {}
    if not has_dataset and not (len(pairs) == len(parts) and has_arrays):
        return {"": parts}
    names = NAMES if len(parts) == 3 else (NAMES[0], NAMES[2])
    return {f"_{name}": part for name, part in zip(names, parts, strict=True)}


def _check_names(parts: Mapping[Any, Any], place: str) -> dict[str, Any]:
    if unknown := [name for name in parts if name not in NAMES]:
        full = {name[:3]: name for name in NAMES}.get(str(unknown[0])[:3], unknown[0])  # "val", "training"
        hint = did_you_mean(full, NAMES) or f"Name the rows `{NAMED}`. {KEYS}"
        raise DataError(f"{place} must not have {unknown[0]!r}", hint=hint)
    if "train" not in parts:
        raise DataError(f"{place} has no rows 'train', but {itemize(parts) or 'nothing'}", hint=f"Add them: `{NAMED}`")
    parts = {name: part for name, part in parts.items() if part is not None}
    for name, part in parts.items():
        if not is_dataset(part) and not hasattr(part, "shape") and not (_is_list(part) and 0 < len(part) < 4):
            hint = "Give (x, y), (x, y, sample_weight), or a dataset"
            raise DataError(f"{name!r} of {place} is {describe_value(part)}", hint=hint)
    return {f"_{name}": [part] if hasattr(part, "shape") else part for name, part in parts.items()}


def rows_of_datasets(datasets: Any, steps: int | None = None) -> DatasetRows | None:
    """Read a dataset, or several as `name_parts` names them, into memory. Return None if there is no dataset. If the
    training dataset exceeds MOST_BYTES, or if `steps` (batches per epoch) is set, `fit` iterates the training dataset:
    it is not read, and validation rows replace its rows. Raises DataError."""
    values = datasets.values() if isinstance(datasets, Mapping) else datasets if _is_list(datasets) else [datasets]
    if not any(map(is_dataset, values)):
        return None
    rows, parts = DatasetRows(), name_parts(datasets)
    if steps and not (is_dataset(parts.get("_train")) and "_validation" in parts):
        hint = 'Return `{"train": dataset, "validation": ...}`'
        raise DataError("`steps_per_epoch` needs a training dataset and validation rows", hint=hint)
    can_stream = "_validation" in parts
    for suffix, part in parts.items():
        if can_stream and suffix == "_train" and is_dataset(part) and (count := steps or count_large_steps(part)):
            rows.streamed, rows.steps = part, count
            rows.notices = (f"`fit` iterates the training dataset as it is, {count:,} batches per epoch",)
            continue
        arrays, notice = read_dataset(part, suffix[1:]) if is_dataset(part) else (part, None)
        rows |= name_arrays(arrays, suffix) | (
            name_arrays(arrays, "_train") if rows.steps and suffix == "_validation" else {}
        )
        rows.notices += () if notice is None else (notice,)
    return rows


def _repeat(begin: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    while True:
        batches = begin()
        yield next(batches)  # raises if there is none
        yield from batches


def is_dataset(value: Any) -> bool:
    """Return whether a value is a dataset of TensorFlow, Keras or torch, or an iterator, for example a generator."""
    loaded = [(sys.modules[module], name) for module, name in KINDS if module in sys.modules]
    return isinstance(value, Iterator) or any(isinstance(value, attrgetter(name)(module)) for module, name in loaded)


def count_large_steps(dataset: Any) -> int:
    """Return a dataset's number of batches if its size, estimated from a batch, exceeds MOST_BYTES; else 0."""
    with suppress(Exception):  # `read_dataset` meets and reports the same error
        elements, count = _iterate_dataset(dataset)
        size = sum(array.nbytes for part in _to_numpy(next(elements)) for array in leaves(part)) if count > 1 else 0
        return count if size * count > MOST_BYTES else 0
    return 0


def read_dataset(dataset: Any, part: str) -> tuple[list[Any], str]:
    """Read a whole dataset. Return ([x, y, weights] as far as the dataset has them, notice of the size). Raises
    DataError. `part` is "train", "validation", "test" or "" (a single dataset), for messages."""
    name = f"the {part.replace('train', 'training')} dataset" if part else "the dataset"
    parts, size = [], 0
    try:
        elements, count = _iterate_dataset(dataset)
        if count == -1:
            raise DataError(f"{name} never ends, so it can't be read into memory", hint=FEWER)
        for element in elements:
            parts.append(_to_numpy(element))
            size += sum(array.nbytes for structure in parts[-1] for array in leaves(structure))
            if size > MOST_BYTES or (len(parts) > MOST_ELEMENTS and isinstance(dataset, Iterator)):
                raise DataError(f"{name} never ends, or is too large to read: over {MOST_BYTES >> 30} GB", hint=FEWER)
        if not parts:
            raise DataError(f"{name} has no rows", hint="If it is an iterator that was read before, create it again")
        first_leaves = [array for structure in parts[0] for array in leaves(structure)]
        # In a dataset of rows, x and y of a row rarely have the same first axis: a label is mostly a number.
        in_batches = len({array.shape[:1] for array in first_leaves}) == 1 and first_leaves[0].ndim > 0
        merge = np.concatenate if in_batches else np.stack
        columns = [each(lambda *batches: merge(batches), *column) for column in zip(*parts, strict=True)]
    except DataError:
        raise
    except Exception as error:  # the user's code may raise anything; NumPy raises for rows of different shapes
        raise DataError(f"{name} can't be read: {str(error).strip() or type(error).__name__}") from error
    return columns, f"{name} was read into memory: {pluralize(len(leaves(columns[0])[0]), 'row')}, {size / 1e6:,.1f} MB"


def _to_numpy(element: Any) -> list[Any]:
    def as_array(value: Any) -> Any:
        return decode_texts(np.asarray(value.detach().cpu() if hasattr(value, "detach") else value))

    return [each(as_array, part) for part in (element if isinstance(element, tuple | list) else [element])]


def _iterate_dataset(dataset: Any) -> tuple[Iterator[Any], int]:
    """Return (iterator, number of batches) of a dataset. As in tf.data, -1 means infinite, -2 unknown."""
    if hasattr(dataset, "num_batches"):  # a PyDataset of Keras
        return iter(dataset), -1 if dataset.num_batches is None else dataset.num_batches
    try:
        return iter(dataset), int(dataset.cardinality()) if hasattr(dataset, "cardinality") else len(dataset)
    except TypeError:  # a DataLoader over an iterable has no length
        return iter(dataset), -2


def name_arrays(arrays: Sequence[Any], part: str) -> dict[str, Any]:
    """Return name -> array of (x, y[, weights]). If `part` is "_train": x_train, y_train, sample_weight_train."""
    pairs = zip(LETTERS, arrays, strict=False)
    return {f"{letter}{part}": array for letter, array in pairs if array is not None or letter in "xy"}


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _rows_from_dict(arrays: dict[str, Any], name: str, place: str, how: Split) -> SourceRows:
    arrays = {_OTHER_NAMES.get(key, key): value for key, value in arrays.items()}
    arrays = {key: value for key, value in arrays.items() if value is not None or not key.startswith("y")}
    parts = [part for part in PARTS if f"x{part}" in arrays]
    letters = "xy" if any(key.startswith("y") for key in arrays) else "x"  # a model may learn without labels
    whole = {f"{letter}{part}" for letter in letters for part in parts}
    weight_keys, group_keys = ({f"{beside}{part}" for part in parts} for beside in ("sample_weight", how.by))
    missing, unknown = sorted(whole.difference(arrays)), sorted(set(arrays) - whole - weight_keys - group_keys)
    rule = f"have {itemize(missing)}" if missing else f"not have {itemize(unknown)}" if unknown else ""
    if ("" in parts) == ("_train" in parts):
        rule = "not have both 'x' and 'x_train'" if "" in parts else "have 'x' or 'x_train'"
    if rule:
        raise DataError(f"{place} must {rule}, but got {itemize(arrays, 10) or 'nothing'}", hint=KEYS)
    needed = "sample_weight" if "" in parts else "sample_weight_train"
    if (weights := sorted(weight_keys & set(arrays))) and needed not in weights:
        raise DataError(f"{place} gives {itemize(weights)}, but no weights of training rows", hint=f"Add {needed!r}")
    names = (*LETTERS, how.by)
    rows = {part: _make_rows([arrays.get(f"{name}{part}") for name in names], part, place, how) for part in parts}
    first = next(iter(rows.values())).y
    rows = {part: replace(part_rows, y=_match_columns(first, part_rows.y)) for part, part_rows in rows.items()}
    for letter in "xy":
        kinds = {f"{letter}{part}": _describe(getattr(part_rows, letter)) for part, part_rows in rows.items()}
        if len(set(kinds.values())) > 1:
            kinds_text = ", ".join(f"`{name}` is {kind}" for name, kind in kinds.items())
            raise DataError(f"the parts of {place} differ: {kinds_text}", hint="Give all parts rows of the same shape")
    return SourceRows(name, rows.get(""), rows.get("_train"), rows.get("_validation"), rows.get("_test"))


def _match_columns(first: Arrays, y: Arrays) -> Arrays:
    def reshape(like: Array, array: Array) -> Array:
        in_column = {like.shape[1:], array.shape[1:]} == {(), (1,)}
        return array.reshape(len(array), *like.shape[1:]) if in_column else array

    return each(reshape, first, y) if by_name("", first).keys() == by_name("", y).keys() else y


def _make_rows(arrays: Sequence[Any], part: str, place: str, how: Split) -> RawRows:
    x, y, weights, keys = arrays
    what = f"`x{part}` of {place}"
    rows: Features
    if type(x).__name__ in ("DataFrame", "Table"):  # pandas, polars, pyarrow
        from keras_sweep.data.table_columns import check_columns, check_names, polars_table
        from keras_sweep.data.table_preprocessing import split_dates

        check_names(list(map(str, getattr(x, "column_names", x.columns))), what)
        rows = polars_table(x, what)
        if keys is None and how.by in rows.columns:
            keys = rows[how.by]
        rows = split_dates(rows[[name for name in rows.columns if name != how.by]])
        check_columns(rows, what)
    else:
        rows = read_arrays(x, checked.input_array, what, _count_rows(y))
    count = len(leaves(rows)[0])
    labels = f"`y{part}` of {place}"
    y = np.zeros((count, 0), np.float32) if y is None else read_arrays(y, checked.label_array, labels, count)
    counts = {**by_name(f"x{part}", rows), **by_name(f"y{part}", y)}
    for key, array in counts.items():
        if len(array) != count:
            raise DataError(
                f"`{next(iter(counts))}` of {place} has {pluralize(count, 'row')}, but `{key}` has {len(array):,}",
                hint="Give each row a label" if key[0] == "y" else "Give all inputs the same number of rows",
            )
    row_weights = None if weights is None else checked.weight_array(weights, count, f"`sample_weight{part}` of {place}")
    groups = {}
    if keys is not None or not isinstance(rows, np.ndarray | dict | tuple):
        from keras_sweep.data.table_files import find_group_columns, rank_values

        what = f"`{how.by}{part}` of {place}"
        groups = find_group_columns(rows) if keys is None else {str(how.by): rank_values(keys, count, how, what)}
    return RawRows(rows, y, row_weights, places=groups)


def _count_rows(y: Any) -> int | None:
    with suppress(TypeError, IndexError):  # a value that is no array is reported when it is read
        several = has_several_arrays(y, -1) and not isinstance(y, list)
        return len(leaves(y)[0] if several else y)
    return None


def _describe(array: Features) -> str:
    if isinstance(array, dict | tuple):
        return ", ".join(f"{name.removeprefix('/')} {_describe(part)}" for name, part in by_name("", array).items())
    if not isinstance(array, np.ndarray):
        return f"a table of {pluralize(len(array.columns), 'column')}"
    return f"{'text' if array.dtype.kind == 'O' else 'numbers'}, each row of shape {list(array.shape[1:])}"
