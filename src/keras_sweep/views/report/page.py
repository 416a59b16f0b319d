"""Write the report of a sweep: a single HTML file that loads nothing from elsewhere."""

import base64
import hashlib
import importlib.resources
import math
import shlex
from collections.abc import Sequence
from datetime import datetime

import jinja2
from markupsafe import Markup

from keras_sweep.space.text import escape, pluralize
from keras_sweep.trial.ranking import best_training
from keras_sweep.trial.result import TrialState
from keras_sweep.views.importance import estimate_importance
from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.leaderboard.rows import LeaderboardRow, cell, distinct_params, is_number
from keras_sweep.views.leaderboard.texts import (
    LeaderboardColumn,
    leaderboard_columns,
    leaderboard_notes,
    mismatch_text,
    seeds_texts,
)
from keras_sweep.views.report import drawings
from keras_sweep.views.report.facts import Axis, PageContent
from keras_sweep.views.report.mistakes import describe_missed, draw_predictions, find_mistakes
from keras_sweep.views.report.parameters import draw_interaction, draw_parallel, draw_slice, range_edges, widening_call
from keras_sweep.views.terminal.text import CurveScale, params_text, score_text, shorten

MOST_DRAWN = 2000  # trials
REFRESH = 5  # seconds after which an open page of a running sweep reloads
LONGEST_VALUE = 40  # characters of a parameter in the table


def thin_rows(rows: Sequence[LeaderboardRow], most: int) -> list[LeaderboardRow]:
    """Return at most `most` of the ranked rows: the best `most // 2`, and every n-th of the others."""
    best = most // 2
    step = -(-len(rows[best:]) // (most - best)) or 1
    return [*rows[:best], *rows[best::step]]


def page_of(page: PageContent, written: datetime) -> str:
    """Return the HTML of the report. Drawings show at most MOST_DRAWN trials. `written` is the date on the page."""
    drawn = thin_rows(page.rows, MOST_DRAWN)
    shares = estimate_importance(page.rows, page.sweep.objective, page.sweep.facts.distributions)
    value, edges, name = page.value_axis, range_edges(page), page.sweep.folder.name
    columns, rows = table_of(page, drawn)
    axes = [*page.axes, *page.goal_axes, *([value] if value else [])]
    outputs, best = None if isinstance(page.outputs, str) else page.outputs, page.winner
    progress = []
    if value:
        progress += [drawings.draw_front(axis, value, page, drawn) for axis in page.goal_axes]
        progress += drawings.draw_best_so_far(page, drawn, value)
    progress += [curves] if (curves := drawings.draw_curves(page, drawn)) else []
    first = [axis for item in shares for axis in page.axes if axis.name == item.name][:2]
    return _render(
        written,
        facts=page,
        title=f"Trial {best.number}: {params_text(distinct_params(best, page.rows))}" if best else name,
        sentence=winner_sentence(page),
        cards=number_cards(page),
        notes=leaderboard_notes(page.ranking),
        data=_script_data(page, axes, drawn),
        filters=axes,
        states=[state.value for state in TrialState if any(row.state is state for row in page.rows)],
        parallel=draw_parallel(page, value, drawn) if value and page.axes else None,
        columns=columns,
        curves=any(column.key == "curve" for column in columns),
        rows=rows,
        drawn=len(drawn),
        progress=progress,
        slices=[draw_slice(index, axis, value, page, drawn) for index, axis in enumerate(page.axes) if value],
        edges=edges,
        widening=widening_call(name, edges),
        importance=drawings.draw_importance(shares, sum(row.comparable for row in page.rows)) if shares else None,
        interaction=draw_interaction(first[0], first[1], page, drawn) if len(first) == 2 else None,
        outputs=page.outputs if outputs is None else None,
        confusion=draw_predictions(outputs) if outputs else None,
        mistakes=find_mistakes(outputs) if outputs else None,
        missed=describe_missed(page.missed) if page.missed else "",
        failures=[row for row in page.rows if row.state is TrialState.FAIL],
        time=drawings.draw_times(page.sweep.facts.seconds),
        calls=repeating_calls(page),
    )


def _script_data(page: PageContent, axes: Sequence[Axis], drawn: Sequence[LeaderboardRow]) -> Markup:
    """Return the JSON for the page's script: `axes` and the trials `drawn`. Escape `<`, which could end the script."""
    record = {
        "running": page.running,
        "refresh": REFRESH,
        "axes": [
            {"name": escape(axis.name), "low": axis.low, "high": axis.high, "log": axis.log, "choices": axis.choices}
            for axis in axes
        ],
        "trials": {row.number: [axis.values.get(row.number) for axis in axes] for row in drawn},
        "states": {row.number: row.state.value for row in drawn if row.state is not TrialState.COMPLETE},
    }
    return Markup(strict_json(record).replace("<", "\\u003c"))


def _render(written: datetime, **values: object) -> str:
    """Fill the page's template with `values`, escaped, and the time `written`. The page runs no script but its own."""
    style, script = _asset("report.css"), _asset("report.js")
    # Nothing is fetched, and only this style and this script are allowed (W3C, Content Security Policy Level 3).
    policy = ["default-src 'none'", f"style-src '{_digest(style)}'", "img-src data:"]
    policy += ["base-uri 'none'", "form-action 'none'", f"script-src '{_digest(script)}'"]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(str(__package__), "templates"),
        autoescape=True,
        finalize=_escape_controls,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    time = written.isoformat(sep=" ", timespec="seconds")
    page_values = {"policy": "; ".join(policy), "style": Markup(style), "script": Markup(script), "written": time}
    return environment.get_template("index.html.j2").render(**page_values, **values)


def _asset(name: str) -> str:
    return (importlib.resources.files(__package__) / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _escape_controls(value: object) -> object:
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return "\n".join(escape(line) for line in value.split("\n"))


def winner_sentence(page: PageContent) -> str:
    trials = pluralize(len(page.rows), "trial")
    if page.winner is None:
        return f"None of {trials} can win yet." if page.rows else "No trial has ended yet."
    total = page.sweep.facts.trials
    more = f" of {total:,} planned" if total is not None and total > len(page.rows) else ""
    goal = "higher" if page.sweep.objective.goal.value == "maximize" else "lower"
    seeds = page.winner.seeds
    over = f" Over {seeds.count} seeds its configuration scores {seeds_texts(seeds)[1]}." if seeds is not None else ""
    best = f"Trial {page.winner.number} is the best of {trials}{more}"
    condition = f", among trials with {page.sweep.objective.where}" if page.sweep.objective.where else ""
    return f"{best}, by {page.sweep.objective.name} ({goal} is better){condition}.{over}"


def number_cards(page: PageContent) -> list[tuple[str, str]]:
    """Return (number, meaning) of the estimate, winner's value, test score and number of ties; [] without a winner."""
    winner, comparison, name = page.winner, page.sweep.comparison, page.sweep.objective.name
    if winner is None:
        return []
    cards = []
    if (estimate := comparison.estimate) is not None:
        words = f"expected {name} on new rows (95 %: {score_text(estimate.low)} to {score_text(estimate.high)})"
        drawn = f", by {comparison.rows:,} validation rows" if comparison.all_rows else ""
        cards.append((score_text(estimate.value), f"{words}, corrected for picking the best{drawn}"))
    score = score_text(winner.value, winner.stderr)
    over = "" if comparison.rows is None else f" over {comparison.all_rows or comparison.rows:,} validation rows"
    if winner.final and winner.seeds is not None:
        score, over = seeds_texts(winner.seeds)[1], f"{over}, the mean of {winner.seeds.count} seeds"
    cards.append((score, f"{name} on the leaderboard{over}"))
    if (test := _test_card(page)) is not None:
        cards.append(test)
    if not page.sweep.facts.has_models:
        return cards
    tied = sum(row.tie for row in page.rows)
    among = f"trials (≈), the winner included: the best of all is among them (95 %, judged on {comparison.units})"
    if not tied and comparison.rows is None:
        return cards
    return [*cards, (str(tied or 1), among if tied else "trial is the best of all (95 %): the winner")]


def _test_card(page: PageContent) -> tuple[str, str] | None:
    record, objective, best = page.sweep.facts, page.sweep.objective, page.sweep.best
    test = None if best is None else record.test_of(best_training(best, objective))
    name = objective.name.removeprefix("val_")
    if test is None or name not in test.scores:
        return None
    times = "once" if record.test_looks == 1 else f"{record.test_looks} times"
    words = f"{name} on {test.rows:,} sealed test rows, evaluated {times}"
    estimate = page.sweep.comparison.estimate
    if page.sweep.refit is not None:  # the refit is another model than the leaderboard's winner
        words += f", of the model {page.sweep.refit.text}"
    elif mismatch := mismatch_text(estimate, test, objective, page.winner):
        words += f". {mismatch}"
    return score_text(test.scores[name], test.stderrs.get(name)), words


def table_of(
    page: PageContent, rows: Sequence[LeaderboardRow]
) -> tuple[list[LeaderboardColumn], list[tuple[LeaderboardRow, list[tuple[str, str, str]]]]]:
    all_rows, goal = page.rows, page.sweep.objective.goal
    half = -(-len(all_rows) // 2)  # on a common scale the worse half would be flat
    better, worse = (CurveScale((row.curve for row in part), goal) for part in (all_rows[:half], all_rows[half:]))

    def curve(row: LeaderboardRow) -> Markup:
        return drawings.sparkline(row.curve, page.colour(row.number), better if row.rank <= half else worse)

    names = [axis.name for axis in page.axes]
    columns = leaderboard_columns(page.ranking, parameters=names, over_seeds=True, curve=curve)
    return columns, [(row, [_cell(row, column, page) for column in columns]) for row in rows]


def _cell(row: LeaderboardRow, column: LeaderboardColumn, page: PageContent) -> tuple[str, str, str]:
    """Return a table cell: the text, the sort key ("" sorts last), and the CSS class of the dot before the text."""
    text = column.text(row)
    if column.parameter is not None:
        text = shorten(text, LONGEST_VALUE)
    value = cell(row, "value" if column.key == "curve" else column.key)
    if column.number or column.key == "curve":
        sort = repr(value) if is_number(value) and math.isfinite(value) else ""
    else:
        sort = "" if value is None else text
    colour_axis = page.colour_axis
    coloured = colour_axis is not None and column.parameter == colour_axis.name and value is not None
    return text, sort, page.colour(row.number) if coloured else ""


def repeating_calls(page: PageContent) -> list[tuple[str, str]]:
    """Return (command, effect) of commands that repeat the sweep's numbers. No command has a path of this machine."""
    name = shlex.quote(page.sweep.folder.name)
    calls = []
    if page.sweep.facts.imported is None:
        trials = pluralize(len(page.rows), "trial")
        calls.append((f"sweep run SPACE.yaml --name {name}-again", f"the same {trials}, values and winner"))
    if page.winner is not None:
        number = page.winner.number
        calls.append((f"sweep show {name} {number}", "the winner, epoch by epoch"))
    if page.winner is not None and page.sweep.facts.has_models:
        calls.append((f"sweep replay {name} {number}", "the winner trained again by plain model.fit"))
        calls.append((f"sweep export {name}", "its model, with its model card"))
        calls.append((f"sweep verify {name}.keras", "the model's scores compared with its card"))
    return calls
