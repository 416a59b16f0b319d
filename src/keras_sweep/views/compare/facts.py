"""What is said of sweeps beside each other, as rows of text: the same in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from keras_sweep.sweep.side_by_side import Side, SideBySide
from keras_sweep.views.leaderboard.columns import behind_head, difference_text, seeds_texts
from keras_sweep.views.terminal.drawing import UNICODE, Drawing
from keras_sweep.views.terminal.text import count_text, safe, score_text, seconds_text, value_text


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
        rows.append(FactRow(safe(name), cells, "winner"))
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
        yield "estimate", lambda side: "" if side.estimate is None else score_text(side.estimate.value)
        yield "  95 % between", _interval
    yield "test", lambda side: _test(side, found, drawing)
    yield "trials", lambda side: f"{len(side.results):,}" + (f", {side.failed:,} failed" if side.failed else "")
    yield "epochs", lambda side: f"{side.epochs:,}"
    yield "time of trials", lambda side: seconds_text(side.seconds)
    yield "near the best after", lambda side: _near(found, side)
    yield "engine", lambda side: safe(str(side.attributes.get("engine", "")))
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
    name = safe(found.objective.name)
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
