"""A series: windows of the rows of a CSV file in time order, and what the target is some rows after each.

It is split in time, training rows first and test rows last, and no window has rows of two parts.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from keras_sweep.data.arrays import Array
from keras_sweep.data.source import RawRows, Source
from keras_sweep.data.table_columns import check_columns, first_row, is_number
from keras_sweep.data.table_files import table_of
from keras_sweep.errors import DataError, TableError
from keras_sweep.space.data_spec import CsvOptions, DataSpec, SeriesOptions
from keras_sweep.space.text import counted, joined, listed, nearest, quoted


def read_series(data: DataSpec, folder: Path) -> Source:
    """The windows of a CSV file, split in time. Raises DataError; TableError with every fault of a column."""
    path, target, options = folder / data.source, data.target or "", data.options
    separator = options.separator if isinstance(options, SeriesOptions) else ","
    frame = table_of(path, "csv", CsvOptions(separator=separator))
    assert isinstance(options, SeriesOptions)
    if target not in frame.columns:
        near = nearest(target, frame.columns)
        hint = f"Did you mean {near!r}?" if near else f"Its columns are {listed(frame.columns, 10)}"
        raise DataError(f"{path} has no column {target!r}", hint=hint)
    numbers, others = _numbers(frame, target, str(path))
    values = numbers.cast(pl.Float32).to_numpy()
    labels = numbers[target].to_numpy()
    test = math.ceil(len(values) * data.split.test)
    held = math.ceil((len(values) - test) * data.split.validation)
    edges = {"train": 0, "validation": len(values) - test - held, "test": len(values) - test}
    ends = [*edges.values(), len(values)][1:]
    parts: dict[str, Any] = {}
    counts = []
    for (part, first), end in zip(edges.items(), ends, strict=True):
        if part == "test" and first == end:
            continue
        x, y = _windows(values[first:end], labels[first:end], options)
        if not len(x):
            needed = options.window + options.horizon
            raise DataError(
                f"{path} has {counted(end - first, 'row')} for its {part} part, but a window of {options.window} and a "
                f"target {options.horizon} on take {needed}",
                hint="Bring more rows, or a shorter `window` or `horizon`, or change `split`",
            )
        parts[part] = RawRows(x, y)
        counts.append(f"{len(x):,} of {part.replace('train', 'training')}")
    notices = [
        f"{path.name} is split in time: windows {joined(counts, 'and')}, none with rows of two parts; columns are "
        "standardised by those of training, and the target keeps its unit"
    ]
    if others:
        notices.append(f"columns of {path.name} that are no numbers are left out: {listed(others, 10)}")
    columns = tuple(numbers.columns)
    return Source(path.name, **parts, series=columns, notices=tuple(notices))


def _windows(values: Array, labels: Array, options: SeriesOptions) -> tuple[Array, Array]:
    """[N, window, columns] and the [N] targets of these rows."""
    # `keras.utils.timeseries_dataset_from_array` needs TensorFlow or grain on every backend; these windows are views.
    count = max(len(values) - options.window - options.horizon + 1, 0)
    if not count:
        return values[:0, None], labels[:0]
    windows = np.lib.stride_tricks.sliding_window_view(values, options.window, axis=0)
    return np.moveaxis(windows, 2, 1)[:count], labels[options.window + options.horizon - 1 :]


def _numbers(frame: pl.DataFrame, target: str, place: str) -> tuple[pl.DataFrame, list[str]]:
    """The columns of numbers, and the names of the others. Raises DataError for rows that are not in time order."""
    times = [one for one in frame if one.dtype.is_temporal()]
    for time in times[:1]:
        if (back := time.alias("").cast(pl.Int64, strict=False).diff() < 0).any():
            raise DataError(
                f"{place} is not in time order: column {quoted(time.name)} goes back in row {first_row(back)}",
                hint="Sort its rows by time, the earliest first",
            )
    check_columns(pl.DataFrame([one for one in frame if not one.dtype.is_temporal()]), place)
    numbers = pl.DataFrame([one for one in frame if is_number(one.dtype)])
    faults = []
    for one in numbers:
        absent = one.alias("").is_null() | one.alias("").cast(pl.Float64).is_nan()
        if absent.any():
            rows = f"{counted(int(absent.sum()), 'row')}, at first in row {first_row(absent)}"
            faults.append(DataError(f"column {quoted(one.name)} has gaps in {rows}", hint="Fill them"))
    if target not in numbers.columns:
        faults.append(DataError(f"the target column {quoted(target)} is of type {frame[target].dtype}, not numbers"))
    if faults:
        raise TableError(place, faults)
    return numbers, [name for name in frame.columns if name not in numbers.columns]
