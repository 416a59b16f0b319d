"""The page of a sweep: one string of HTML, which asks nothing of anybody."""

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
from keras_sweep.views.importance import importances
from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.leaderboard.rows import LeaderboardRow, cell, distinct_params, is_number
from keras_sweep.views.leaderboard.texts import (
    LeaderboardColumn,
    leaderboard_columns,
    leaderboard_notes,
    seeds_texts,
    unlike_text,
)
from keras_sweep.views.report import drawings
from keras_sweep.views.report.facts import Axis, PageContent
from keras_sweep.views.report.mistakes import describe_missed, draw_predictions, mistakes
from keras_sweep.views.report.parameters import interaction, parallel, range_edges, slice_of, widening_call
from keras_sweep.views.terminal.text import CurveScale, params_text, score_text, shorten

MOST_DRAWN = 2000  # trials
REFRESH = 5  # seconds between two looks of an open page at a sweep that runs
LONGEST_VALUE = 40  # characters of a parameter in the table


def thin_rows(rows: Sequence[LeaderboardRow], most: int) -> list[LeaderboardRow]:
    """At most so many: the best half, and every n-th of the others."""
    best = most // 2
    step = -(-len(rows[best:]) // (most - best)) or 1
    return [*rows[:best], *rows[best::step]]


def page_of(facts: PageContent, written: datetime) -> str:
    """The page, with at most `MOST_DRAWN` trials drawn."""
    drawn = thin_rows(facts.rows, MOST_DRAWN)
    found = importances(facts.rows, facts.sweep.objective, facts.sweep.facts.distributions)
    value, edges, name = facts.value_axis, range_edges(facts), facts.sweep.folder.name
    columns, rows = table_of(facts, drawn)
    axes = [*facts.axes, *facts.goal_axes, *([value] if value else [])]
    outputs, best = None if isinstance(facts.outputs, str) else facts.outputs, facts.winner
    progress = []
    if value:
        progress += [drawings.pareto(axis, value, facts, drawn) for axis in facts.goal_axes]
        progress += drawings.best_so_far(facts, drawn, value)
    progress += [curves] if (curves := drawings.learning_curves(facts, drawn)) else []
    first = [axis for one in found for axis in facts.axes if axis.name == one.name][:2]  # that matter most
    return _render(
        written,
        facts=facts,
        title=f"Trial {best.number}: {params_text(distinct_params(best, facts.rows))}" if best else name,
        sentence=winner_sentence(facts),
        cards=number_cards(facts),
        notes=leaderboard_notes(facts.ranking),
        data=_data(facts, axes, drawn),
        filters=axes,
        states=[state.value for state in TrialState if any(row.state is state for row in facts.rows)],
        parallel=parallel(facts, value, drawn) if value and facts.axes else None,
        columns=columns,
        curves=any(column.key == "curve" for column in columns),
        rows=rows,
        drawn=len(drawn),
        progress=progress,
        slices=[slice_of(index, axis, value, facts, drawn) for index, axis in enumerate(facts.axes) if value],
        edges=edges,
        widening=widening_call(name, edges),
        importance=drawings.importance_bars(found, sum(row.comparable for row in facts.rows)) if found else None,
        interaction=interaction(first[0], first[1], facts, drawn) if len(first) == 2 else None,
        outputs=facts.outputs if outputs is None else None,
        confusion=draw_predictions(outputs) if outputs else None,
        mistakes=mistakes(outputs) if outputs else None,
        missed=describe_missed(facts.missed) if facts.missed else "",
        failures=[row for row in facts.rows if row.state is TrialState.FAIL],
        time=drawings.time_bars(facts.sweep.facts.seconds),
        calls=repeating_calls(facts),
    )


def _data(facts: PageContent, axes: Sequence[Axis], drawn: Sequence[LeaderboardRow]) -> Markup:
    """What the script filters by, as JSON that ends no element."""
    record = {
        "running": facts.running,
        "refresh": REFRESH,
        "axes": [
            {"name": escape(axis.name), "low": axis.low, "high": axis.high, "log": axis.log, "choices": axis.choices}
            for axis in axes
        ],
        "trials": {row.number: [axis.values.get(row.number) for axis in axes] for row in drawn},
        "states": {row.number: row.state.value for row in drawn if row.state is not TrialState.COMPLETE},
    }
    return Markup(strict_json(record).replace("<", "\\u003c"))  # no markup is left in it


def _render(written: datetime, **values: object) -> str:
    """Render the page with its style, its script and a policy that forbids all else; the values are escaped."""
    style, script = _asset("report.css"), _asset("report.js")
    # nothing is fetched, and no style or script but these is used (W3C, Content Security Policy Level 3)
    policy = ["default-src 'none'", f"style-src '{_digest(style)}'", "img-src data:"]
    policy += ["base-uri 'none'", "form-action 'none'", f"script-src '{_digest(script)}'"]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(str(__package__), "templates"),
        autoescape=True,
        finalize=_without_controls,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    moment = written.isoformat(sep=" ", timespec="seconds")
    own = {"policy": "; ".join(policy), "style": Markup(style), "script": Markup(script), "written": moment}
    return environment.get_template("index.html.j2").render(**own, **values)


def _asset(name: str) -> str:
    return (importlib.resources.files(__package__) / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _without_controls(value: object) -> object:
    """Text that comes from elsewhere steers no reader: its control characters are written out, but for line ends."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return "\n".join(escape(line) for line in value.split("\n"))


def winner_sentence(facts: PageContent) -> str:
    """Which trial it is, of how many, ranked by what."""
    trials = pluralize(len(facts.rows), "trial")
    if facts.winner is None:
        return f"No trial of {trials} could win yet." if facts.rows else "No trial has ended yet."
    total = facts.sweep.facts.trials
    more = f", of {total:,} that there are to be" if total is not None and total > len(facts.rows) else ""
    goal = "higher" if facts.sweep.objective.goal.value == "maximize" else "lower"
    seeds = facts.winner.seeds
    over = f" Over {seeds.count} seeds its configuration scores {seeds_texts(seeds)[1]}." if seeds is not None else ""
    best = f"Trial {facts.winner.number} is the best of {trials}{more}"
    those = f", of those with {facts.sweep.objective.where}" if facts.sweep.objective.where else ""
    return f"{best}, by {facts.sweep.objective.name} ({goal} is better){those}.{over}"


def number_cards(facts: PageContent) -> list[tuple[str, str]]:
    """(number, what it is) of the estimate, the leaderboard's value, the test score, the ties: those that are known."""
    winner, comparison, name = facts.winner, facts.sweep.comparison, facts.sweep.objective.name
    if winner is None:
        return []
    cards = []
    if (estimate := comparison.estimate) is not None:
        words = f"expected {name} on new rows, 95 % between {score_text(estimate.low)} and {score_text(estimate.high)}"
        cards.append((score_text(estimate.value), f"{words}: the luck of being picked is taken off"))
    score = score_text(winner.value, winner.stderr)
    over = "" if comparison.rows is None else f" over {comparison.rows:,} validation rows"
    if winner.final and winner.seeds is not None:
        score, over = seeds_texts(winner.seeds)[1], f"{over}, the mean of {winner.seeds.count} seeds"
    cards.append((score, f"{name} on the leaderboard{over}"))
    if (test := _test(facts)) is not None:
        cards.append(test)
    tied = sum(row.tie for row in facts.rows)
    among = "ties, marked ≈, the winner among them: these rows can't tell them apart"
    return [*cards, (str(tied), among if tied else "ties: no other trial is as good, as far as these rows can tell")]


def _test(facts: PageContent) -> tuple[str, str] | None:
    record, objective, best = facts.sweep.facts, facts.sweep.objective, facts.sweep.best
    test = None if best is None else record.test_of(best_training(best, objective))
    name = objective.name.removeprefix("val_")
    if test is None or name not in test.scores:
        return None
    times = "once" if record.test_looks == 1 else f"{record.test_looks} times"
    words = f"{name} on {test.rows:,} sealed test rows, looked at {times}"
    estimate = facts.sweep.comparison.estimate
    if facts.sweep.refit is not None:  # which is another model than the one that the leaderboard ranks
        words += f", of the model {facts.sweep.refit.text}"
    elif unlike := unlike_text(estimate, test, objective, facts.winner):
        words += f". {unlike}"
    return score_text(test.scores[name], test.stderrs.get(name)), words


def table_of(
    facts: PageContent, rows: Sequence[LeaderboardRow]
) -> tuple[list[LeaderboardColumn], list[tuple[LeaderboardRow, list[tuple[str, str, str]]]]]:
    """The columns of the whole leaderboard, and some of its rows."""
    of, goal = facts.rows, facts.sweep.objective.goal
    half = -(-len(of) // 2)  # the worse half would lie at the foot of a scale for all
    better, worse = (CurveScale((row.curve for row in part), goal) for part in (of[:half], of[half:]))

    def curve(row: LeaderboardRow) -> Markup:
        return drawings.sparkline(row.curve, facts.colour(row.number), better if row.rank <= half else worse)

    names = [axis.name for axis in facts.axes]
    columns = leaderboard_columns(facts.ranking, parameters=names, over_seeds=True, curve=curve)
    return columns, [(row, [_cell(row, column, facts) for column in columns]) for row in rows]


def _cell(row: LeaderboardRow, column: LeaderboardColumn, facts: PageContent) -> tuple[str, str, str]:
    """(what is read; what is sorted by, "" last; the class of the dot before it)."""
    text = column.text(row)
    if column.parameter is not None:
        text = shorten(text, LONGEST_VALUE)
    value = cell(row, "value" if column.key == "curve" else column.key)
    if column.number or column.key == "curve":
        sort = repr(value) if is_number(value) and math.isfinite(value) else ""
    else:
        sort = "" if value is None else text
    by = facts.colour_axis
    coloured = by is not None and column.parameter == by.name and value is not None
    return text, sort, facts.colour(row.number) if coloured else ""


def repeating_calls(facts: PageContent) -> list[tuple[str, str]]:
    """(call, what it does) for somebody who wants the same numbers; no folder of this machine is in them."""
    name = shlex.quote(facts.sweep.folder.name)
    calls = []
    if facts.sweep.facts.imported is None:
        trials = pluralize(len(facts.rows), "trial")
        calls.append((f"sweep run SPACE.yaml --name {name}-again", f"the same {trials}, values and winner"))
    if facts.winner is not None:
        number = facts.winner.number
        calls.append((f"sweep show {name} {number}", "the winner, epoch by epoch"))
        calls.append((f"sweep replay {name} {number}", "the winner by plain model.fit, against the record"))
        calls.append((f"sweep export {name}", "its model, with its card"))
        calls.append((f"sweep verify {name}.keras", "whether the model's scores still come out"))
    return calls
