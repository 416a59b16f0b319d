"""The page: facts in, one string of HTML out.

It asks nothing of anybody: style, script, drawings and data stand in the one file.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.resources
from collections.abc import Sequence
from datetime import datetime

import jinja2
from markupsafe import Markup

from keras_sweep.space.text import escaped
from keras_sweep.trial.result import TrialState
from keras_sweep.views.importance import Importance, importances
from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.leaderboard.notes import leaderboard_notes
from keras_sweep.views.leaderboard.rows import LeaderboardRow
from keras_sweep.views.report.axes import Axis
from keras_sweep.views.report.cards import headline, number_cards, repeating_calls, winner_sentence
from keras_sweep.views.report.drawings import best_so_far, importance_bars, learning_curves, time_bars
from keras_sweep.views.report.facts import SweepFacts
from keras_sweep.views.report.mistakes import missed_sentence, mistakes, said_against_true
from keras_sweep.views.report.parameters import interaction, parallel, range_edges, slice_of, widening_call
from keras_sweep.views.report.table import table_of

SMALL_SWEEP, SMALL_PAGE, LARGE_PAGE = 200, 1_000_000, 5_000_000  # trials; bytes
MOST_DRAWN = 2000  # trials
MOST_SLICES = 12  # parameters
REFRESH = 5  # seconds between two looks of an open page at a sweep that runs


def page_of(facts: SweepFacts, written: datetime) -> str:
    """The page, with as many trials drawn as its size allows."""
    most = min(MOST_DRAWN, max(len(facts.rows), 1))
    limit = SMALL_PAGE if len(facts.rows) <= SMALL_SWEEP else LARGE_PAGE
    found = importances(facts.rows, facts.objective, facts.record.distributions)
    while True:
        page = _page(facts, drawn_rows(facts.rows, most), found, written)
        if len(page.encode()) < limit or most <= 10:
            return page
        most = most // 2


def drawn_rows(rows: Sequence[LeaderboardRow], most: int) -> list[LeaderboardRow]:
    """At most so many: the best half, and every n-th of the others."""
    if len(rows) <= most:
        return list(rows)
    best = most - most // 2
    others = rows[best:]
    step = -(-len(others) // (most // 2)) if most > 1 else len(others)
    return [*rows[:best], *others[::step]]


def _page(facts: SweepFacts, drawn: Sequence[LeaderboardRow], found: Sequence[Importance], written: datetime) -> str:
    value, edges = facts.value_axis, range_edges(facts)
    columns, rows = table_of(facts, drawn)
    axes = [*facts.axes, *([value] if value else [])]
    outputs = None if isinstance(facts.outputs, str) else facts.outputs
    curves = learning_curves(facts, drawn)
    return rendered(
        "index.html.j2",
        written,
        _asset("report.js"),
        facts=facts,
        title=headline(facts.winner, facts.rows) if facts.winner else escaped(facts.name),
        sentence=winner_sentence(facts),
        cards=number_cards(facts),
        notes=leaderboard_notes(facts.rows, facts.objective, facts.comparison),
        data=_data(facts, axes, drawn),
        filters=axes,
        states=[state.value for state in TrialState if any(row.state is state for row in facts.rows)],
        parallel=parallel(facts, value, drawn) if value and facts.axes else None,
        columns=columns,
        curves=any(column.key == "curve" for column in columns),
        rows=rows,
        drawn=len(drawn),
        progress=[*(best_so_far(facts, drawn, value) if value else []), *([curves] if curves else [])],
        slices=[
            slice_of(index, axis, value, facts, drawn) for index, axis in enumerate(facts.axes[:MOST_SLICES]) if value
        ],
        more_slices=[axis.name for axis in facts.axes[MOST_SLICES:]],
        edges=edges,
        widening=widening_call(facts.name, edges),
        importance=importance_bars(found, sum(row.comparable for row in facts.rows)) if found else None,
        interaction=_interaction(found, facts, drawn),
        outputs=facts.outputs if outputs is None else None,
        confusion=said_against_true(outputs) if outputs else None,
        mistakes=mistakes(outputs) if outputs else None,
        missed=missed_sentence(facts.missed) if facts.missed else "",
        failures=[row for row in facts.rows if row.state is TrialState.FAIL],
        time=time_bars(facts.record.seconds),
        calls=repeating_calls(facts),
    )


def _interaction(found: Sequence[Importance], facts: SweepFacts, drawn: Sequence[LeaderboardRow]) -> Markup | None:
    """The two parameters that matter most."""
    named = {axis.name: axis for axis in facts.axes}
    first = [named[one.name] for one in found if one.name in named][:2]
    return interaction(first[0], first[1], facts, drawn) if len(first) == 2 else None


def _data(facts: SweepFacts, axes: Sequence[Axis], drawn: Sequence[LeaderboardRow]) -> Markup:
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


def rendered(template: str, written: datetime, script: str | None = None, **values: object) -> str:
    """A page: style, script and a policy that forbids all else are put in; what the template is given is escaped."""
    style = _asset("report.css")
    return (
        _environment()
        .get_template(template)
        .render(
            policy=_content_security_policy(style, script),
            style=Markup(style),
            script=Markup(script),
            written=written.isoformat(sep=" ", timespec="seconds"),
            **values,
        )
    )


def _asset(name: str) -> str:
    """A file of this folder: "report.css"."""
    return (importlib.resources.files(__package__) / name).read_text(encoding="utf-8")


def _content_security_policy(style: str, script: str | None = None) -> str:
    """Nothing is fetched, and no style or script but these is used (W3C, Content Security Policy Level 3)."""
    parts = ["default-src 'none'", f"style-src '{_digest(style)}'"]
    parts += [f"script-src '{_digest(script)}'"] if script is not None else []
    return "; ".join([*parts, "img-src data:", "base-uri 'none'", "form-action 'none'"])


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@functools.cache
def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader(str(__package__), "templates")
    return jinja2.Environment(
        loader=loader,
        autoescape=True,
        finalize=_without_controls,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _without_controls(value: object) -> object:
    """Text that comes from elsewhere steers no reader: its control characters are written out, but for line ends."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return "\n".join(escaped(line) for line in value.split("\n"))
