"""What is in a data set, as it looks on a terminal; and what a plain model scores on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.text import Text

from keras_sweep.data.arrays import Array
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.data.table_columns import NumberColumn
from keras_sweep.space.text import escaped
from keras_sweep.views.sample_images import sample_lines
from keras_sweep.views.terminal.console import PIPE_WIDTH
from keras_sweep.views.terminal.drawing import bar
from keras_sweep.views.terminal.table import Column, drawn, fitted
from keras_sweep.views.terminal.text import score_text, seconds_text, shorten

if TYPE_CHECKING:
    from keras_sweep.sweep.baseline import Baseline

MOST_COLUMNS = 40  # rows of the table of columns on a terminal
LONGEST = 40  # cells of a class's name
NAMES, DETAILS = (40, 20), (40, 34, 28, 20, 12)  # cells on a terminal, tried in this order
BAR = 20  # cells

# What is said of a column, or of a group of inputs: name, kind, mean, deviation, lowest, highest and details.
ColumnTexts: TypeAlias = tuple[str, str, str, str, str, str, str]


@dataclass(frozen=True)
class DataView:
    """A rich renderable of training and validation rows, with a sample of each class where the data are pictures.

    How many rows are sealed away is said, and no test row is read.
    """

    data: SearchData

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        data, whole = self.data, not console.is_terminal
        yield Text(escaped(data.name), style="bold")
        yield drawn(_parts(data))
        yield Text()
        if data.classes is not None:
            yield drawn(fitted([partial(_classes, data, data.classes)], options.max_width)[0])
        else:
            yield drawn(_fitted_columns([_statistics("target", data.train.y)], options.max_width, whole))
        yield Text()
        columns = column_texts(data)
        shown = columns if whole else columns[:MOST_COLUMNS]
        yield drawn(_fitted_columns(shown, options.max_width, whole))
        if len(shown) < len(columns):
            yield Text(f"and {len(columns) - len(shown)} more columns", style="dim")
        if data.image_shape is not None:
            yield Text()
            yield from sample_lines(data, console, options)
        for notice in data.notices:
            yield Text(f"notice: {escaped(notice)}", style="yellow")
        yield Text(f"fingerprint {data.fingerprint}", style="dim", no_wrap=True, overflow="ellipsis")


def _texts(texts: Sequence[str], style: str = "") -> tuple[Text, ...]:
    return tuple(Text(text, style) for text in texts)


def _parts(data: SearchData) -> list[Column]:
    parts: dict[str, Rows] = {"training": data.train, "validation": data.validation}
    if data.folds:
        parts = {f"in {len(data.folds)} folds": data.train}
    lines = [(name, f"{len(rows):,}", _row_text(rows.x), _row_text(rows.y)) for name, rows in parts.items()]
    if data.test_rows:
        lines.append(("test (sealed)", f"{data.test_rows:,}", "", ""))
    names, counts, x, y = zip(*lines, strict=True)
    return [
        Column("part", _texts(names)),
        Column("rows", _texts(counts), right=True),
        Column("one row", _texts(x)),
        Column("label", _texts(y)),
    ]


def _row_text(array: Array) -> str:
    """`784 float32`."""
    shape = " x ".join(str(size) for size in array.shape[1:]) or "1"
    return f"{shape} {array.dtype}"


def _classes(data: SearchData, classes: int) -> list[Column]:
    training, validation = (np.bincount(rows.classes, minlength=classes) for rows in (data.train, data.validation))
    most = max(int(training.max()), 1)
    names = [shorten(escaped(name), LONGEST) for name in data.names_of_classes]
    columns = [
        Column("class", _texts(names)),
        Column("rows" if data.folds else "training", _texts([f"{count:,}" for count in training]), right=True),
        Column("validation", _texts([f"{count:,}" for count in validation]), right=True),
        Column("", _texts([bar(count / most, BAR) for count in training], "cyan"), keep=1),
    ]
    return [column for column in columns if not (data.folds and column.header == "validation")]  # each row is both


def column_texts(data: SearchData) -> list[ColumnTexts]:
    """What training rows hold in each column of a table, or in all inputs."""
    if data.preprocessing is None:
        return [_statistics("all inputs", data.train.x)]
    rows: list[ColumnTexts] = []
    for column in data.preprocessing.columns:
        name = column.name or "(no name)"
        if not column.used:
            rows.append((name, "dropped", "", "", "", "", "one value or none"))
        elif isinstance(column, NumberColumn):
            detail = f"some missing, taken as {column.fill:g}" if column.indicator else ""
            rows.append((name, "numbers", f"{column.mean:.4g}", f"{column.deviation:.4g}", "", "", detail))
        else:
            names = ", ".join(text or "(missing)" for text in column.categories)
            rows.append((name, "categories", "", "", "", "", f"{len(column.categories)}: {names}"))
    return rows


def _statistics(name: str, values: Array) -> ColumnTexts:
    mean, deviation = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    return name, "numbers", f"{mean:.4g}", f"{deviation:.4g}", f"{values.min():.4g}", f"{values.max():.4g}", ""


def _fitted_columns(rows: Sequence[ColumnTexts], width: int, whole: bool) -> list[Column]:
    """Where details and names do not fit, they are cut short before any column is left out."""
    if whole:
        return _columns(rows, PIPE_WIDTH, PIPE_WIDTH)
    return fitted([partial(_columns, rows, name, detail) for name in NAMES for detail in DETAILS], width)[0]


def _columns(rows: Sequence[ColumnTexts], longest_name: int, longest_detail: int) -> list[Column]:
    names, kinds, means, deviations, lowest, highest, details = zip(*rows, strict=True)
    columns = [
        Column("column", _texts([shorten(escaped(name), longest_name) for name in names])),
        Column("kind", _texts(kinds)),
        Column("mean", _texts(means), right=True),
        Column("deviation", _texts(deviations), right=True),
        Column("lowest", _texts(lowest), keep=2, right=True),
        Column("highest", _texts(highest), keep=2, right=True),
        Column("", _texts([shorten(escaped(detail), longest_detail) for detail in details]), keep=1),
    ]
    return [column for column in columns if any(cell.plain for cell in column.cells)]


def baseline_view(baseline: Baseline) -> Group:
    """The cross-validated score, and the validation scores."""
    folds = ", ".join(score_text(score) for score in baseline.fold_scores)
    return Group(
        Text.assemble((baseline.model, "bold"), f"  {seconds_text(baseline.seconds)}"),
        Text(f"  cross-validated {baseline.metric}  {score_text(baseline.mean_score)}  ({folds})"),
        *(Text(f"  {name}  {score_text(value)}") for name, value in baseline.validation.items()),
    )
