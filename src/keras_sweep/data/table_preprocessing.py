"""Preprocess a table: in NumPy for training, and as Keras layers inside the exported model.

The exported model takes raw rows. If all columns are numbers, its input is a matrix, [N, columns] float32 in the order
of the file, with NaN for missing values. If some are text, its input is a dict of columns by `input_name`. A number
column is [N] or [N, 1] float32. A text column is the code points of its characters, [N, width] int32:

    np.asarray(texts, "U8").view("int32").reshape(len(texts), 8)

The model must run on every backend, and only TensorFlow has text. `model_inputs` makes the dict of columns.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from keras_sweep.data import table_columns
from keras_sweep.data.arrays import Array
from keras_sweep.data.table_columns import (
    MISSING,
    Column,
    NumberColumn,
    TextColumn,
    number_matrix,
    polars_table,
    to_text,
)
from keras_sweep.data.written_values import Ways, is_formatted, read_texts
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import DataSpec, find_source
from keras_sweep.space.text import pluralize, quote

Inputs = Array | dict[str, Array]
Numbers = npt.NDArray[np.float32]  # [N, columns], NaN for a missing value
Codes = npt.NDArray[np.int32]  # [N, width], the code points of a column's texts
DATE_PARTS = ("year", "month", "day", "weekday", "hour")  # methods of polars; Monday is 1
_DATE_PART = re.compile(rf"(.*) \(({'|'.join(DATE_PARTS)})\)", re.DOTALL)
_LIKE_ESCAPE = re.compile(r"%(?=(?:25)*(?:2F|00))")  # the % of a text that looks like an escape
_ESCAPED = re.compile(r"%2F|%25(?=(?:25)*(?:2F|00))")
_MEANING = {"%2F": "/", "%25": "%"}


@dataclass(frozen=True)
class TablePreprocessing:
    """Convert columns to features in this order: scaled numbers, 0/1 for missing values, 0/1 for each category."""

    columns: tuple[Column, ...]  # all columns but the target, in the order of the file, from `fit_columns`
    by_name: bool = False  # whether columns are selected by name, since raw rows have more columns
    steps: tuple[int, ...] = ()  # (window,) for a series: then raw rows are arrays [N, window, columns]
    ways: Ways = field(default_factory=dict)  # column -> how its texts were read

    @property
    def dropped(self) -> tuple[str, ...]:
        """Return the names of columns that become no feature: training rows have a single value there, or none."""
        return tuple(column.name for column in self.columns if not column.used)

    @property
    def takes_matrix(self) -> bool:
        """Return whether the exported model takes a matrix rather than a dict of columns."""
        by_name = self.by_name or any(parse_date_part(column.name) for column in self.columns)
        by_name = by_name and len(self.columns) <= table_columns.MOST_MIXED_COLUMNS
        return bool(self.steps) or (not by_name and all(isinstance(col, NumberColumn) for col in self.columns))

    @cached_property
    def _numbers(self) -> list[NumberColumn]:
        return [column for column in self.columns if isinstance(column, NumberColumn) and column.used]

    @cached_property
    def _texts(self) -> list[TextColumn]:
        return [column for column in self.columns if isinstance(column, TextColumn) and column.used]

    @property
    def _used_indices(self) -> list[int]:
        return [index for index, column in enumerate(self.columns) if column.used]

    def inputs(self, raw: Any) -> Inputs:
        """Convert raw rows (a DataFrame or a mapping of columns) to the exported model's input. Raises DataError."""
        if self.steps:
            return np.array(raw, np.float32)
        numbers, codes = self._read(raw)
        if not self.takes_matrix:
            columns: list[Column] = [*self._numbers, *self._texts]
            return _name_inputs([column.name for column in columns], numbers, codes)
        # A column without a feature is NaN in every row, whatever its values are.
        matrix = np.full((len(numbers), len(self.columns)), np.nan, np.float32)
        matrix[:, self._used_indices] = numbers
        return matrix

    def transform(self, raw: Any) -> Numbers:
        """Convert raw rows to features as `wrap` does: [N, F], for a series [N, window, F]. Raises DataError."""
        features = [part.astype(np.float32) for part in self._features(np, *self._read(raw))]
        return np.concatenate(features, axis=-1)

    def wrap(self, model: Any) -> Any:
        """Return a `keras.Model`, without custom objects, that takes raw rows and calls `model` on their features."""
        import keras
        from keras import ops

        inputs: Any
        axis = 1 + len(self.steps)
        if self.takes_matrix:
            inputs = keras.Input((*self.steps, len(self.columns)), dtype="float32", name="columns")
            numbers, codes = ops.take(inputs, self._used_indices, axis=axis), []
        else:
            singles = [keras.Input((1,), dtype="float32", name=input_name(column.name)) for column in self._numbers]
            codes = [keras.Input((col.width,), dtype="int32", name=input_name(col.name)) for col in self._texts]
            inputs = {tensor.name: tensor for tensor in (*singles, *codes)}
            numbers = ops.concatenate(singles, axis=1) if singles else None
        features = [ops.cast(part, "float32") for part in self._features(ops, numbers, codes)]
        return keras.Model(inputs, model(ops.concatenate(features, axis=axis)), name=f"{model.name}_on_raw_rows")

    def _read(self, raw: Any) -> tuple[Numbers, list[Codes]]:
        if self.steps:
            return np.asarray(raw, np.float32)[..., self._used_indices], []
        names, widths = [column.name for column in self._numbers], {column.name: column.width for column in self._texts}
        return _read_columns(polars_table(raw), names, widths, self.ways.values())

    def _features(self, library: Any, numbers: Any, codes: Sequence[Any]) -> Iterator[Any]:
        """Yield arrays of features: scaled numbers, 0/1 marks of missing numbers, then the categories of each text.
        `numbers` is [N, columns], `codes` [N, width] for each text column. `library` is `numpy` or `keras.ops`, with
        functions of the same names. Empty arrays are skipped, since some backends can't `take` from nothing."""
        scales = [(column.fill, column.mean, column.deviation) for column in self._numbers]
        fill, mean, deviation = np.array(scales, np.float32).reshape(-1, 3).T[:, None]
        if scaled := [place for place, column in enumerate(self._numbers) if column.deviation or column.kept]:
            filled = library.where(library.isnan(numbers), fill, numbers)
            if len(scaled) < len(self._numbers):  # taking all columns of a wide table is slow
                filled = library.take(filled, scaled, axis=1 + len(self.steps))
            centred = library.subtract(filled, mean[:, scaled])
            deviations = deviation[:, scaled]
            factors = np.divide(np.float32(1), deviations, out=np.zeros_like(deviations), where=deviations > 0)
            yield library.multiply(centred, factors)
        if indicated := [place for place, column in enumerate(self._numbers) if column.indicator]:
            yield library.take(library.isnan(numbers), indicated, axis=1)
        for column, texts in zip(self._texts, codes, strict=True):
            vocabulary = code_points(list(column.categories), column.width)
            yield library.all(library.equal(library.expand_dims(texts, 1), vocabulary[None]), axis=-1)


def split_dates(table: pl.DataFrame) -> pl.DataFrame:
    """Replace dates by columns of whole numbers: `NAME (year)`, month, day, weekday and, for times, hour."""
    columns: list[pl.Series] = []
    for series in table.get_columns():
        parts = DATE_PARTS[:-1] if series.dtype == pl.Date else DATE_PARTS if series.dtype == pl.Datetime else ()
        columns += [getattr(series.dt, part)().alias(f"{series.name} ({part})") for part in parts] or [series]
    return pl.DataFrame(columns)


def parse_date_part(name: str) -> tuple[str, str] | None:
    """Split a name like "sold (year)" into ("sold", "year"). Return None for other names."""
    match = _DATE_PART.fullmatch(name)
    return None if match is None else (match[1], match[2])


def input_name(column: str) -> str:
    """Return the name of the model's input for a table column. Different columns get different names. Keras allows
    neither "/" nor an empty name, so "%2F" and "%00" replace them. If a column's name has these texts itself, their "%"
    becomes "%25", as in URLs. `column_name` is the inverse."""
    return _LIKE_ESCAPE.sub("%25", column).replace("/", "%2F") or "%00"


def column_name(name: str) -> str:
    """Return the table column for the model's input `name`, as the inverse of `input_name`."""
    return "" if name == "%00" else _ESCAPED.sub(lambda match: _MEANING[match[0]], name)


def code_points(texts: list[str], width: int) -> npt.NDArray[np.int32]:
    """Return the code points of the first `width` characters of each text, [N, width]. Zeros follow a shorter text."""
    return np.asarray(texts, f"<U{width}").view("<i4").reshape(len(texts), width).astype(np.int32)


def model_inputs(model: Any, raw: Any, *, decimal: str | None = None, dates: str | None = None) -> Inputs:
    """Convert raw rows to the inputs of a loaded model, by the names, types and widths of the model's own inputs.
    Return a matrix, or a dict of arrays by input name, for `model.predict`.

    Args:
        raw: A polars or pandas DataFrame, or a mapping of columns by name. A model that takes a matrix needs the
            columns of the training file in its order, without the target.
        decimal: "." or ",", needed only if texts like 1,101 can be read in two ways.
        dates: "day-first" or "month-first", needed only if texts like 02/03/2024 can be read in two ways.

    Raises DataError if a column is missing, if a matrix has too many, or if a text can be read in two ways.
    """
    frame, known = polars_table(raw), (decimal, dates)
    inputs = {tensor.name: tensor for tensor in model.input} if isinstance(model.input, list) else model.input
    if not isinstance(inputs, dict):
        width = model.input.shape[-1]
        if len(frame.columns) != width:
            hint = "Give the columns of the training file in their order, without the target"
            raise DataError(f"the model takes {pluralize(width, 'column')}, but got {len(frame.columns)}", hint=hint)
        return _read_columns(frame, frame.columns, {}, known)[0]
    tensors = {column_name(name): tensor for name, tensor in inputs.items()}
    widths = {name: tensor.shape[1] for name, tensor in tensors.items() if str(tensor.dtype) == "int32"}
    numbers = [name for name in tensors if name not in widths]
    return _name_inputs([*numbers, *widths], *_read_columns(frame, numbers, widths, known))


def _read_columns(
    frame: pl.DataFrame, numbers: Sequence[str], widths: Mapping[str, int], known: Iterable[str | None]
) -> tuple[Numbers, list[Codes]]:
    """Return the columns `numbers` as a matrix, and the code points of each text column. `widths` maps a text column to
    its number of characters. `known` has the user's `decimal` and `dates`, each None if not set. Raises DataError."""
    present, known = {*frame.columns}, tuple(known)
    parts = [part[0] for name in numbers if name not in present and (part := parse_date_part(name)) is not None]
    wanted = {*numbers, *parts}
    texts = [series for series in frame if series.name in wanted and series.dtype == pl.String]
    formatted = [series for series in texts if "," in known or is_formatted(series)]
    columns, _, faults = read_texts(pl.DataFrame(formatted), *known)
    for _, fault in faults:
        raise DataError(fault.message, hint=(fault.hint or "").replace(" beside the file in `data`", ""))
    frame = frame.with_columns(columns.values()) if columns else frame
    for date in [frame.get_column(name) for name in dict.fromkeys(parts) if name in present]:
        try:
            times = date.str.to_datetime() if date.dtype == pl.String else date.cast(pl.Datetime)
            frame = frame.hstack(split_dates(times.to_frame()).get_columns())
        except pl.exceptions.PolarsError as error:
            message = f"column {quote(date.name)} can't be read as dates: {error}"
            raise DataError(message, hint="Write dates as 2020-01-31") from error
    present = set(frame.columns)
    if missing := [name for name in (*numbers, *widths) if name not in present]:
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        hint = "Give all columns that the model was trained on"
        raise DataError(f"column {quote(missing[0])} is missing{more}", hint=hint)
    codes = []
    for name, width in widths.items():
        column = to_text(frame.get_column(name).alias("")).fill_null(MISSING)  # polars reads names as patterns
        codes.append(code_points(column.to_list(), width))
    return number_matrix(frame, numbers), codes


def _name_inputs(columns: Sequence[str], numbers: Numbers, codes: Sequence[Codes]) -> dict[str, Array]:
    singles = [numbers[:, [index]] for index in range(numbers.shape[1])]
    return dict(zip(map(input_name, columns), [*singles, *codes], strict=True))


def inputs_code(data: DataSpec, preprocessing: TablePreprocessing) -> dict[str, str]:
    """Return {"inputs": Python code} that makes `x` for `predict` from the file `path` or a DataFrame `table`. The code
    is for the model card, and needs only NumPy and pandas. Returns {} for a series."""
    if preprocessing.steps:
        return {}
    lines, read = ["import numpy as np, pandas as pd"], find_source(data.kind).pandas
    missing, separator = (getattr(data.options, name, usual) for name, usual in (("missing", ()), ("separator", ",")))
    lines += [read.format(text=data.source, separator=separator, gaps=["", *missing])] if read else []
    lines += [f"table = table.mask(table.isin({list(missing)}))"] if missing and "{gaps}" not in read else []
    ways, known = preprocessing.ways, {column.name for column in preprocessing.columns}
    if decimals := {name: way for name, way in ways.items() if name in known and way in (".", ",")}:
        number = "table[c].astype(str).str.replace(f'[^0-9eE+{d}-]', '', regex=True).str.replace(d, '.')"
        lines.append(f"table = table.assign(**{{c: pd.to_numeric({number}) for c, d in {decimals}.items()}})")
    if preprocessing.takes_matrix:
        names = [column.name for column in preprocessing.columns]
        not_features = [name for name in (data.target, data.weights, data.split.by) if name is not None]
        columns = f"[{names}]" if preprocessing.by_name else f".drop(columns={not_features}, errors='ignore')"
        return {"inputs": "\n".join([*lines, f"x = table{columns}.to_numpy('float32')"])}
    used = [column for column in preprocessing.columns if column.used]
    numbers = [column.name for column in used if isinstance(column, NumberColumn)]
    parts = [(input_name(name), *match) for name in numbers if (match := parse_date_part(name)) is not None]
    dates = [(name, column, part.replace("weekday", "day_of_week")) for name, column, part in parts]
    plain = [(input_name(name), name) for name in numbers if parse_date_part(name) is None]
    texts = [(input_name(col.name), col.name, col.width) for col in used if isinstance(col, TextColumn)]
    lines.append(f"x = {{n: pd.to_numeric(table[c]).to_numpy('float32')[:, None] for n, c in {plain}}}")
    if dates:
        month = [name for name, way in ways.items() if way == "month-first"]
        first = f"c not in {month} and " if month else ""
        date = f"pd.to_datetime(table[c], dayfirst={first}not table[c].astype(str).str.match('[0-9]{{4}}').any())"
        part = f"getattr({date}.dt, p).to_numpy('float32')[:, None] + (p == 'day_of_week')"
        lines.append(f"x |= {{n: {part} for n, c, p in {dates}}}")
    if texts:
        text = "table[c].convert_dtypes().astype('string').fillna('')"
        codes = f"np.array({text}.tolist(), f'<U{{w}}').view('<i4').reshape(-1, w)"
        lines.append(f"x |= {{n: {codes} for n, c, w in {texts}}}")
    return {"inputs": "\n".join(lines)}
