"""What is in a data set: rows of facts first, then how they look on a terminal; and what a plain model scores on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from keras_sweep.data.search_data import Array, Rows, SearchData
from keras_sweep.data.table_columns import NumberColumn
from keras_sweep.data.table_preprocessing import TablePreprocessing
from keras_sweep.space.text import escaped
from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.sample_images import SampleView
from keras_sweep.views.terminal.drawing import bar, drawing_for
from keras_sweep.views.terminal.table import Column, drawn, fitted, needed
from keras_sweep.views.terminal.text import score_text, seconds_text, shorten

if TYPE_CHECKING:
    from keras_sweep.sweep.baseline import Baseline

MOST_COLUMNS = 40  # rows of the table of columns on a terminal
LONGEST = 40  # characters of a name
LONGEST_PIPED = 120  # of one where all is written: each line is as wide as the longest name
SHORTEST = 12  # characters of a detail, below which it says nothing
SHORT_NAME = 20  # characters of a name where there is no room for more
BAR = 20  # cells


@dataclass(frozen=True, slots=True)
class PartRow:
    """One part of the data."""

    part: str  # "training", "validation", "test (sealed)"
    rows: int
    x: str  # "784 float32"; "" for the test rows, which are not opened
    y: str


@dataclass(frozen=True, slots=True)
class ClassRow:
    """How many rows a class has."""

    name: str
    training: int
    validation: int | None  # None in folds, where each row is both


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """One column of a table, or one group of inputs, in training rows."""

    name: str
    kind: str  # "numbers", "categories", "dropped"
    mean: float | None = None
    deviation: float | None = None
    lowest: float | None = None
    highest: float | None = None
    detail: str = ""  # "3 categories: blue, green, red"


@dataclass(frozen=True, slots=True)
class DataFacts:
    """Everything that `sweep data` says."""

    name: str
    parts: tuple[PartRow, ...]
    classes: tuple[ClassRow, ...]  # empty for regression
    target: ColumnRow | None  # of regression
    columns: tuple[ColumnRow, ...]
    notices: tuple[str, ...]
    fingerprint: str


def data_facts(data: SearchData) -> DataFacts:
    """The facts about training and validation rows, and how many rows are sealed away. No test row is read."""
    parts = [_part("training", data.train), _part("validation", data.validation)]
    if data.folds:
        parts = [_part(f"in {len(data.folds)} folds", data.train)]
    if data.test_rows:
        parts.append(PartRow("test (sealed)", data.test_rows, "", ""))
    target = None if data.classes is not None else _statistics("target", data.train.y)
    return DataFacts(data.name, tuple(parts), _classes(data), target, _columns(data), data.notices, data.fingerprint)


def _part(name: str, rows: Rows) -> PartRow:
    return PartRow(name, len(rows), _row_text(rows.x), _row_text(rows.y))


def _row_text(array: Array) -> str:
    shape = " x ".join(str(size) for size in array.shape[1:]) or "1"
    return f"{shape} {array.dtype}"


def _classes(data: SearchData) -> tuple[ClassRow, ...]:
    if data.classes is None:
        return ()
    counts = [np.bincount(rows.classes, minlength=data.classes) for rows in (data.train, data.validation)]
    return tuple(
        ClassRow(name, int(training), None if data.folds else int(validation))
        for name, training, validation in zip(data.names_of_classes, *counts, strict=True)
    )


def _columns(data: SearchData) -> tuple[ColumnRow, ...]:
    if not isinstance(data.preprocessing, TablePreprocessing):
        return (_statistics("all inputs", data.train.x),)
    rows = []
    for column in data.preprocessing.columns:
        if not column.used:
            rows.append(ColumnRow(column.name, "dropped", detail="one value or none"))
        elif isinstance(column, NumberColumn):
            detail = f"some missing, taken as {column.fill:g}" if column.indicator else ""
            rows.append(ColumnRow(column.name, "numbers", column.mean, column.deviation, detail=detail))
        else:
            names = ", ".join(text or "(missing)" for text in column.categories)
            rows.append(ColumnRow(column.name, "categories", detail=f"{len(column.categories)}: {names}"))
    return tuple(rows)


def _statistics(name: str, values: Array) -> ColumnRow:
    return ColumnRow(
        name,
        "numbers",
        float(values.mean(dtype=np.float64)),
        float(values.std(dtype=np.float64)),
        float(values.min()),
        float(values.max()),
    )


@dataclass(frozen=True)
class DataView:
    """A rich renderable of the facts, with a sample of each class where the data are pictures."""

    data: SearchData

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        facts = data_facts(self.data)
        yield Text(escaped(facts.name), style="bold")
        yield drawn(_part_columns(facts.parts), options)
        if facts.classes:
            yield Text()
            yield drawn(_class_columns(facts.classes, options), options)
        if facts.target is not None:
            yield Text()
            yield drawn(_fitted_values([facts.target], options), options)
        yield Text()
        shown = facts.columns[:MOST_COLUMNS] if console.is_terminal else facts.columns
        yield drawn(_fitted_values(shown, options, cut=console.is_terminal), options)
        if len(shown) < len(facts.columns):
            yield Text(f"and {len(facts.columns) - len(shown)} more columns", style="dim")
        if self.data.image_shape is not None:
            yield Text()
            yield SampleView(self.data)
        for notice in facts.notices:
            yield Text(f"notice: {escaped(notice)}", style="yellow")
        yield Text(f"fingerprint {facts.fingerprint}", style="dim", no_wrap=True, overflow="ellipsis")


def _part_columns(parts: Sequence[PartRow]) -> list[Column]:
    return [
        Column("part", tuple(Text(row.part) for row in parts)),
        Column("rows", tuple(Text(f"{row.rows:,}") for row in parts), right=True),
        Column("one row", tuple(Text(row.x) for row in parts)),
        Column("label", tuple(Text(row.y) for row in parts)),
    ]


def _class_columns(classes: Sequence[ClassRow], options: ConsoleOptions) -> list[Column]:
    drawing = drawing_for(options.encoding)
    most = max(row.training for row in classes) or 1
    folded = any(row.validation is None for row in classes)
    validation = Column("validation", tuple(Text(f"{row.validation or 0:,}") for row in classes), right=True)
    columns = [
        Column("class", tuple(Text(shorten(escaped(row.name), LONGEST, drawing.ellipsis)) for row in classes)),
        Column("rows" if folded else "training", tuple(Text(f"{row.training:,}") for row in classes), right=True),
        *([] if folded else [validation]),
        Column("", tuple(Text(bar(row.training / most, BAR, drawing), "cyan") for row in classes), keep=1),
    ]
    return fitted([lambda: columns], options.max_width)[0]


def _fitted_values(rows: Sequence[ColumnRow], options: ConsoleOptions, cut: bool = True) -> list[Column]:
    """Where details and names do not fit, they are cut short before any column is left out."""
    if not cut:
        return _value_columns(rows, LONGEST_PIPED, None)
    forms = [lambda: _value_columns(rows, LONGEST, LONGEST)]
    for names in (LONGEST, SHORT_NAME):
        least = needed(_value_columns(rows, names, SHORTEST))
        room = min(LONGEST, SHORTEST + max(options.max_width - least, 0))
        forms.append(partial(_value_columns, rows, names, room))
    return fitted(forms, options.max_width)[0]


def _value_columns(known: Sequence[ColumnRow], names: int | None, details: int | None) -> list[Column]:
    """Name, kind, statistics and details; names and details cut to so many cells, None cuts nothing."""

    def numbers(field: str) -> tuple[Text, ...]:
        values = [getattr(row, field) for row in known]
        return tuple(Text("" if value is None else f"{value:.4g}") for value in values)

    def texts(values: Sequence[str], most: int | None = None) -> tuple[Text, ...]:
        return tuple(Text(escaped(value) if most is None else shorten(escaped(value), most, "...")) for value in values)

    columns = [
        Column("column", texts([row.name or "(no name)" for row in known], names)),
        Column("kind", texts([row.kind for row in known])),
        Column("mean", numbers("mean"), right=True),
        Column("deviation", numbers("deviation"), right=True),
        Column("lowest", numbers("lowest"), keep=2, right=True),
        Column("highest", numbers("highest"), keep=2, right=True),
        Column("", texts([row.detail for row in known], details), keep=1),
    ]
    return columns[:2] + [column for column in columns[2:] if any(cell.plain for cell in column.cells)]


def baseline_record(baseline: Baseline) -> dict[str, Any]:
    """The baseline as plain data."""
    return {
        "model": baseline.model,
        "metric": baseline.metric,
        "fold_scores": list(baseline.fold_scores),
        "mean_score": baseline.mean_score,
        "validation": dict(baseline.validation),
        "seconds": baseline.seconds,
    }


def baseline_json(baseline: Baseline) -> str:
    """One object, a line of strict JSON."""
    return strict_json(baseline_record(baseline)) + "\n"


def print_baseline(console: Console, baseline: Baseline) -> None:
    """The cross-validated score, and the validation scores."""
    console.print(Text.assemble((baseline.model, "bold"), f"  {seconds_text(baseline.seconds)}"))
    folds = ", ".join(score_text(score) for score in baseline.fold_scores)
    console.print(f"  cross-validated {baseline.metric}  {score_text(baseline.mean_score)}  ({folds})")
    for name, value in baseline.validation.items():
        console.print(f"  {name}  {score_text(value)}")
