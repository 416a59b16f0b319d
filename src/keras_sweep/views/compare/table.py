"""Sweeps beside each other in a terminal, as many at once as fit, and for other programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from keras_sweep.sweep.side_by_side import Side, SideBySide
from keras_sweep.views.compare.facts import fact_rows, verdict_lines
from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.leaderboard.query import seeds_record
from keras_sweep.views.terminal.console import longest_value
from keras_sweep.views.terminal.curve_scale import CurveScale
from keras_sweep.views.terminal.drawing import UNICODE, Drawing, drawing_for, sparkline
from keras_sweep.views.terminal.table import Column, drawn, needed
from keras_sweep.views.terminal.text import safe, shorten

LONGEST = 28  # cells of one value on a terminal
CURVE = 16  # cells


@dataclass(frozen=True, slots=True)
class CompareView:
    """A rich renderable: a column a sweep."""

    found: SideBySide

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        found, drawing = self.found, drawing_for(options.encoding)
        goal = found.objective.goal.value
        yield Text.assemble((safe(found.objective.name), "bold"), f", to {goal}; the same rows in all")
        label, *sides = compare_columns(found, drawing, longest_value(options.max_width, LONGEST))
        for chosen in _blocks(label, sides, options.max_width):
            yield Text()
            yield drawn([label, *chosen], options)
        yield Text()
        for line in verdict_lines(found, drawing):
            yield Text(line)


def compare_columns(found: SideBySide, drawing: Drawing = UNICODE, longest: int = LONGEST) -> list[Column]:
    """What the facts are, then a column a sweep."""
    rows = fact_rows(found, drawing)
    labels = [*(f"  {row.label}" if row.group else row.label for row in rows), "best so far"]
    curves = [best_curve(side) for side in found.sides]
    scale = CurveScale(curves, found.objective.goal)
    columns = [Column("", tuple(Text(shorten(label, longest, drawing.ellipsis)) for label in labels))]
    for index, side in enumerate(found.sides):
        texts = [row.cells[index] for row in rows]
        cells = [Text(shorten(text, longest, drawing.ellipsis)) for text in texts]
        cells.append(Text(sparkline(curves[index], drawing, width=CURVE, scale=scale), style="cyan"))
        columns.append(Column(shorten(safe(side.name), longest, drawing.ellipsis), tuple(cells)))
    return columns


def best_curve(side: Side) -> list[float]:
    """The best value so far after each trial, from the first that has one on."""
    values = {result.number: result.value for result in side.improvements}
    curve: list[float] = []
    for result in side.results:
        value = values.get(result.number)
        if value is not None:
            curve.append(value)
        elif curve:
            curve.append(curve[-1])
    return curve


def _blocks(label: Column, sides: Sequence[Column], width: int) -> Iterator[list[Column]]:
    """As many columns at once as fit beside the labels, at least one."""
    block: list[Column] = []
    for column in sides:
        if block and needed([label, *block, column]) > width:
            yield block
            block = []
        block.append(column)
    yield block


def compare_json(found: SideBySide) -> str:
    """One object with a list of the sweeps."""
    return strict_json(
        {
            "metric": found.objective.name,
            "goal": found.objective.goal.value,
            "best": found.first.name,
            "compared_by": "mean over seeds" if found.by_mean else "value",
            "rows": found.rows,
            "sweeps": [_record(found, side) for side in found.sides],
        }
    ) + ("\n")


def _record(found: SideBySide, side: Side) -> dict[str, Any]:
    behind, estimate, test = found.behind.get(side.name), side.estimate, side.test
    return {
        "name": side.name,
        "number": side.best.number,
        "value": side.best.value,
        "stderr": side.best.stderr,
        **seeds_record(side.over_seeds),
        "behind": None if behind is None else behind.behind,
        "behind_stderr": None if behind is None else behind.stderr,
        "tie": None if behind is None else behind.tie,
        "estimate": None if estimate is None else {"value": estimate.value, "low": estimate.low, "high": estimate.high},
        "test": None if test is None else dict(test.scores),
        "trials": len(side.results),
        "failed": side.failed,
        "epochs": side.epochs,
        "seconds": side.seconds,
        "seconds_until_near": side.seconds_until(found.within, found.objective),
        "params": dict(side.best.params),
        "best_so_far": [[result.number, side.spent[result.number], result.value] for result in side.improvements],
    }
