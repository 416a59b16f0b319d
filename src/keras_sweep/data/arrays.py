"""Arrays of a user, seen to be what a model can train on: real numbers of 32 bits, one row an example, none missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from keras_sweep.errors import DataError

Array: TypeAlias = npt.NDArray[np.generic]

INT32 = np.iinfo(np.int32)
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
ARRAYS = (
    "Give one NumPy array; of a sparse matrix that is `.toarray()`, and of a tf.data.Dataset "
    "`x, y = map(np.array, zip(*dataset.unbatch().as_numpy_iterator()))`"
)
INPUTS = (
    "Several inputs go into one array (`np.concatenate([a, b], axis=1)`), one column is `x.reshape(-1, 1)`, "
    "categories are taken as columns of a DataFrame or a file, and other text must be turned into numbers, as by "
    f"`keras.layers.TextVectorization`. {ARRAYS}"
)
BLURRED = "differ by so little, beside their size, that 32 bits blur them: subtract their mean, or use another unit"
STEPS_THAT_MATTER = 100  # that 32-bit numbers should have between a column's lowest and highest value


def described(value: Any, *, parts: bool = True) -> str:
    """What was given, by its type and shape, and by what its parts are, for a message."""
    kind = type(value).__name__.lstrip("_")
    if isinstance(value, Mapping | list | tuple):
        few = list(value)[:5]
        few = [repr(part)[:40] if isinstance(value, Mapping) else described(part, parts=False) for part in few]
        more = ["..."] if len(value) > 5 else []
        return f"a {kind} of {len(value):,}" + (f" ({', '.join(few + more)})" if parts and value else "")
    shape = getattr(value, "shape", None)
    return str(value) if value is None else kind if shape is None else f"{kind} of shape {list(shape)}"


def input_array(x: Any, what: str) -> Array:
    """Inputs as an array of numbers, [N, ...]. Raises DataError for others, and for numbers that 32 bits can't hold."""
    array = _as_array(x)
    if array is None or array.dtype.kind not in "fiub" or array.ndim < 2 or not array.size:
        raise _neither(what, x, array, "real numbers in rows, [N, ...]", INPUTS)
    _must_be_known(array, what)
    return array


def label_array(y: Any, what: str) -> Array:
    """Labels as an array of numbers or of text, [N] or [N, C]. Raises DataError."""
    import polars as pl

    array = y.to_numpy() if isinstance(y, pl.Series) else _as_array(y)
    if array is None or array.dtype.kind not in "fiubUO" or array.ndim not in (1, 2) or not array.size:
        raise _neither(what, y, array, "numbers or texts, [N] or [N, C], one label a row", ARRAYS)
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
        _must_be_known(array, what)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def too_fine_columns(array: Array) -> list[int]:
    """The columns of [N, F] whose values differ by so little, beside their size, that 32 bits blur them.

    That is where fewer than STEPS_THAT_MATTER numbers of 32 bits lie between the lowest and the highest, as for the
    seconds of one day counted from 1970.
    """
    low, high = array.min(axis=0).astype(np.float64), array.max(axis=0).astype(np.float64)
    step = np.spacing(np.maximum(np.abs(low), np.abs(high)).astype(np.float32)).astype(np.float64)
    close = np.flatnonzero((low < high) & (step * STEPS_THAT_MATTER > high - low))
    return [int(column) for column in close if (array[:, column].astype(np.float32) != array[:, column]).any()]


def of_32_bits(x: Array) -> Array:
    """Real numbers and booleans as float32; whole numbers stay whole, for models that look them up (Embedding)."""
    if x.dtype.kind in "fb":
        return x.astype(np.float32)
    if x.dtype.itemsize > 4:
        return x.astype(np.int32)
    return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))


def own(array: Array) -> Array:
    """A contiguous array that is no view: a view would keep alive, and lead to, rows that are not its own."""
    return np.array(array, order="C") if array.base is not None else np.ascontiguousarray(array)


def _as_array(value: Any) -> npt.NDArray[Any] | None:
    """The array that NumPy takes it for, a masked number as missing; None where it takes it for none."""
    try:
        return np.asarray(value.filled(np.nan) if np.ma.is_masked(value) else value)
    except Exception:  # whatever the user's type raises
        return None


def _neither(what: str, value: Any, array: Array | None, wanted: str, hint: str) -> DataError:
    """The error for all that is no array of the kind that is wanted, by its type and shape."""
    given = described(value) if array is None or not array.ndim else f"{described(array)} and type {array.dtype}"
    return DataError(f"{what} is {given}, not {wanted}", hint=hint)


def _must_be_known(array: npt.NDArray[Any], what: str) -> None:
    """Raises DataError for a number that is missing, infinite, or not one of 32 bits, by its place."""
    if array.dtype.kind == "f":
        bad = ~(np.abs(array) <= np.finfo(np.float16 if array.dtype.itemsize == 2 else np.float32).max)
        rule = f"from {-LARGEST_FLOAT32:.2g} to {LARGEST_FLOAT32:.2g}"
        hint = "Fill the gaps, leave such rows out, or divide the numbers by a power of ten"
    elif array.dtype.itemsize > 4 and (int(array.min()) < INT32.min or int(array.max()) > INT32.max):
        bad = (array < INT32.min) | (array > INT32.max)
        rule = f"from {INT32.min} to {INT32.max}"
        hint = "Give real numbers where their last digits do not count (`.astype('float32')`), or count from the lowest"
    else:
        return
    if bad.any():
        place = [int(index) for index in np.unravel_index(int(bad.argmax()), bad.shape)]
        others = f", and {bad.sum() - 1:,} more" if bad.sum() > 1 else ""
        raise DataError(
            f"{what} has {array[bad][0]!s} at {place}{others}, but models take numbers of 32 bits, {rule}", hint=hint
        )
