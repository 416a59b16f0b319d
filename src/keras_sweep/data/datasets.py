"""What `fit` iterates, read into memory: a `tf.data.Dataset`, a `keras.utils.PyDataset`, a `DataLoader` of torch.

None of these packages is imported here: a dataset of one has been made by it.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from keras_sweep.errors import DataError

KINDS = (("tensorflow", "data.Dataset"), ("keras", "utils.PyDataset"), ("torch", "utils.data.DataLoader"))
MOST_BYTES = 4 << 30  # of one dataset


def is_dataset(value: Any) -> bool:
    """Whether it is one of these, and not arrays."""
    loaded = [(sys.modules[module], name) for module, name in KINDS if module in sys.modules]
    return any(isinstance(value, attrgetter(name)(module)) for module, name in loaded)


def in_memory(dataset: Any, what: str) -> tuple[list[Any], str]:
    """x, y and weights of all rows, as far as a dataset gives them, and a sentence on their size.

    A dataset gives batches, as `fit` takes them, or rows one by one. Raises DataError: it never ends, is larger than
    `MOST_BYTES`, gives nothing, or fails.
    """
    name = f"the {what} dataset" if what else "the dataset"
    parts, size = [], 0
    for element in _elements(dataset, name):
        arrays = [_array(one) for one in (element if isinstance(element, tuple | list) else [element])]
        if len(arrays) > 3:
            hint = "Give pairs (x, y), or (x, y, sample_weight), as `fit` takes them"
            raise DataError(f"{name} gives {len(arrays)} arrays at once", hint=hint)
        parts.append(arrays)
        size += sum(_bytes(one) for one in arrays)
        if size > MOST_BYTES:
            raise DataError(f"{name} has more than {MOST_BYTES >> 30} GB, and is read into memory", hint=FEWER)
    if not parts:
        raise DataError(f"{name} gives no rows", hint="An iterator that has come to its end gives nothing more")
    join = np.concatenate if _in_batches(parts[0]) else np.stack
    columns = [_joined(list(column), join) for column in zip(*parts, strict=True)]
    rows = len(next(iter(columns[0].values())) if isinstance(columns[0], dict) else columns[0])
    return columns, f"{name} was read into memory: {rows:,} rows, {size / 1e6:,.1f} MB"


FEWER = "Give so many rows as fit, as by `.take(n)`: of a dataset that never ends those of an epoch"


def _elements(dataset: Any, name: str) -> Iterable[Any]:
    try:
        count = dataset.cardinality() if hasattr(dataset, "cardinality") else getattr(dataset, "num_batches", 0)
        if count is None or count == -1:  # as a PyDataset, and tf.data, say that there is no end
            raise DataError(f"{name} never ends, and is read into memory before the search", hint=FEWER)
        if hasattr(dataset, "num_batches"):
            yield from (dataset[place] for place in range(count))
        else:
            yield from dataset
    except DataError:
        raise
    except Exception as error:  # whatever the user's code raises
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{name} can't be read: {said}") from error


def _array(value: Any) -> Any:
    """An array of NumPy, texts as `str`; or a dict of such arrays."""
    if isinstance(value, Mapping):
        return {str(key): _array(one) for key, one in value.items()}
    array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    if array.dtype.kind == "S" or (array.dtype.kind == "O" and isinstance(array.reshape(-1)[0], bytes)):
        return np.array([text.decode() for text in array.reshape(-1).tolist()], object).reshape(array.shape)
    return array


def _in_batches(arrays: Sequence[Any]) -> bool:
    """Whether x and y are of several rows: labels of one row are mostly a number, or of another length than its x."""
    lengths = {len(one) if one.ndim else 0 for one in arrays if isinstance(one, np.ndarray)}
    return len(lengths) == 1 and 0 not in lengths


def _joined(parts: list[Any], join: Any) -> Any:
    if isinstance(parts[0], dict):
        return {key: _joined([part[key] for part in parts], join) for key in parts[0]}
    try:
        return join(parts)
    except ValueError as error:
        raise DataError(f"rows of a dataset have other shapes: {error}", hint="Pad or crop them to one") from error


def _bytes(array: Any) -> int:
    return sum(map(_bytes, array.values())) if isinstance(array, dict) else int(array.nbytes)
