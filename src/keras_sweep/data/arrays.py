"""Check that a user's arrays can train a model: finite real numbers of 32 bits, with a row for each example."""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from keras_sweep.errors import DataError

Array: TypeAlias = npt.NDArray[np.generic]
Arrays: TypeAlias = Any  # an array; a dict (by name) or tuple of arrays for several inputs or outputs

INT32 = np.iinfo(np.int32)
LARGE, BOUNDARY = 1 << 20, 64  # bytes; see `empty_aligned`
LARGEST_FLOAT32 = np.finfo(np.float32).max
ARRAYS = "Give a NumPy array; convert a sparse matrix with `.toarray()`"
INPUTS = (
    f"{ARRAYS}. Make a single column with `x.reshape(-1, 1)`. Give several inputs as a dict of arrays, categories as "
    "a DataFrame or a file, and texts as an array of `str`, [N]"
)
BLURRED = "are too close to each other for 32 bits: subtract their mean, or use another unit"
STEPS_THAT_MATTER = 100  # numbers of 32 bits between a column's lowest and highest value


def describe_value(value: Any) -> str:
    """Describe a value by type and shape, for a message: "ndarray of shape [3, 2] and type int64"."""
    kind = "None" if value is None else type(value).__name__.lstrip("_")
    if isinstance(value, dict | list | tuple):
        return f"a {kind} of {len(value):,}"
    shape = f" of shape {list(value.shape)}" if hasattr(value, "shape") else ""
    return kind + shape + (f" and type {value.dtype}" if hasattr(value, "dtype") else "")


def each(function: Callable[..., Any], first: Any, *more: Any) -> Any:
    """Apply `function` to an array, or to each array of a dict or tuple. `more` are structures with the same keys or
    length: their matching arrays are further arguments. Return the results in the structure of `first`."""
    if isinstance(first, Mapping):
        return {name: function(array, *(structure[name] for structure in more)) for name, array in first.items()}
    if isinstance(first, list | tuple):
        return tuple(function(*parts) for parts in zip(first, *more, strict=True))
    return function(first, *more)


def cut(arrays: Arrays, start: int, end: int | None = None) -> Arrays:
    """Return the rows `start:end` of an array, or of each array of a dict or tuple."""
    return each(lambda array: array[start:end], arrays)


def leaves(arrays: Arrays) -> list[Any]:
    """Return the arrays of a structure (an array, or a dict or tuple of arrays) as a list."""
    return list(by_name("", arrays).values())


def by_name(name: str, arrays: Arrays) -> dict[str, Array]:
    """Return name -> array. If `name` is "x": `x` for an array, `x/a`, `x/b` for a dict, `x/0`, `x/1` for a tuple."""
    if not isinstance(arrays, Mapping | tuple):
        return {name: arrays}
    parts = arrays.items() if isinstance(arrays, Mapping) else enumerate(arrays)
    return {f"{name}/{part}": array for part, array in parts}


def arrays_by_name(arrays: Mapping[str, Array]) -> dict[str, Arrays]:
    """Undo `by_name`: return name -> structure. Arrays `x/a` and `x/b` become a dict, `x/0` and `x/1` a tuple."""
    result: dict[str, Any] = {}
    for name, array in arrays.items():
        first, several, part = name.partition("/")
        result |= {first: {**result.get(first, {}), part: array}} if several else {name: array}
    keys = {name: [str(i) for i in range(len(parts))] for name, parts in result.items() if isinstance(parts, dict)}
    return result | {name: tuple(result[name].values()) for name, order in keys.items() if list(result[name]) == order}


def has_several_arrays(value: Any, rows: int | None = None) -> bool:
    """Return whether a value is a dict of arrays, or a list of several arrays. `rows` is the expected number of rows: a
    list of this length is a single array, with an item per row. If `rows` is None, every list is a single array."""
    if isinstance(value, Mapping):
        return True
    is_list = isinstance(value, list | tuple) and rows is not None and len(value) != rows
    return is_list and len(value) > 0 and all(getattr(part, "ndim", 0) > 0 for part in value)


def input_array(x: Any, what: str) -> Array:
    """Convert inputs to numbers [N, ...] or texts [N] of `str`. Raises DataError, which calls the inputs `what`."""
    array = _as_array(x)
    if array.ndim and array.size == len(array) > 0 and all(isinstance(value, str) for value in array.flat):
        return array.reshape(-1).astype(object)
    if array.dtype.kind not in "fiub" or array.ndim < 2 or not array.size:
        raise DataError(f"{what} must be real numbers in rows, [N, ...], but got {describe_value(x)}", hint=INPUTS)
    check_fits_32_bits(array, what)
    return array


def read_arrays(value: Any, read: Callable[[Any, str], Array], what: str, rows: int | None) -> Arrays:
    """Convert an array, or each array of a dict or list, with `read` (`input_array` or `label_array`). A list with
    `rows` items, the expected number of rows, is a single array. Among several inputs, an input [N] becomes [N, 1].
    Raises DataError, which calls the value `what`."""
    if not has_several_arrays(value, rows):
        return read(value, what)
    if not len(value):
        raise DataError(f"{what} has no arrays", hint="Give an array for each input or output")
    parts = {str(name): value[name] for name in value} if isinstance(value, Mapping) else tuple(value)
    names = each(lambda name: f"{name.removeprefix('/')!r} of {what}", tuple(by_name("", parts)))
    raw = [part[:, None] if read is input_array and part.ndim == 1 else part for part in map(_as_array, leaves(parts))]
    arrays = tuple(read(array, name) for array, name in zip(raw, names, strict=True))
    return dict(zip(parts, arrays, strict=True)) if isinstance(parts, dict) else arrays


def label_array(y: Any, what: str) -> Array:
    """Convert labels to numbers [N, ...], or texts [N] or [N, C]. Raises DataError, which calls the labels `what`."""
    array = _as_array(y)
    is_valid = array.ndim if array.dtype.kind in "fiub" else array.ndim in (1, 2) and array.dtype.kind in "UO"
    if not is_valid or not array.size:
        raise DataError(f"{what} must be numbers or texts, [N] or [N, ...], but got {describe_value(y)}", hint=ARRAYS)
    if array.dtype.kind == "O":
        if strange := [row for row, value in enumerate(array.reshape(-1)) if not isinstance(value, str)]:
            label = repr(array.reshape(-1)[strange[0]])[:40]
            raise DataError(
                f"{what} must be all numbers or all texts, but label {strange[0] + 1} is {label}",
                hint="Leave out rows without a label",
            )
    elif array.dtype.kind == "U":
        array = array.astype(object)
    elif array.dtype.kind == "f":
        check_fits_32_bits(array, what)
    # Keras also treats a pandas Series as a column.
    is_series = array.ndim == 1 and type(y).__module__.partition(".")[0] == "pandas"
    return array[:, None] if is_series else array


def ravel_column(y: Array) -> Array:
    """Return labels [N, 1] as [N]. Labels of other shapes stay as they are."""
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def weight_array(weights: Any, rows: int, what: str) -> Array:
    """Return sample weights as [N] float32. Raises DataError, which calls the weights `what`, unless N = `rows` and all
    weights are at least 0."""
    array = _as_array(weights)
    if array.dtype.kind not in "fiub" or array.shape not in ((rows,), (rows, 1)):
        raise DataError(f"{what} must be a number for each of {rows:,} rows, [N], but got {describe_value(weights)}")
    check_fits_32_bits(array, what)
    array = array.reshape(-1).astype(np.float32)
    if array.min() < 0:
        raise DataError(f"{what} must be at least 0, but got {array.min():g} in row {array.argmin() + 1}")
    return array


def find_blurred_columns(array: Array) -> list[int]:
    """Return the indices of columns of [N, F] whose values are too close for float32: fewer than STEPS_THAT_MATTER
    float32 numbers lie between the lowest and highest value. An example is the time of a day in seconds since 1970."""
    low, high = array.min(axis=0).astype(np.float64), array.max(axis=0).astype(np.float64)
    step = np.spacing(np.maximum(np.abs(low), np.abs(high)).astype(np.float32)).astype(np.float64)
    close = np.flatnonzero((low < high) & (step * STEPS_THAT_MATTER > high - low))
    return [int(column) for column in close if (array[:, column].astype(np.float32) != array[:, column]).any()]


def to_32_bits(x: Array) -> Array:
    """Copy an array. Convert floats and booleans to float32, 64-bit integers to int32, but no texts."""
    if x.dtype.kind == "O":
        return np.array(x)
    whole = np.dtype(np.int32) if x.dtype.itemsize > 4 else x.dtype.newbyteorder("=")
    copy = empty_aligned(x.shape, np.dtype(np.float32) if x.dtype.kind in "fb" else whole)
    np.copyto(copy, x, casting="unsafe")
    return copy


def empty_aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return an empty array. If it is large, it begins at a multiple of 64 bytes: JAX on a CPU then reads it in place,
    without a copy."""
    size = math.prod(shape) * dtype.itemsize
    if size < LARGE:
        return np.empty(shape, dtype)
    buffer = np.empty(size + BOUNDARY, np.uint8)
    start = -buffer.ctypes.data % BOUNDARY
    return buffer[start : start + size].view(dtype).reshape(shape)


def copy_if_view(array: Array) -> Array:
    """Return a contiguous array. A view is copied, since it would keep all rows in memory, even the test rows."""
    return np.array(array, order="C") if array.base is not None else np.ascontiguousarray(array)


def _as_array(value: Any) -> npt.NDArray[Any]:
    """Convert a value to an array. Masked numbers become NaN. If NumPy fails, return an empty array."""
    try:
        array = np.asarray(value.filled(np.nan) if np.ma.is_masked(value) else value)
        if array.dtype.kind == "O" and all(isinstance(item, int | float | np.number | np.bool) for item in array.flat):
            array = np.array(array.tolist())
        return decode_texts(array)
    except Exception:  # the user's type may raise anything
        return np.empty(0, object)


def decode_texts(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Decode texts that are bytes, as TensorFlow has them, to `str`. Other arrays stay as they are."""
    if array.dtype.kind in "SO" and all(isinstance(text, bytes) for text in array.flat):
        return np.array([text.decode() for text in array.flat], object).reshape(array.shape)
    return array


def check_fits_32_bits(array: npt.NDArray[Any], what: str, *, gaps: bool = False) -> None:
    """Raise DataError, which calls the array `what`, if a number is infinite, beyond 32 bits, or NaN. If `gaps` is
    true, NaN is allowed."""
    is_float = array.dtype.kind == "f"
    low, high = (-LARGEST_FLOAT32, LARGEST_FLOAT32) if is_float else (INT32.min, INT32.max)
    if not array.size or not (is_float or array.dtype.itemsize > 4) or (low <= array.min() and array.max() <= high):
        return  # the usual case needs no copies
    bad = ~((low <= array) & (array <= high)) & ~(gaps & np.isnan(array))
    if bad.any():
        place = [int(index) for index in np.unravel_index(int(bad.argmax()), bad.shape)]
        where = f"in row {place[0] + 1}" if len(place) == 1 else f"at {place}"
        others = f", and {bad.sum() - 1:,} more" if bad.sum() > 1 else ""
        raise DataError(
            f"{what} must be finite numbers of 32 bits, but got {array[bad][0]!s} {where}{others}",
            hint="Fill gaps, or leave out these rows. For smaller numbers use another unit, or subtract the lowest",
        )
