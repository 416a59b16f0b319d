"""Sweeps beside each other: what is said of them, in a terminal as many at once as fit, and for other programs."""

from typing import Any

from rich.console import Console
from rich.text import Text

from keras_sweep.space.text import escape, pluralize
from keras_sweep.sweep.compare import Side, SideBySide
from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.leaderboard.rows import seeds_record
from keras_sweep.views.leaderboard.texts import behind_head, difference_text, over_seeds_text
from keras_sweep.views.terminal.console import longest_value
from keras_sweep.views.terminal.table import Column, count_cells, cut, draw_table
from keras_sweep.views.terminal.text import TIE, CurveScale, score_text, seconds_text, sparkline, value_text

LONGEST = 28  # cells of one value on a terminal
CURVE = 16  # cells


def _facts(found: SideBySide, side: Side) -> dict[str, str]:
    """Every fact of a sweep, from the best value to the parameters of the winners."""
    best, objective, looked = side.best, found.objective, side.test
    facts = {}
    value = "best value"
    if any(each.over_seeds is not None for each in found.sides):
        facts["mean over seeds"] = over_seeds_text(side.over_seeds) or "one seed alone"
        value = "with the search's seed"
    facts[value] = score_text(best.value, best.stderr)
    if found.behind:
        own = found.behind[side.name]
        text = difference_text(own.behind, objective, own.stderr)
        facts[behind_head(objective)] = "the best" if side is found.first else f"{text} {TIE}" if own.tie else text
    if any(each.estimate is not None for each in found.sides):
        one = side.estimate
        facts["expected on new rows"] = "" if one is None else score_text(one.value)
        facts["  95 % between"] = "" if one is None else f"{score_text(one.low)} and {score_text(one.high)}"
    name = objective.name.removeprefix("val_")
    known = looked is not None and name in looked.scores
    near = side.seconds_until(found.within, objective)
    return {
        **facts,
        "test": score_text(looked.scores[name], looked.stderrs.get(name)) if looked and known else "not looked at",
        "trials": f"{len(side.results):,}" + (f", {side.failed:,} failed" if side.failed else ""),
        "epochs": f"{side.epochs:,}",
        "time of trials": seconds_text(side.seconds),
        "near the best after": "never" if near is None else seconds_text(near),
        "engine": side.facts.engine,
        "winner": f"trial {best.number}",
    } | {
        f"winner's {name}": value_text(best.params[name]) if name in best.params else ""
        for other in found.sides
        for name in other.best.params
    }


def verdict_lines(found: SideBySide) -> list[str]:
    """Which is best, and whether the rows can tell the others from it."""
    first = found.first
    lines = [f"{first.name} has the best {escape(found.objective.name)}: {score_text(*found.score(first))}"]
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
        behind = found.behind[side.name]
        if side is not first:
            away = difference_text(behind.behind, found.objective, behind.stderr, unit=True)
            told = "these rows can't tell their winners apart" if behind.tie else "more than these rows leave to chance"
            lines.append(f"{side.name} is behind by {away}: {told}")
    lines.append(f"compared row by row on {pluralize(found.rows or 0, 'validation row')}, all together at 95 %")
    return lines


def print_comparison(console: Console, found: SideBySide) -> None:
    """A column a sweep, as many at once as fit beside the labels, and the verdict."""
    objective = found.objective
    console.print(Text.assemble((escape(objective.name), "bold"), f", to {objective.goal}; the same rows in all"))
    label, *left = cut(compare_columns(found), longest_value(console.width, LONGEST))
    while left:  # as many columns at once as fit beside the labels, at least one
        count = len(left)
        while count > 1 and count_cells([label, *left[:count]]) > console.width:
            count -= 1
        console.print()
        console.print(draw_table([label, *left[:count]]))
        left = left[count:]
    console.print()
    for line in verdict_lines(found):
        console.print(Text(line))


def compare_columns(found: SideBySide) -> list[Column]:
    """What the facts are, then a column a sweep."""
    facts = [_facts(found, side) for side in found.sides]
    curves = [best_curve(side) for side in found.sides]
    scale = CurveScale(curves, found.objective.goal)
    columns = [Column("", [*facts[0], "best so far"])]
    for side, texts, curve in zip(found.sides, facts, curves, strict=True):
        cells: list[str | Text] = [*texts.values(), Text(sparkline(curve, scale, width=CURVE), style="cyan")]
        columns.append(Column(side.name, cells))
    return columns


def best_curve(side: Side) -> list[float]:
    """The best value so far after each trial, from the first that has one on."""
    until = [*(one.number for one in side.improvements[1:]), len(side.results)]
    steps = zip(side.improvements, until, strict=True)
    return [one.value or 0.0 for one, end in steps for _ in range(one.number, end)]


def compare_json(found: SideBySide) -> str:
    """One object with a list of the sweeps."""
    record = {
        "metric": found.objective.name,
        "goal": found.objective.goal.value,
        "best": found.first.name,
        "compared_by": "mean over seeds" if found.by_mean else "value",
        "rows": found.rows,
        "sweeps": [_record(found, side) for side in found.sides],
    }
    return strict_json(record) + "\n"


def _record(found: SideBySide, side: Side) -> dict[str, Any]:
    behind, estimate, test = found.behind.get(side.name), side.estimate, side.test
    return {
        "name": side.name,
        "number": side.best.number,
        "value": side.best.value,
        "stderr": side.best.stderr,
        **seeds_record(side.over_seeds),
        "behind": behind and behind.behind,
        "behind_stderr": behind and behind.stderr,
        "tie": behind and behind.tie,
        "estimate": estimate and {"value": estimate.value, "low": estimate.low, "high": estimate.high},
        "test": test and dict(test.scores),
        "trials": len(side.results),
        "failed": side.failed,
        "epochs": side.epochs,
        "seconds": side.seconds,
        "seconds_until_near": side.seconds_until(found.within, found.objective),
        "params": dict(side.best.params),
        "best_so_far": [[result.number, side.spent[result.number], result.value] for result in side.improvements],
    }
