"""What is in a data set, as it looks on a terminal; and what a plain model scores on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.text import Text

from keras_sweep.data.arrays import Array
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.data.table_columns import NumberColumn
from keras_sweep.space.text import escaped
from keras_sweep.views.sample_images import sample_lines
from keras_sweep.views.terminal.drawing import bar
from keras_sweep.views.terminal.table import Column, print_table
from keras_sweep.views.terminal.text import score_text, seconds_text

if TYPE_CHECKING:
    from keras_sweep.sweep.baseline import Baseline

MOST_COLUMNS = 40  # rows of the table of columns on a terminal
LONGEST = (40, 34, 28, 20, 12)  # cells of one text on a terminal, tried in this order
BAR = 20  # cells
HEADS = ("column", "kind", "mean", "deviation", "lowest", "highest", "")  # what is said of a column; "": details
NUMBERS = HEADS[2:6]
KEEP = {"lowest": 2, "highest": 2, "": 1}


def print_data(console: Console, data: SearchData) -> None:
    """Training and validation rows, with samples of pictures; of test rows only how many are sealed, none is read."""
    console.print(escaped(data.name), style="bold")
    print_table(console, _parts(data))
    console.print()
    target = _columns([_statistics("target", data.train.y)]) if data.classes is None else _classes(data, data.classes)
    weights = [] if data.train.weights is None else [_columns([_statistics("sample weights", data.train.weights)])]
    for table in (target, *weights):
        print_table(console, table, LONGEST)
        console.print()
    print_table(console, _columns(column_texts(data)), LONGEST, MOST_COLUMNS)
    if data.image_shape is not None:
        console.print()
        for line in sample_lines(data, console):
            console.print(line)
    for notice in data.notices:
        console.print(f"notice: {escaped(notice)}", style="yellow")
    console.print(Text(f"fingerprint {data.fingerprint}", style="dim", no_wrap=True, overflow="ellipsis"))


def _parts(data: SearchData) -> list[Column]:
    parts: dict[str, Rows] = {"training": data.train, "validation": data.validation}
    if data.folds:
        parts = {f"in {len(data.folds)} folds": data.train}
    lines = [(name, f"{len(rows):,}", _row_text(rows.x), _row_text(rows.y)) for name, rows in parts.items()]
    if data.test_rows:
        lines.append(("test (sealed)", f"{data.test_rows:,}", "", ""))
    names, counts, x, y = zip(*lines, strict=True)
    return [Column("part", names), Column("rows", counts, right=True), Column("one row", x), Column("label", y)]


def _row_text(array: Array) -> str:
    """`784 float32`."""
    shape = " x ".join(str(size) for size in array.shape[1:]) or "1"
    return f"{shape} {array.dtype}"


def _classes(data: SearchData, classes: int) -> list[Column]:
    training, validation = (np.bincount(rows.classes, minlength=classes) for rows in (data.train, data.validation))
    most = max(int(training.max()), 1)
    columns = [
        Column("class", data.names_of_classes),
        Column("rows" if data.folds else "training", [f"{count:,}" for count in training], right=True),
        Column("validation", [f"{count:,}" for count in validation], right=True),
        Column("", [bar(count / most, BAR) for count in training], keep=1, style="cyan"),
    ]
    return [column for column in columns if not (data.folds and column.header == "validation")]  # each row is both


def column_texts(data: SearchData) -> list[tuple[str, ...]]:
    """What training rows hold in each column of a table, or in all inputs."""
    if data.preprocessing is None:
        return [_statistics("all inputs", data.train.x)]
    rows: list[tuple[str, ...]] = []
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


def _statistics(name: str, values: Array) -> tuple[str, ...]:
    mean, deviation = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    return name, "numbers", f"{mean:.4g}", f"{deviation:.4g}", f"{values.min():.4g}", f"{values.max():.4g}", ""


def _columns(rows: Sequence[tuple[str, ...]]) -> list[Column]:
    texts = zip(HEADS, zip(*rows, strict=True), strict=True)
    columns = [Column(head, cells, KEEP.get(head, 0), head in NUMBERS) for head, cells in texts]
    return [column for column in columns if any(column.cells)]


def print_baseline(console: Console, baseline: Baseline) -> None:
    """The cross-validated score, and the validation scores."""
    folds = ", ".join(score_text(score) for score in baseline.fold_scores)
    console.print(Text.assemble((baseline.model, "bold"), f"  {seconds_text(baseline.seconds)}"))
    console.print(f"  cross-validated {baseline.metric}  {score_text(baseline.mean_score)}  ({folds})")
    for name, value in baseline.validation.items():
        console.print(f"  {name}  {score_text(value)}")
