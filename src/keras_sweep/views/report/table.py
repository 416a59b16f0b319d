"""The leaderboard as cells: what is read, and what is sorted by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from keras_sweep.views.leaderboard.columns import LeaderboardColumn, leaderboard_columns
from keras_sweep.views.leaderboard.query import cell, is_number
from keras_sweep.views.leaderboard.rows import LeaderboardRow
from keras_sweep.views.report.axes import Colours
from keras_sweep.views.report.drawings import sparkline
from keras_sweep.views.report.facts import SweepFacts
from keras_sweep.views.terminal.drawing import CurveScale
from keras_sweep.views.terminal.text import shorten

LONGEST_VALUE = 40


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell."""

    text: str
    sort: str  # what it is sorted by: a number where it reads as one; nothing is last
    colour: str  # class of the dot before it


@dataclass(frozen=True, slots=True)
class TableRow:
    """One trial."""

    number: int
    winner: bool
    cells: tuple[Cell, ...]


def table_of(facts: SweepFacts, rows: Sequence[LeaderboardRow]) -> tuple[list[LeaderboardColumn], list[TableRow]]:
    """The columns of the whole leaderboard, and some of its rows."""
    of, objective, colours = facts.rows, facts.objective, facts.colours
    half = -(-len(of) // 2)  # the worse half would lie at the foot of a scale for all
    better, worse = (CurveScale((row.curve for row in part), objective.goal) for part in (of[:half], of[half:]))
    columns = leaderboard_columns(
        of,
        of,
        objective,
        parameters=[axis.name for axis in facts.axes],
        over_seeds=True,
        curve=lambda row: sparkline(row.curve, colours(row.number), better if row.rank <= half else worse),
    )
    cells = [tuple(_cell(row, column, colours) for column in columns) for row in rows]
    return columns, [TableRow(row.number, row.winner, own) for row, own in zip(rows, cells, strict=True)]


def _cell(row: LeaderboardRow, column: LeaderboardColumn, colours: Colours) -> Cell:
    text = column.text(row)
    if column.parameter is not None:
        text = shorten(text, LONGEST_VALUE)
    value = cell(row, "value" if column.key == "curve" else column.key)
    if column.number or column.key == "curve":
        sort = repr(value) if is_number(value) and math.isfinite(value) else ""
    else:
        sort = "" if value is None else text
    coloured = colours.axis is not None and column.parameter == colours.axis.name and value is not None
    return Cell(text, sort, colours(row.number) if coloured else "")
