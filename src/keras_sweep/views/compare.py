"""Show sweeps side by side: a table and a verdict for people, JSON for other programs."""

from typing import Any

from rich.console import Console
from rich.text import Text

from keras_sweep.space.text import escape, join, pluralize
from keras_sweep.sweep.compare import Side, SideBySide
from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.leaderboard.rows import seeds_record
from keras_sweep.views.leaderboard.texts import behind_head, difference_text, over_seeds_text
from keras_sweep.views.terminal.console import longest_value
from keras_sweep.views.terminal.table import Column, count_cells, cut, draw_table
from keras_sweep.views.terminal.text import TIE, CurveScale, score_text, seconds_text, sparkline, value_text

LONGEST = 28  # cells of a value on a terminal
CURVE = 16  # cells


def _facts(sweeps: SideBySide, side: Side) -> dict[str, str]:
    best, objective, test = side.best, sweeps.objective, side.test
    facts = {}
    value = "best value"
    if any(other_side.over_seeds is not None for other_side in sweeps.sides):
        facts["mean over seeds"] = over_seeds_text(side.over_seeds) or "a single seed"
        value = "value of the search's seed"
    facts[value] = score_text(best.value, best.stderr)
    if sweeps.behind:
        behind = sweeps.behind[side.name]
        text = difference_text(behind.behind, objective, behind.stderr)
        facts[behind_head(objective)] = "the best" if side is sweeps.first else f"{text} {TIE}" if behind.tie else text
    if any(other_side.estimate is not None for other_side in sweeps.sides):
        score = side.estimate
        facts["expected on new rows"] = "" if score is None else score_text(score.value)
        facts["  95 % between"] = "" if score is None else f"{score_text(score.low)} and {score_text(score.high)}"
    name = objective.name.removeprefix("val_")
    known = test is not None and name in test.scores
    near = side.seconds_until(sweeps.within, objective)
    return {
        **facts,
        "test": score_text(test.scores[name], test.stderrs.get(name)) if test and known else "not evaluated",
        "trials": f"{len(side.results):,}" + (f", {side.failed:,} failed" if side.failed else ""),
        "epochs": f"{side.epochs:,}",
        "time of trials": seconds_text(side.seconds),
        "near the best after": "never" if near is None else seconds_text(near),
        "engine": side.facts.engine,
        "winner": f"trial {best.number}",
    } | {
        f"winner's {name}": value_text(best.params[name]) if name in best.params else ""
        for other_side in sweeps.sides
        for name in other_side.best.params
    }


def verdict_lines(sweeps: SideBySide) -> list[str]:
    first = sweeps.first
    lines = [f"{first.name} has the best {escape(sweeps.objective.name)}: {score_text(*sweeps.score(first))}"]
    for names, count in sweeps.same_trials.items():
        lines.append(f"{join(names, 'and')} have {pluralize(count, 'equal trial')}: parameters, seed and value")
    alone = [side.name for side in sweeps.sides if side.over_seeds is None]
    if sweeps.by_mean:
        lines.append("the winners are compared by their means over seeds")
    elif len(alone) < len(sweeps.sides):
        lines.append(f"the winners are compared by the seed of the search: {', '.join(alone)} has no other seeds")
    if not sweeps.behind:
        without = [side.name for side in sweeps.sides if not side.scores]
        why = f"{', '.join(without)} kept no scores per row" if without else "their scores per row differ in form"
        return [*lines, f"the winners can't be compared row by row: {why}"]
    for side in sweeps.sides:
        behind = sweeps.behind[side.name]
        if side is not first:
            away = difference_text(behind.behind, sweeps.objective, behind.stderr, unit=True)
            note = "these rows can't tell their winners apart" if behind.tie else "more than chance explains"
            lines.append(f"{side.name} is behind by {away}: {note}")
    lines.append(
        f"compared row by row on {pluralize(sweeps.rows or 0, 'validation row')}, at 95 % for all sweeps together"
    )
    return lines


def print_comparison(console: Console, sweeps: SideBySide) -> None:
    objective = sweeps.objective
    words = f", to {objective.goal}" + "; all have the same rows" * sweeps.first.facts.has_models
    console.print(Text.assemble((escape(objective.name), "bold"), words))
    label, *columns_left = cut(compare_columns(sweeps), longest_value(console.width, LONGEST))
    # Each table has the columns that fit beside the labels, and at least one column.
    while columns_left:
        count = len(columns_left)
        while count > 1 and count_cells([label, *columns_left[:count]]) > console.width:
            count -= 1
        console.print()
        console.print(draw_table([label, *columns_left[:count]]))
        columns_left = columns_left[count:]
    console.print()
    for line in verdict_lines(sweeps):
        console.print(Text(line))


def compare_columns(sweeps: SideBySide) -> list[Column]:
    facts = [_facts(sweeps, side) for side in sweeps.sides]
    curves = [best_curve(side) for side in sweeps.sides]
    scale = CurveScale(curves, sweeps.objective.goal)
    columns = [Column("", [*facts[0], "best so far"])]
    for side, texts, curve in zip(sweeps.sides, facts, curves, strict=True):
        cells: list[str | Text] = [*texts.values(), Text(sparkline(curve, scale, width=CURVE), style="cyan")]
        columns.append(Column(side.name, cells))
    return columns


def best_curve(side: Side) -> list[float]:
    """Return the best objective so far after each trial of a sweep. The list begins at the first trial with a value."""
    until = [*(result.number for result in side.improvements[1:]), len(side.results)]
    steps = zip(side.improvements, until, strict=True)
    return [result.value or 0.0 for result, end in steps for _ in range(result.number, end)]


def compare_json(sweeps: SideBySide) -> str:
    record = {
        "metric": sweeps.objective.name,
        "goal": sweeps.objective.goal.value,
        "best": sweeps.first.name,
        "compared_by": "mean over seeds" if sweeps.by_mean else "value",
        "rows": sweeps.rows,
        "equal_trials": [{"sweeps": names, "trials": count} for names, count in sweeps.same_trials.items()],
        "sweeps": [_record(sweeps, side) for side in sweeps.sides],
    }
    return strict_json(record) + "\n"


def _record(sweeps: SideBySide, side: Side) -> dict[str, Any]:
    behind, estimate, test = sweeps.behind.get(side.name), side.estimate, side.test
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
        "seconds_until_near": side.seconds_until(sweeps.within, sweeps.objective),
        "params": dict(side.best.params),
        "best_so_far": [[result.number, side.spent[result.number], result.value] for result in side.improvements],
    }
