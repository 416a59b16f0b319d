"""The page of a sweep: one string of HTML, which asks nothing of anybody."""

import base64
import hashlib
import importlib.resources
from collections.abc import Sequence
from datetime import datetime

import jinja2
from markupsafe import Markup

from keras_sweep.space.text import escaped
from keras_sweep.trial.result import TrialState
from keras_sweep.views.importance import importances
from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.leaderboard.notes import leaderboard_notes
from keras_sweep.views.leaderboard.rows import LeaderboardRow, distinct_params
from keras_sweep.views.report.cards import number_cards, repeating_calls, table_of, winner_sentence
from keras_sweep.views.report.drawings import (
    best_so_far,
    importance_bars,
    learning_curves,
    pareto,
    time_bars,
)
from keras_sweep.views.report.facts import Axis, PageContent
from keras_sweep.views.report.mistakes import missed_sentence, mistakes, said_against_true
from keras_sweep.views.report.parameters import interaction, parallel, range_edges, slice_of, widening_call
from keras_sweep.views.terminal.text import params_text

MOST_DRAWN = 2000  # trials
REFRESH = 5  # seconds between two looks of an open page at a sweep that runs


def drawn_rows(rows: Sequence[LeaderboardRow], most: int) -> list[LeaderboardRow]:
    """At most so many: the best half, and every n-th of the others."""
    best = most // 2
    step = -(-len(rows[best:]) // (most - best)) or 1
    return [*rows[:best], *rows[best::step]]


def page_of(facts: PageContent, written: datetime) -> str:
    """The page, with at most `MOST_DRAWN` trials drawn."""
    drawn = drawn_rows(facts.rows, MOST_DRAWN)
    found = importances(facts.rows, facts.sweep.objective, facts.sweep.facts.distributions)
    value, edges, name = facts.value_axis, range_edges(facts), facts.sweep.folder.name
    columns, rows = table_of(facts, drawn)
    axes = [*facts.axes, *facts.goal_axes, *([value] if value else [])]
    outputs, best = None if isinstance(facts.outputs, str) else facts.outputs, facts.winner
    curves = learning_curves(facts, drawn)
    fronts = [pareto(axis, value, facts, drawn) for axis in facts.goal_axes] if value else []
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
        progress=[*fronts, *(best_so_far(facts, drawn, value) if value else []), *([curves] if curves else [])],
        slices=[slice_of(index, axis, value, facts, drawn) for index, axis in enumerate(facts.axes) if value],
        edges=edges,
        widening=widening_call(name, edges),
        importance=importance_bars(found, sum(row.comparable for row in facts.rows)) if found else None,
        interaction=interaction(first[0], first[1], facts, drawn) if len(first) == 2 else None,
        outputs=facts.outputs if outputs is None else None,
        confusion=said_against_true(outputs) if outputs else None,
        mistakes=mistakes(outputs) if outputs else None,
        missed=missed_sentence(facts.missed) if facts.missed else "",
        failures=[row for row in facts.rows if row.state is TrialState.FAIL],
        time=time_bars(facts.sweep.facts.seconds),
        calls=repeating_calls(facts),
    )


def _data(facts: PageContent, axes: Sequence[Axis], drawn: Sequence[LeaderboardRow]) -> Markup:
    """What the script filters by, as JSON that ends no element."""
    record = {
        "running": facts.running,
        "refresh": REFRESH,
        "axes": [
            {"name": escaped(axis.name), "low": axis.low, "high": axis.high, "log": axis.log, "choices": axis.choices}
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
    """A file of this folder: "report.css"."""
    return (importlib.resources.files(__package__) / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _without_controls(value: object) -> object:
    """Text that comes from elsewhere steers no reader: its control characters are written out, but for line ends."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return "\n".join(escaped(line) for line in value.split("\n"))
