"""A table's preprocessing, once in NumPy for training and once as Keras layers inside the exported model.

The exported model takes raw rows. If all columns are numbers that is one matrix, [N, columns] float32 in the order of
the file, NaN where a value is missing. If some are text it is a dict of columns by name (see `input_name`): a number
column as [N] or [N, 1] float32, a text column as the code points of its characters, [N, width] int32:

    np.asarray(texts, "U8").view("int32").reshape(len(texts), 8)

because no backend but TensorFlow has text, and a model that needs one backend is not portable. `model_inputs` makes
this dict, and reads the widths from the model itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.search_data import Array
from keras_sweep.data.table_columns import (
    MISSING,
    Column,
    NumberColumn,
    TextColumn,
    fit_columns,
    number_matrix,
)
from keras_sweep.data.table_files import polars_table
from keras_sweep.errors import DataError

if TYPE_CHECKING:
    import polars as pl

Inputs = Array | dict[str, Array]
_TAKEN = re.compile(r"%(?=(?:25)*(?:2F|00))")  # what would be read as one of the escapes
_ESCAPED = re.compile(r"%2F|%25(?=(?:25)*(?:2F|00))")
_MEANING = {"%2F": "/", "%25": "%"}


@dataclass(frozen=True)
class TablePreprocessing:
    """Standardised numbers, then indicators of missing numbers, then one-hot categories; each in column order."""

    columns: tuple[Column, ...]  # all columns of the file but the target, in its order

    @classmethod
    def fit(cls, train: pl.DataFrame, place: str = "the table") -> tuple[TablePreprocessing, tuple[str, ...]]:
        """(preprocessing, notices) from training rows. Raises DataError with every fault of the table."""
        columns, notices = fit_columns(train, place)
        return cls(columns), notices

    @property
    def feature_names(self) -> tuple[str, ...]:
        """What each feature of `transform` is, [F]."""
        scaled = [column.name for column in self._numbers if column.deviation > 0]
        missing = [f"{column.name} is missing" for column in self._numbers if column.indicator]
        hot = [f"{column.name}={text or 'missing'}" for column in self._texts for text in column.categories]
        return (*scaled, *missing, *hot)

    @property
    def dropped(self) -> tuple[str, ...]:
        """The columns that give no feature: training rows have one value there, or none."""
        return tuple(column.name for column in self.columns if not column.used)

    @property
    def takes_matrix(self) -> bool:
        """Whether the exported model takes one matrix; else a dict of columns."""
        return all(isinstance(column, NumberColumn) for column in self.columns)

    def inputs(self, raw: Any) -> Inputs:
        """Raw rows as the exported model takes them.

        Args:
            raw: a polars or pandas DataFrame or a mapping of columns by name; a matrix too where all are numbers.

        Raises:
            DataError: a column is missing or is not what it was in training.
        """
        if self.takes_matrix and isinstance(raw, np.ndarray):
            if raw.ndim != 2 or raw.shape[1] != len(self.columns):
                raise DataError(f"rows of {len(self.columns)} columns are needed, but got an array of {raw.shape}")
            return raw.astype(np.float32)
        frame = _frame(raw)
        used: tuple[Column, ...] = self.columns if self.takes_matrix else self._inputs
        there = set(frame.columns)
        absent = [column.name for column in used if column.name not in there]
        if absent:
            raise DataError(f"{_columns(absent)} missing", hint="Bring the columns that the model was trained on")
        if self.takes_matrix:  # a column that gives no feature stands as missing, whatever it holds by now
            whole = np.full((len(frame), len(self.columns)), np.nan, np.float32)
            whole[:, self._used] = _matrix(frame, [column.name for column in self._numbers])
            return whole
        count = len(self._numbers)
        numbers = {name: one.name for name, one in zip(self.input_names[:count], self._numbers, strict=True)}
        texts = {name: (one.name, one.width) for name, one in zip(self.input_names[count:], self._texts, strict=True)}
        return _by_column(frame, numbers, texts)

    @cached_property
    def input_names(self) -> tuple[str, ...]:
        """The keys of the exported model's dict: the columns' names, written so that Keras takes them."""
        return tuple(input_name(column.name) for column in self._inputs)

    def transform(self, raw: Any) -> npt.NDArray[np.float32]:
        """Raw rows -> [N, F] float32, the features that `wrap` computes. Raises DataError as `inputs` does."""
        given = self.inputs(raw)
        if isinstance(given, dict):
            values = [given[name] for name in self.input_names]
            count = len(self._numbers)
            matrix = np.concatenate(values[:count], axis=1) if count else np.zeros((len(values[0]), 0), np.float32)
            texts = values[count:]
        else:
            matrix, texts = given[:, self._used], []
        missing = np.isnan(matrix)
        filled = np.where(missing, self._of_numbers("fill"), matrix)[:, self._scaled]
        parts = [(filled - self._mean) * self._scale, missing[:, self._indicated].astype(np.float32)]
        for column, codes in zip(self._texts, texts, strict=True):
            parts.append((codes[:, None, :] == _vocabulary(column)[None]).all(axis=-1).astype(np.float32))
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def wrap(self, model: Any) -> Any:
        """A `keras.Model` from raw rows to the output of `model`, of Keras's own layers and operations alone.

        It is saved and loaded (in safe mode) without custom objects, and works the same on every backend.
        """
        import keras
        from keras import ops

        if self.takes_matrix:
            whole = keras.Input((len(self.columns),), dtype="float32", name="columns")
            inputs: Any = whole
            matrix = ops.take(whole, list(self._used), axis=1)
            texts = []
        else:
            tensors = [
                keras.Input((column.width,), dtype="int32", name=name)
                if isinstance(column, TextColumn)
                else keras.Input((1,), dtype="float32", name=name)
                for name, column in zip(self.input_names, self._inputs, strict=True)
            ]
            inputs = dict(zip(self.input_names, tensors, strict=True))
            count = len(self._numbers)
            matrix = _joined(tensors[:count]) if count else None
            texts = tensors[count:]
        parts = []
        if matrix is not None:
            missing = ops.isnan(matrix)
            if len(self._scaled):
                filled = ops.where(missing, self._of_numbers("fill")[None], matrix)
                kept = ops.take(filled, self._scaled.tolist(), axis=1)
                parts.append(ops.multiply(ops.subtract(kept, self._mean[None]), self._scale[None]))
            if len(self._indicated):
                parts.append(ops.take(ops.cast(missing, "float32"), self._indicated.tolist(), axis=1))
        for column, codes in zip(self._texts, texts, strict=True):
            same = ops.equal(ops.expand_dims(codes, 1), _vocabulary(column)[None])
            parts.append(ops.cast(ops.all(same, axis=-1), "float32"))
        return keras.Model(inputs, model(_joined(parts)), name=f"{model.name}_on_raw_rows")

    @cached_property
    def _numbers(self) -> tuple[NumberColumn, ...]:
        return tuple(column for column in self.columns if isinstance(column, NumberColumn) and column.used)

    @cached_property
    def _texts(self) -> tuple[TextColumn, ...]:
        return tuple(column for column in self.columns if isinstance(column, TextColumn) and column.used)

    @property
    def _inputs(self) -> tuple[Column, ...]:
        return (*self._numbers, *self._texts)

    @cached_property
    def _used(self) -> list[int]:
        return [index for index, column in enumerate(self.columns) if column.used]

    @property
    def _scaled(self) -> npt.NDArray[np.intp]:
        return np.flatnonzero([column.deviation > 0 for column in self._numbers])

    @property
    def _indicated(self) -> npt.NDArray[np.intp]:
        return np.flatnonzero([column.indicator for column in self._numbers])

    @property
    def _mean(self) -> npt.NDArray[np.float32]:
        return self._of_numbers("mean")[self._scaled]

    @property
    def _scale(self) -> npt.NDArray[np.float32]:
        return np.float32(1) / self._of_numbers("deviation")[self._scaled]

    def _of_numbers(self, field: str) -> npt.NDArray[np.float32]:
        return np.array([getattr(column, field) for column in self._numbers], np.float32)


def input_name(column: str) -> str:
    """A column's name as the name of a model's input: no two columns have one, and `column_name` gives it back.

    Keras allows neither "/" nor the empty name. "%2F" and "%00" stand for these, and where a name has such a text
    itself, its "%" becomes "%25", as in URLs; every other name stays as it is.
    """
    return _TAKEN.sub("%25", column).replace("/", "%2F") or "%00"


def column_name(name: str) -> str:
    """The column whose `input_name` this is."""
    return "" if name == "%00" else _ESCAPED.sub(lambda found: _MEANING[found[0]], name)


def code_points(texts: list[str], width: int) -> npt.NDArray[np.int32]:
    """Texts as the code points of their first `width` characters, zero after the end: [N, width]."""
    return np.asarray(texts, f"<U{width}").view("<i4").reshape(len(texts), width).astype(np.int32)


def model_inputs(model: Any, raw: Any) -> Inputs:
    """Raw rows as a loaded model takes them, by the names, types and widths of the model's own inputs.

    Args:
        model: as `keras.models.load_model` gives it.
        raw: a polars or pandas DataFrame, or a mapping of columns by name. Where the model takes one matrix it does not
            know names: then these must be the columns of the file but the target, in its order.

    Raises:
        DataError: a column is missing, or there are more or fewer than the model takes.
    """
    frame = _frame(raw)
    if not isinstance(model.input, dict):
        width = model.input.shape[-1]
        if len(frame.columns) != width:
            raise DataError(
                f"the model takes {width} columns, but there are {len(frame.columns)}",
                hint="Give those of the training file, without the target, in its order",
            )
        return _matrix(frame, frame.columns)
    columns = {name: column_name(name) for name in model.input}
    there = set(frame.columns)
    absent = [column for column in columns.values() if column not in there]
    if absent:
        raise DataError(f"{_columns(absent)} missing", hint="Bring the columns that the model was trained on")
    widths = {name: tensor.shape[1] for name, tensor in model.input.items() if str(tensor.dtype) == "int32"}
    texts = {name: (columns[name], width) for name, width in widths.items()}
    return _by_column(frame, {name: columns[name] for name in columns if name not in texts}, texts)


def _by_column(
    frame: pl.DataFrame, numbers: Mapping[str, str], texts: Mapping[str, tuple[str, int]]
) -> dict[str, Array]:
    """The dict of a model's inputs: of numbers by their columns, of texts by theirs and how long they are."""
    matrix = _matrix(frame, list(numbers.values()))
    inputs = {name: np.ascontiguousarray(matrix[:, index : index + 1]) for index, name in enumerate(numbers)}
    codes = {name: code_points(_texts_of(frame.get_column(column)), width) for name, (column, width) in texts.items()}
    return {**inputs, **codes}


def _matrix(frame: pl.DataFrame, columns: Sequence[str]) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return number_matrix(frame, columns).astype(np.float32)


def _columns(absent: list[str]) -> str:
    """`column 'a' is`, `columns 'a', 'b' are`."""
    few = ", ".join(repr(name[:60]) for name in absent[:10]) + (", ..." if len(absent) > 10 else "")
    return f"column {few} is" if len(absent) == 1 else f"columns {few} are"


def _frame(raw: Any) -> pl.DataFrame:
    try:
        return polars_table(raw)
    except Exception as error:  # whatever the user's type raises
        raise DataError(f"rows must be a table or a mapping of columns by name ({error})") from error


def _texts_of(series: pl.Series) -> list[str]:
    import polars as pl

    return series.alias("").cast(pl.String).fill_null(MISSING).to_list()  # polars takes some names for patterns


def _vocabulary(column: TextColumn) -> npt.NDArray[np.int32]:
    return code_points(list(column.categories), column.width)


def _joined(tensors: list[Any]) -> Any:
    import keras

    return tensors[0] if len(tensors) == 1 else keras.layers.Concatenate(axis=-1)(tensors)
