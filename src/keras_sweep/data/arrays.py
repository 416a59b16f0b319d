"""Arrays of a user, seen to be what a model can train on: real numbers of 32 bits, one row an example, none missing."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from keras_sweep.errors import DataError

Array: TypeAlias = npt.NDArray[np.generic]
Arrays: TypeAlias = Any  # an array; of several inputs, or outputs, a dict of arrays by their names, or a tuple of them

INT32 = np.iinfo(np.int32)
LARGEST_FLOAT32 = np.finfo(np.float32).max
ARRAYS = "Give one NumPy array; of a sparse matrix that is `.toarray()`"
INPUTS = (
    "Several inputs are a dict of arrays by their names, one column is `x.reshape(-1, 1)`, "
    "categories are taken as columns of a DataFrame or a file, and one text a row is an array of `str`, [N]. "
    f"{ARRAYS}"
)
BLURRED = "differ by so little, beside their size, that 32 bits blur them: subtract their mean, or use another unit"
STEPS_THAT_MATTER = 100  # that 32-bit numbers should have between a column's lowest and highest value


def describe_value(value: Any) -> str:
    """What was given, by its type and shape, for a message."""
    kind = "None" if value is None else type(value).__name__.lstrip("_")
    if isinstance(value, dict | list | tuple):
        return f"a {kind} of {len(value):,}"
    shape = f" of shape {list(value.shape)}" if hasattr(value, "shape") else ""
    return kind + shape + (f" and type {value.dtype}" if hasattr(value, "dtype") else "")


def each(function: Callable[..., Any], first: Any, *others: Any) -> Any:
    """What a function gives of arrays; of those of several inputs a dict, or a tuple, of what it gives of each."""
    if isinstance(first, Mapping):
        return {name: function(one, *(other[name] for other in others)) for name, one in first.items()}
    if isinstance(first, list | tuple):
        return tuple(function(*parts) for parts in zip(first, *others, strict=True))
    return function(first, *others)


def cut(arrays: Arrays, start: int, end: int | None = None) -> Arrays:
    """The rows from one on, before another."""
    return each(lambda array: array[start:end], arrays)


def leaves(arrays: Arrays) -> list[Any]:
    """The arrays themselves: of several inputs each, in their order."""
    return list(by_name("", arrays).values())


def by_name(name: str, arrays: Arrays) -> dict[str, Array]:
    """The arrays by names: `x`, or of several `x/a` and `x/b`, or `x/0` and `x/1` in a tuple."""
    if not isinstance(arrays, Mapping | tuple):
        return {name: arrays}
    parts = arrays.items() if isinstance(arrays, Mapping) else enumerate(arrays)
    return {f"{name}/{part}": array for part, array in parts}


def arrays_by_name(arrays: Mapping[str, Array]) -> dict[str, Arrays]:
    """What `by_name` made such names of."""
    found: dict[str, Any] = {}
    for name, array in arrays.items():
        first, several, part = name.partition("/")
        found |= {first: {**found.get(first, {}), part: array}} if several else {name: array}
    places = {name: [str(place) for place in range(len(one))] for name, one in found.items() if isinstance(one, dict)}
    return found | {name: tuple(found[name].values()) for name, wanted in places.items() if list(found[name]) == wanted}


def has_several_arrays(value: Any, rows: int | None = None) -> bool:
    """Whether it is a dict, list or tuple of arrays, not a list of as many rows; without `rows` a list is none."""
    if isinstance(value, Mapping):
        return True
    listed = isinstance(value, list | tuple) and rows is not None and len(value) != rows
    return listed and len(value) > 0 and all(getattr(one, "ndim", 0) > 0 for one in value)


def input_array(x: Any, what: str) -> Array:
    """Inputs as numbers, [N, ...], or texts, [N] of `str`, as Keras has them. Raises DataError for what is neither."""
    array = _as_array(x)
    if array.ndim and array.size == len(array) > 0 and all(isinstance(one, str) for one in array.flat):
        return array.reshape(-1).astype(object)
    if array.dtype.kind not in "fiub" or array.ndim < 2 or not array.size:
        raise DataError(f"{what} is {describe_value(x)}, not real numbers in rows, [N, ...]", hint=INPUTS)
    check_fits_32_bits(array, what)
    return array


def read_arrays(given: Any, read: Callable[[Any, str], Array], what: str, rows: int | None) -> Arrays:
    """What `read` makes of what is given; of several inputs or outputs of each, which may be one column, [N]."""
    if not has_several_arrays(given, rows):
        return read(given, what)
    if not len(given):
        raise DataError(f"{what} is {describe_value(given)}", hint="Give an array for each input")
    parts = {str(name): given[name] for name in given} if isinstance(given, Mapping) else tuple(given)
    names = each(lambda name: f"{name.removeprefix('/')!r} of {what}", tuple(by_name("", parts)))
    columns = [one[:, None] if read is input_array and one.ndim == 1 else one for one in map(_as_array, leaves(parts))]
    found = tuple(read(one, name) for one, name in zip(columns, names, strict=True))
    return dict(zip(parts, found, strict=True)) if isinstance(parts, dict) else found


def label_array(y: Any, what: str) -> Array:
    """Labels as an array of numbers, [N] or [N, ...], or of text, [N] or [N, C]. Raises DataError."""
    array = _as_array(y)
    taken = array.ndim if array.dtype.kind in "fiub" else array.ndim in (1, 2) and array.dtype.kind in "UO"
    if not taken or not array.size:
        raise DataError(
            f"{what} is {describe_value(y)}, not numbers or texts, [N] or [N, ...], a label a row", hint=ARRAYS
        )
    if array.dtype.kind == "O":
        strange = [row for row, value in enumerate(array.reshape(-1)) if not isinstance(value, str)]
        if strange:
            raise DataError(
                f"{what} mixes types, or has missing labels: {repr(array.reshape(-1)[strange[0]])[:40]} "
                f"is label {strange[0] + 1}",
                hint="Give all numbers or all texts, and leave out rows without a label",
            )
    elif array.dtype.kind == "U":
        array = array.astype(object)
    elif array.dtype.kind == "f":
        check_fits_32_bits(array, what)
    # Keras, too, takes a Series of pandas as a column.
    is_series = array.ndim == 1 and type(y).__module__.partition(".")[0] == "pandas"
    return array[:, None] if is_series else array


def ravel_column(y: Array) -> Array:
    """Labels of one column, [N, 1], as [N]; any others as they are."""
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def weight_array(weights: Any, rows: int, what: str) -> Array:
    """What each of so many rows counts, [N] float32. Raises DataError: they are no such numbers, from 0 on."""
    array = _as_array(weights)
    if array.dtype.kind not in "fiub" or array.shape not in ((rows,), (rows, 1)):
        raise DataError(
            f"{what} is {describe_value(weights)}, not one number for each of {rows:,} rows",
            hint="Sample weights are [N], a number from 0 on for each row",
        )
    check_fits_32_bits(array, what)
    array = array.reshape(-1).astype(np.float32)
    if array.min() < 0:
        raise DataError(f"{what} has {array.min():g} in row {array.argmin() + 1}", hint="Weights are 0 or more")
    return array


def find_blurred_columns(array: Array) -> list[int]:
    """The columns of [N, F] between whose lowest and highest value lie fewer than STEPS_THAT_MATTER numbers of 32 bits,
    as for the seconds of one day counted from 1970."""
    low, high = array.min(axis=0).astype(np.float64), array.max(axis=0).astype(np.float64)
    step = np.spacing(np.maximum(np.abs(low), np.abs(high)).astype(np.float32)).astype(np.float64)
    close = np.flatnonzero((low < high) & (step * STEPS_THAT_MATTER > high - low))
    return [int(column) for column in close if (array[:, column].astype(np.float32) != array[:, column]).any()]


def to_32_bits(x: Array) -> Array:
    """Real numbers and booleans as float32; texts and whole numbers, for models that look them up, as they are."""
    if x.dtype.kind in "fb":
        return x.astype(np.float32)
    if x.dtype.itemsize > 4 and x.dtype.kind != "O":
        return x.astype(np.int32)
    return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))


def copy_if_view(array: Array) -> Array:
    """A contiguous array that is no view: a view would keep alive, and lead to, rows that are not its own."""
    return np.array(array, order="C") if array.base is not None else np.ascontiguousarray(array)


def _as_array(value: Any) -> npt.NDArray[Any]:
    """The array that NumPy makes, a masked number as missing; an empty one where it makes none."""
    try:
        array = np.asarray(value.fill_point(np.nan) if np.ma.is_masked(value) else value)
        if array.dtype.kind == "O" and all(isinstance(one, int | float | np.number | np.bool) for one in array.flat):
            array = np.array(array.tolist())
        return decode_texts(array)
    except Exception:  # whatever the user's type raises
        return np.empty(0, object)


def decode_texts(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Texts that are bytes, as TensorFlow has them, as those of Python; any other array as it is."""
    if array.dtype.kind in "SO" and all(isinstance(text, bytes) for text in array.flat):
        return np.array([text.decode() for text in array.flat], object).reshape(array.shape)
    return array


def check_fits_32_bits(array: npt.NDArray[Any], what: str, *, gaps: bool = False) -> None:
    """Raises DataError for a number that is infinite, beyond 32 bits or, unless there may be gaps, missing."""
    if array.dtype.kind == "f":
        bad = ~(np.abs(array) <= LARGEST_FLOAT32) & ~(gaps & np.isnan(array))
    elif array.dtype.itemsize > 4:
        bad = (array < INT32.min) | (array > INT32.max)
    else:
        return
    if bad.any():
        place = [int(index) for index in np.unravel_index(int(bad.argmax()), bad.shape)]
        where = f"in row {place[0] + 1}" if len(place) == 1 else f"at {place}"
        others = f", and {bad.sum() - 1:,} more" if bad.sum() > 1 else ""
        raise DataError(
            f"{what} has {array[bad][0]!s} {where}{others}, but models take finite numbers of 32 bits",
            hint="Fill gaps or leave such rows out; give smaller numbers, in another unit or counted from the lowest",
        )
