"""What `fit` iterates: a `tf.data.Dataset`, a `keras.utils.PyDataset`, a `DataLoader` of torch; read where it fits.

None of these packages is imported here: a dataset of one has been made by it.
"""

import sys
from collections.abc import Iterator
from contextlib import suppress
from operator import attrgetter
from typing import Any

import numpy as np

from keras_sweep.data.arrays import decoded, each, leaves
from keras_sweep.errors import DataError

KINDS = (("tensorflow", "data.Dataset"), ("keras", "utils.PyDataset"), ("torch", "utils.data.DataLoader"))
MOST_BYTES = 4 << 30  # of one dataset
FEWER = (
    "Of training rows, beside validation rows that do end, `data: {python: ..., steps_per_epoch: 100}` says how many "
    "batches are an epoch; else give as many rows as fit, as by `.take(n)`"
)


def is_dataset(value: Any) -> bool:
    """Whether it is one of these, and not arrays."""
    loaded = [(sys.modules[module], name) for module, name in KINDS if module in sys.modules]
    return any(isinstance(value, attrgetter(name)(module)) for module, name in loaded)


def steps_of_large(dataset: Any) -> int:
    """How many batches it gives, where so many of the size of the first are more than `MOST_BYTES`; else 0."""
    with suppress(Exception):  # whatever the user's code raises: `in_memory` comes to it, too, and tells of it
        elements, count = _elements(dataset)
        size = sum(array.nbytes for one in _parts(next(elements)) for array in leaves(one)) if count > 1 else 0
        return count if size * count > MOST_BYTES else 0
    return 0


def in_memory(dataset: Any, part: str) -> tuple[list[Any], str]:
    """x, y and weights of all rows, as far as a dataset gives them, and a sentence on their size.

    A dataset gives batches, or rows one by one. Raises DataError: it never ends, is too large, gives nothing, or fails.
    """
    name = f"the {part.replace('train', 'training')} dataset" if part else "the dataset"
    parts, size = [], 0
    try:
        elements, count = _elements(dataset)
        if count == -1:
            raise DataError(f"{name} never ends, and is read into memory before the search", hint=FEWER)
        for element in elements:
            parts.append(_parts(element))
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


def _array(value: Any) -> Any:
    """An array of NumPy, texts as `str`."""
    return decoded(np.asarray(value.detach().cpu() if hasattr(value, "detach") else value))


def _parts(element: Any) -> list[Any]:
    """x, y and weights of a batch, or of a row, as arrays."""
    return [each(_array, one) for one in (element if isinstance(element, tuple | list) else [element])]


def _elements(dataset: Any) -> tuple[Iterator[Any], int]:
    """What it gives, and how much that is; -1: it never ends, -2: it does not say, both as tf.data has it."""
    if hasattr(dataset, "num_batches"):  # of Keras
        return iter(dataset), -1 if dataset.num_batches is None else dataset.num_batches
    try:
        return iter(dataset), int(dataset.cardinality()) if hasattr(dataset, "cardinality") else len(dataset)
    except TypeError:  # a DataLoader of an iterable
        return iter(dataset), -2
