"""What `fit` iterates, read into memory: a `tf.data.Dataset`, a `keras.utils.PyDataset`, a `DataLoader` of torch.

None of these packages is imported here: a dataset of one has been made by it.
"""

import sys
from operator import attrgetter
from typing import Any

import numpy as np

from keras_sweep.data.arrays import each, leaves
from keras_sweep.errors import DataError

KINDS = (("tensorflow", "data.Dataset"), ("keras", "utils.PyDataset"), ("torch", "utils.data.DataLoader"))
MOST_BYTES = 4 << 30  # of one dataset
FEWER = "Give as many rows as fit, as by `.take(n)`: of a dataset that never ends those of an epoch"


def is_dataset(value: Any) -> bool:
    """Whether it is one of these, and not arrays."""
    loaded = [(sys.modules[module], name) for module, name in KINDS if module in sys.modules]
    return any(isinstance(value, attrgetter(name)(module)) for module, name in loaded)


def in_memory(dataset: Any, part: str) -> tuple[list[Any], str]:
    """x, y and weights of all rows, as far as a dataset gives them, and a sentence on their size.

    A dataset gives batches, as `fit` takes them, or rows one by one. Raises DataError: it never ends, is larger than
    `MOST_BYTES`, gives nothing, or fails.
    """
    name = f"the {part.replace('train', 'training')} dataset" if part else "the dataset"
    parts, size = [], 0
    try:
        count = dataset.cardinality() if hasattr(dataset, "cardinality") else getattr(dataset, "num_batches", 0)
        if count is None or count == -1:  # as a PyDataset, and tf.data, say that there is no end
            raise DataError(f"{name} never ends, and is read into memory before the search", hint=FEWER)
        for element in map(dataset.__getitem__, range(count)) if hasattr(dataset, "num_batches") else dataset:
            parts.append([each(_array, one) for one in (element if isinstance(element, tuple | list) else [element])])
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
    array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    if array.dtype.kind in "SO" and all(isinstance(text, bytes) for text in array.reshape(-1)):  # of TensorFlow
        return np.array([text.decode() for text in array.reshape(-1)], object).reshape(array.shape)
    return array
