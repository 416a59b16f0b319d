"""Read a series from a CSV file: windows of rows in time order, each with the target `horizon` rows later. The split is
in time: training rows are first, test rows are last, and no window has rows of two parts."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from keras_sweep.data.arrays import Array
from keras_sweep.data.source import RawRows, SourceRows
from keras_sweep.data.table_columns import NumberColumn, check_columns, first_row, is_number
from keras_sweep.data.table_files import load_columns, load_csv, suggest_column
from keras_sweep.data.table_preprocessing import TablePreprocessing
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import CsvOptions, DataSpec, SeriesOptions
from keras_sweep.space.text import pluralize, quote

MOST_AGAIN = 0.1  # share of repeated times: above, a file has several series; below, a clock repeats an hour
LEAST_ALIKE = 0.8  # share of equal steps in a column that counts rows


def fit_series(x: Any, columns: tuple[str, ...]) -> TablePreprocessing:
    """Fit mean and deviation of each column on training windows x, [N, window, columns]."""
    means, deviations = x.mean(axis=(0, 1), dtype=float), x.std(axis=(0, 1), dtype=float)
    scales = zip(columns, means.tolist(), deviations.tolist(), strict=True)
    fitted = (NumberColumn(name, mean=mean, deviation=deviation, kept=True) for name, mean, deviation in scales)
    return TablePreprocessing(tuple(fitted), steps=x.shape[1:2])


def read_series(data: DataSpec, folder: Path) -> SourceRows:
    """Read windows of rows from the CSV file `data.source` in `folder`, split in time. Raises DataError, or TableError
    with every fault of the columns."""
    path = folder / data.source
    options = data.options if isinstance(data.options, SeriesOptions) else SeriesOptions()
    if data.split.folds or data.split.by:
        raise DataError(f"{path} is always split in time", hint="Leave `folds`, `groups` and `time` out of `split`")
    numbers, labels, jumps = _read_columns(path, data.target or "", options)
    window, horizon, rows = options.window, options.horizon, len(labels)
    values = numbers.cast(pl.Float32).to_numpy()
    test = math.ceil(rows * data.split.test)
    held = math.ceil((rows - test) * data.split.validation)
    edges = {"train": (0, rows - test - held), "validation": (rows - test - held, rows - test)}
    edges |= {"test": (rows - test, rows)} if test else {}
    parts = {}
    for part, (start, end) in edges.items():
        longest = window if part == "train" else max(window, options.longest)
        start += longest - window
        if end - start < window + horizon:
            raise DataError(
                f"{path} has {pluralize(end - start + longest - window, 'row')} for its {part} part, but a window of "
                f"{longest} and a horizon of {horizon} need {longest + horizon}",
                hint="Add rows, shorten `window` or `horizon`, or change `split`",
            )
        # `keras.utils.timeseries_dataset_from_array` needs TensorFlow or grain on every backend. These are views.
        windows = np.lib.stride_tricks.sliding_window_view(values[start : end - horizon], window, axis=0)
        parts[part] = RawRows(np.moveaxis(windows, 2, 1), labels[start + window + horizon - 1 : end])
    notice = f"{path.name} is split in time; numbers are standardised, but not the target; other columns are left out"
    split = (parts["train"], parts["validation"], parts.get("test"))
    return SourceRows(path.name, None, *split, series=tuple(numbers.columns), notices=(notice, *jumps))


def _read_columns(path: Path, target: str, options: SeriesOptions) -> tuple[pl.DataFrame, Array, list[str]]:
    """Return (columns of numbers, values of the target, notices). Dates and other texts are left out."""
    keys = {key: getattr(options, key) for key in ("separator", "decimal", "dates")}
    csv_options = CsvOptions(**{key: value for key, value in keys.items() if value is not None})
    (frame, _), place = load_columns(partial(load_csv, path), str(path), "csv", csv_options), str(path)
    if target not in frame.columns:
        raise DataError(f"{path} has no column {target!r}", hint=suggest_column(target, frame.columns))
    times = [series.name for series in frame if series.dtype.is_temporal()]
    notices = [_find_jumps(series, path) for series in frame if series.name in times[:1] or series.dtype.is_integer()]
    numbers, faults = pl.DataFrame([series for series in frame if is_number(series.dtype)]), []
    for series in numbers:
        if (gaps := series.alias("").cast(pl.Float64).fill_nan(None).is_null()).any():
            rows = f"{pluralize(int(gaps.sum()), 'row')}, first in row {first_row(gaps)}"
            faults.append(DataError(f"column {quote(series.name)} has no value in {rows}", hint="Fill the gaps"))
    if target not in numbers.columns:
        faults.append(DataError(f"the target column {quote(target)} must be numbers, but got {frame[target].dtype}"))
    check_columns(frame.drop(times), place, others=faults, gaps=False)
    return numbers, numbers[target].to_numpy(), list(filter(None, notices))


def _find_jumps(series: pl.Series, path: Path) -> str | None:
    """Return a notice if times in a column, or whole numbers that mostly grow by the same step, leave gaps; else None.
    Raises DataError if times go back, or if many times repeat, as in a file of several series."""
    column, steps = f"column {quote(series.name)}", series.alias("").to_physical().cast(pl.Float64).diff()
    if series.dtype.is_temporal():
        hint = "Sort its rows by time, with a single row for each time. Put each series into its own file"
        if (goes_back := steps < 0).any():
            what = f"is not in time order: {column} goes back in row {first_row(goes_back)}"
            raise DataError(f"{path} {what}", hint=hint)
        if (repeats := steps == 0).sum() > MOST_AGAIN * len(steps):
            rows = f"{pluralize(int(repeats.sum()), 'row')} with a repeated time, first in row {first_row(repeats)}"
            raise DataError(f"{path} has {rows} of {column}", hint=hint)
    elif not (steps > 0).all() or (steps == steps.median()).sum() < LEAST_ALIKE * len(steps):
        return None  # the column does not count rows
    jumps = steps > 1.5 * float(str(steps.filter(steps > 0).median() or math.inf))
    if not jumps.any():
        return None
    row = first_row(jumps)
    return (
        f"{column} of {path.name} jumps in {pluralize(int(jumps.sum()), 'place')}, first from {series[row - 2]} to "
        f"{series[row - 1]} in row {row}, and windows span these gaps: fill in the missing rows"
    )
