"""Sweeps beside each other: what is said of them, in a terminal as many at once as fit, and for other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from keras_sweep.space.text import escaped
from keras_sweep.sweep.side_by_side import Side, SideBySide
from keras_sweep.views.leaderboard.columns import behind_head, difference_text, seeds_texts
from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.leaderboard.query import seeds_record
from keras_sweep.views.terminal.console import longest_value
from keras_sweep.views.terminal.drawing import UNICODE, CurveScale, Drawing, drawing_for, sparkline
from keras_sweep.views.terminal.table import Column, drawn, needed
from keras_sweep.views.terminal.text import count_text, score_text, seconds_text, shorten, value_text

LONGEST = 28  # cells of one value on a terminal
CURVE = 16  # cells


@dataclass(frozen=True, slots=True)
class FactRow:
    """One fact of every sweep."""

    label: str
    cells: tuple[str, ...]  # one a sweep
    group: str = ""  # "winner" for its parameters


def fact_rows(found: SideBySide, drawing: Drawing = UNICODE) -> list[FactRow]:
    """Every fact, from the best value to the parameters of the winners."""
    rows = [FactRow(label, tuple(of(side) for side in found.sides)) for label, of in _facts(found, drawing)]
    names = dict.fromkeys(name for side in found.sides for name in side.best.params)
    for name in names:
        cells = tuple(value_text(side.best.params[name]) if name in side.best.params else "" for side in found.sides)
        rows.append(FactRow(escaped(name), cells, "winner"))
    return rows


def _facts(found: SideBySide, drawing: Drawing) -> Iterator[tuple[str, Callable[[Side], str]]]:
    seeds = any(side.over_seeds is not None for side in found.sides)
    if seeds:
        yield "mean over seeds", lambda side: _over_seeds(side, drawing)
    yield (
        "with the search's seed" if seeds else "best value",
        lambda side: score_text(side.best.value, side.best.stderr, pm=drawing.pm),
    )
    if found.behind:
        yield behind_head(found.objective), lambda side: _behind(found, side, drawing)
    if any(side.estimate is not None for side in found.sides):
        yield "expected on new rows", lambda side: "" if side.estimate is None else score_text(side.estimate.value)
        yield "  95 % between", _interval
    yield "test", lambda side: _test(side, found, drawing)
    yield "trials", lambda side: f"{len(side.results):,}" + (f", {side.failed:,} failed" if side.failed else "")
    yield "epochs", lambda side: f"{side.epochs:,}"
    yield "time of trials", lambda side: seconds_text(side.seconds)
    yield "near the best after", lambda side: _near(found, side)
    yield "engine", lambda side: escaped(side.facts.engine)
    yield "winner", lambda side: f"trial {side.best.number}"


def _over_seeds(side: Side, drawing: Drawing) -> str:
    scores = side.over_seeds
    if scores is None:
        return "one seed alone"
    count, text = seeds_texts(scores, times=drawing.times, pm=drawing.pm)
    return f"{text} {count.removesuffix(' seeds')}"


def _behind(found: SideBySide, side: Side, drawing: Drawing) -> str:
    behind = found.behind[side.name]
    if side is found.first:
        return "the best"
    mark = f" {drawing.tie}" if behind.tie else ""
    return difference_text(behind.behind, found.objective, behind.stderr, pm=drawing.pm) + mark


def _interval(side: Side) -> str:
    estimate = side.estimate
    return "" if estimate is None else f"{score_text(estimate.low)} and {score_text(estimate.high)}"


def _test(side: Side, found: SideBySide, drawing: Drawing) -> str:
    test, name = side.test, found.objective.name.removeprefix("val_")
    if test is None or name not in test.scores:
        return "not looked at"
    return score_text(test.scores[name], test.stderrs.get(name), pm=drawing.pm)


def _near(found: SideBySide, side: Side) -> str:
    seconds = side.seconds_until(found.within, found.objective)
    return "never" if seconds is None else seconds_text(seconds)


def verdict_lines(found: SideBySide, drawing: Drawing = UNICODE) -> list[str]:
    """Which is best, and whether the rows can tell the others from it."""
    first = found.first
    name = escaped(found.objective.name)
    lines = [f"{first.name} has the best {name}: {score_text(*found.score(first), pm=drawing.pm)}"]
    alone = [side.name for side in found.sides if side.over_seeds is None]
    if found.by_mean:
        lines.append("winners compare by their means over seeds")
    elif len(alone) < len(found.sides):
        lines.append(f"winners compare by the seed of their search: that of {', '.join(alone)} has no other")
    if not found.behind:
        without = [side.name for side in found.sides if not side.scores]
        why = f" of {', '.join(without)}" if without else " in one form"
        return [*lines, f"scores of validation rows are not kept{why}: the winners can't be compared row by row"]
    for side in found.sides:
        if side is first:
            continue
        behind = found.behind[side.name]
        away = difference_text(behind.behind, found.objective, behind.stderr, pm=drawing.pm)
        away += " points" if found.objective.is_share else ""
        told = "these rows can't tell their winners apart" if behind.tie else "more than these rows leave to chance"
        lines.append(f"{side.name} is behind by {away}: {told}")
    lines.append(f"compared row by row on {count_text(found.rows or 0, 'validation row')}, all together at 95 %")
    return lines


@dataclass(frozen=True, slots=True)
class CompareView:
    """A rich renderable: a column a sweep."""

    found: SideBySide

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        found, drawing = self.found, drawing_for(options.encoding)
        goal = found.objective.goal.value
        yield Text.assemble((escaped(found.objective.name), "bold"), f", to {goal}; the same rows in all")
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
        columns.append(Column(shorten(escaped(side.name), longest, drawing.ellipsis), tuple(cells)))
    return columns


def best_curve(side: Side) -> list[float]:
    """The best value so far after each trial, from the first that has one on."""
    until = [*(one.number for one in side.improvements[1:]), len(side.results)]
    steps = zip(side.improvements, until, strict=True)
    return [one.value or 0.0 for one, end in steps for _ in range(one.number, end)]


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
