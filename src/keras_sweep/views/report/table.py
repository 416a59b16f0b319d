"""The leaderboard as cells: what is read, and what is sorted by."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import Objective
from keras_sweep.trial.result import TrialState
from keras_sweep.views.leaderboard.formats import behind_text, epochs_text, seeds_texts, state_text, time_text
from keras_sweep.views.leaderboard.rows import LeaderboardRow
from keras_sweep.views.report.axes import Axis, is_number
from keras_sweep.views.report.colours import Colours
from keras_sweep.views.report.curves import sparkline
from keras_sweep.views.terminal.curve_scale import CurveScale
from keras_sweep.views.terminal.text import safe, score_text, shorten, value_text

LONGEST_VALUE = 40


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell."""

    text: str | Markup
    sort: str = ""  # what it is sorted by: a number where it reads as one; nothing is last
    colour: str = ""  # class of the dot before it


@dataclass(frozen=True, slots=True)
class ColumnHead:
    """The head of a column."""

    text: str
    number: bool  # its cells stand to the right


@dataclass(frozen=True, slots=True)
class TableRow:
    """One trial."""

    number: int
    tie: bool
    winner: bool
    cells: tuple[Cell, ...]


def table_of(
    rows: Sequence[LeaderboardRow],
    of: Sequence[LeaderboardRow],
    axes: Sequence[Axis],
    objective: Objective,
    colours: Colours,
) -> tuple[list[ColumnHead], list[TableRow]]:
    """Heads and rows; `of` is the whole leaderboard, which says which columns there are."""
    columns = list(_columns(of, axes, objective, colours))
    heads = [head for head, _ in columns]
    made = [TableRow(row.number, row.tie, row.winner, tuple(cell(row) for _, cell in columns)) for row in rows]
    return heads, made


Column = tuple[ColumnHead, Callable[[LeaderboardRow], Cell]]


def _columns(
    of: Sequence[LeaderboardRow], axes: Sequence[Axis], objective: Objective, colours: Colours
) -> list[Column]:
    columns: list[Column] = [
        (ColumnHead("#", True), lambda row: _number(str(row.rank), row.rank)),
        (ColumnHead("trial", True), lambda row: _number(str(row.number), row.number)),
        (ColumnHead(objective.name, True), _score),
    ]
    if any(row.seeds is not None for row in of):
        columns.append((ColumnHead("over seeds", True), _over_seeds))
    if any(row.behind is not None for row in of):
        columns.append((ColumnHead("behind", True), lambda row: _behind(row, objective)))
    columns += [_parameter(axis, of, colours) for axis in axes if axis.name != "epochs"]
    if any(row.imported or row.state is not TrialState.COMPLETE for row in of):
        columns.append((ColumnHead("state", False), lambda row: Cell(state_text(row), state_text(row))))
    columns.append((ColumnHead("epochs", True), lambda row: _number(epochs_text(row), row.epochs)))
    half = -(-len(of) // 2)  # the worse half would lie at the foot of a scale for all
    better, worse = (CurveScale((row.curve for row in part), objective.goal) for part in (of[:half], of[half:]))
    if any(len(row.curve) > 1 for row in of):
        columns.append(
            (
                ColumnHead("curve", False),
                lambda row: Cell(
                    sparkline(row.curve, colours(row.number), better if row.rank <= half else worse), _sort(row.value)
                ),
            )
        )
    columns.append((ColumnHead("time", True), lambda row: _number(time_text(row), row.seconds)))
    if len({row.engine for row in of}) > 1:
        columns.append((ColumnHead("engine", False), lambda row: Cell(safe(row.engine), safe(row.engine))))
    return columns


def _parameter(axis: Axis, of: Sequence[LeaderboardRow], colours: Colours) -> Column:
    numbers = all(is_number(row.params[axis.name]) for row in of if axis.name in row.params)

    def cell(row: LeaderboardRow) -> Cell:
        if axis.name not in row.params:
            return Cell("–")
        value = row.params[axis.name]
        text = shorten(value_text(value), LONGEST_VALUE)
        sort = _sort(value) if numbers else text
        return Cell(text, sort, colours(row.number) if axis is colours.axis else "")

    return ColumnHead(axis.name, numbers), cell


def _score(row: LeaderboardRow) -> Cell:
    if row.value is None:
        return Cell("failed" if row.state is TrialState.FAIL else "–")
    return _number(score_text(row.value, row.stderr), row.value)


def _over_seeds(row: LeaderboardRow) -> Cell:
    """The mean of a recipe that was trained with several seeds."""
    if row.seeds is None:
        return Cell("–")
    count, score = seeds_texts(row.seeds)
    return _number(f"{score} {count.removesuffix(' seeds')}", row.seeds.mean)


def _behind(row: LeaderboardRow, objective: Objective) -> Cell:
    return _number(behind_text(row, objective) or "–", row.behind)


def _number(text: str, value: Value) -> Cell:
    return Cell(text, _sort(value))


def _sort(value: Value) -> str:
    return repr(value) if isinstance(value, int | float) and math.isfinite(value) else ""
