"""Arrays of a user, seen to be what a model can train on: real numbers of 32 bits, one row an example, none missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.search_data import Array
from keras_sweep.errors import DataError

INT32 = np.iinfo(np.int32)
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
ARRAYS = (
    "Give one NumPy array; of a sparse matrix that is `.toarray()`, and of a tf.data.Dataset "
    "`x, y = map(np.array, zip(*dataset.unbatch().as_numpy_iterator()))`"
)
NUMBERS = (
    "Give numbers, as by `.astype('float32')`; categories, texts of few kinds, are taken as columns of a DataFrame or "
    "a file, and other text must be turned into numbers, as by `keras.layers.TextVectorization`"
)
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


def input_array(x: Any, rows: int, what: str, labels: str) -> Array:
    """Inputs as an array of numbers, [N, ...].

    Args:
        x: what the user gave.
        rows: how many labels there are.
        what: the name and place of x, for messages.
        labels: the name of its labels.

    Raises:
        DataError: it is something else, or holds a number that 32 bits can't.
    """
    listed = isinstance(x, list | tuple) and len(x) not in (0, rows)  # as many arrays as rows are rows
    if isinstance(x, Mapping) or (listed and all(getattr(part, "shape", ())[:1] == (rows,) for part in x)):
        raise DataError(
            f"{what} is {described(x)}, but there is one input alone: one array, or one DataFrame",
            hint="Put several side by side, as by `np.concatenate([a, b], axis=1)`, and let the model take them apart",
        )
    array = _as_array(x, what)
    if array.dtype.kind not in "fiub":
        raise DataError(f"{what} is {described(array)} and type {array.dtype}, not numbers", hint=NUMBERS)
    if array.ndim < 2:
        raise DataError(
            f"{what} is {described(array)}, but must be [N, ...], one row an example",
            hint="`x.reshape(-1, 1)` makes it one column",
        )
    if len(array) != rows:
        raise DataError(
            f"{what} has {len(array):,} rows, but `{labels}` has {rows:,}", hint="One label a row is needed"
        )
    if not array.size:
        raise DataError(f"{what} is {described(array)}: there are no {'numbers in its ' if rows else ''}rows")
    _must_be_finite(array, f"{what} has {{}} missing or infinite numbers", "Fill the gaps, or leave such rows out")
    _must_fit_32_bits(array, what)
    return array


def label_array(y: Any, what: str) -> Array:
    """Labels as an array of numbers or of text, [N] or [N, C]. Raises DataError."""
    import polars as pl

    array = y.to_numpy() if isinstance(y, pl.Series) else _as_array(y, what)
    if array.dtype.kind not in "fiubUO":
        raise DataError(
            f"{what} is {described(array)} and type {array.dtype}, neither numbers nor text",
            hint="Give numbers, or texts as by `.astype(str)`",
        )
    if array.ndim not in (1, 2) or (array.ndim == 2 and not array.shape[1]):
        raise DataError(
            f"{what} is {described(array)}, but must be [N] or [N, C]",
            hint="One label a row, or one column a class or a number: a label for each pixel or step is not taken",
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
        _must_be_finite(array, f"{what} has {{}} missing or infinite labels", "Leave out rows without a label")
        _must_fit_32_bits(array, what)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def is_too_fine(values: Array) -> bool:
    """Whether the values of a column differ by so little, beside their size, that 32 bits blur them.

    That is where fewer than STEPS_THAT_MATTER numbers of 32 bits lie between the lowest and the highest, as for the
    seconds of one day counted from 1970.
    """
    low, high = float(values.min()), float(values.max())
    step = float(np.spacing(np.float32(max(abs(low), abs(high)))))
    return low < high and step * STEPS_THAT_MATTER > high - low and bool((values.astype(np.float32) != values).any())


def too_fine_columns(array: Array) -> list[int]:
    """The columns of [N, F] real numbers that `is_too_fine`; none for other shapes and types."""
    if array.ndim != 2 or array.dtype.kind != "f" or array.dtype.itemsize <= 4:
        return []
    low, high = array.min(axis=0).astype(np.float64), array.max(axis=0).astype(np.float64)
    step = np.spacing(np.maximum(np.abs(low), np.abs(high)).astype(np.float32)).astype(np.float64)
    close = np.flatnonzero((low < high) & (step * STEPS_THAT_MATTER > high - low))
    return [int(column) for column in close if is_too_fine(array[:, column])]


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


def _as_array(value: Any, what: str) -> Array:
    """Raises DataError for what NumPy does not take for an array, or takes for one object."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        raise DataError(f"{what} has masked values", hint="Fill them, as by `x.filled(0)`, or leave such rows out")
    try:
        array = np.asarray(value)
    except Exception as error:  # whatever the user's type raises
        if "inhomogeneous" in str(error):
            raise DataError(
                f"{what} is {described(value)}, whose rows have different lengths", hint="Pad or cut them to one length"
            ) from error
        raise DataError(f"{what} is {described(value)}, not an array: {error}", hint=ARRAYS) from error
    if not array.ndim:
        raise DataError(f"{what} is {described(value)}, not an array of rows", hint=ARRAYS)
    return array


def _must_be_finite(array: Array, message: str, hint: str) -> None:
    if array.dtype.kind != "f":
        return
    bad = ~np.isfinite(array)
    if bad.any():
        raise DataError(f"{message.format(f'{bad.sum():,}')}, the first at {_place(bad)}", hint=hint)


def _must_fit_32_bits(given: Array, what: str) -> None:
    array: npt.NDArray[Any] = given
    if array.dtype.itemsize <= 4:
        return
    if array.dtype.kind == "f":
        bad = np.abs(array) > LARGEST_FLOAT32
        rule, hint = f"from {-LARGEST_FLOAT32:.2g} to {LARGEST_FLOAT32:.2g}", "Divide them by a power of ten"
    elif int(array.min()) < INT32.min or int(array.max()) > INT32.max:
        bad = (array < INT32.min) | (array > INT32.max)
        rule = f"from {INT32.min} to {INT32.max}"
        hint = "Give real numbers where their last digits do not count (`.astype('float32')`), or count from the lowest"
    else:
        return
    if bad.any():
        first = array[bad][0]
        others = f", and {bad.sum() - 1:,} more" if bad.sum() > 1 else ""
        raise DataError(
            f"{what} has {first!s} at {_place(bad)}{others}, but models take numbers of 32 bits, {rule}", hint=hint
        )


def _place(found: npt.NDArray[np.bool_]) -> list[int]:
    return [int(index) for index in np.unravel_index(int(found.argmax()), found.shape)]
