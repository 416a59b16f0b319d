"""The page: facts in, one string of HTML out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from markupsafe import Markup

from keras_sweep.trial.result import TrialState
from keras_sweep.views.importance import Importance, importances
from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.leaderboard.notes import leaderboard_notes
from keras_sweep.views.leaderboard.rows import LeaderboardRow
from keras_sweep.views.report.assets import asset, content_security_policy, template
from keras_sweep.views.report.axes import Axis
from keras_sweep.views.report.best_so_far import best_so_far
from keras_sweep.views.report.cards import number_cards, winner_sentence
from keras_sweep.views.report.colours import Colours, colours_of
from keras_sweep.views.report.confusion import said_against_true
from keras_sweep.views.report.curves import learning_curves
from keras_sweep.views.report.facts import SweepFacts
from keras_sweep.views.report.headline import headline
from keras_sweep.views.report.importance import importance_bars
from keras_sweep.views.report.mistakes import missed_sentence, mistakes
from keras_sweep.views.report.parallel import parallel
from keras_sweep.views.report.range_edges import range_edges, widening_call
from keras_sweep.views.report.repeat import repeat_of
from keras_sweep.views.report.slices import interaction, slice_of
from keras_sweep.views.report.table import table_of
from keras_sweep.views.report.time_spent import time_bars
from keras_sweep.views.terminal.text import safe

SMALL_SWEEP, SMALL_PAGE, LARGE_PAGE = 200, 1_000_000, 5_000_000  # trials; bytes
MOST_DRAWN = 2000  # trials
MOST_SLICES = 12  # parameters
REFRESH = 5  # seconds between two looks of an open page at a sweep that runs


def page_of(facts: SweepFacts, written: datetime) -> str:
    """The page, with as many trials drawn as its size allows."""
    most = min(MOST_DRAWN, max(len(facts.rows), 1))
    limit = SMALL_PAGE if len(facts.rows) <= SMALL_SWEEP else LARGE_PAGE
    found = importances(facts.rows, facts.objective, facts.attributes["distributions"])
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
    style, script = asset("report.css"), asset("report.js")
    axes, value = facts.axes, facts.value_axis
    colours = colours_of(axes, facts.winner.number if facts.winner else None)
    edges = range_edges(axes, facts.rows, facts.attributes)
    columns, rows = table_of(drawn, facts.rows, axes, facts.objective, colours)
    scored = [row for row in drawn if row.value is not None]
    return template("index.html.j2").render(
        facts=facts,
        title=headline(facts.winner, facts.rows) if facts.winner else safe(facts.name),
        sentence=winner_sentence(facts),
        cards=number_cards(facts),
        notes=leaderboard_notes(facts.rows, facts.objective, facts.comparison),
        policy=content_security_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        data=_data(facts, axes, value, drawn),
        legend=colours,
        filters=[*axes, *([value] if value else [])],
        states=[state.value for state in TrialState if any(row.state is state for row in facts.rows)],
        parallel=parallel(scored, axes, value, colours) if value and axes else None,
        columns=columns,
        curves=any(column.key == "curve" for column in columns),
        rows=rows,
        drawn=len(drawn),
        progress=list(_progress(facts, drawn, value, colours)),
        slices=[
            slice_of(i, axis, facts.rows, drawn, value, facts.objective, colours)
            for i, axis in enumerate(axes[:MOST_SLICES])
        ]
        if value
        else [],
        more_slices=[axis.name for axis in axes[MOST_SLICES:]],
        edges=edges,
        widening=widening_call(facts.name, edges),
        importance=importance_bars(found, sum(row.comparable for row in facts.rows)) if found else None,
        interaction=_interaction(found, axes, facts.rows, drawn, value, colours),
        outputs=facts.outputs if isinstance(facts.outputs, str) else None,
        confusion=None if isinstance(facts.outputs, str) else said_against_true(facts.outputs),
        mistakes=None if isinstance(facts.outputs, str) else mistakes(facts.outputs),
        missed=missed_sentence(facts.missed) if facts.missed else "",
        failures=[row for row in facts.rows if row.state is TrialState.FAIL],
        time=time_bars(facts.attributes.get("seconds", {})),
        repeat=repeat_of(facts),
        written=written.isoformat(sep=" ", timespec="seconds"),
    )


def _progress(
    facts: SweepFacts, drawn: Sequence[LeaderboardRow], value: Axis | None, colours: Colours
) -> Iterator[Markup]:
    if value is not None:
        yield from best_so_far(facts.rows, drawn, facts.results, value, facts.objective, colours)
    curves = learning_curves(drawn, facts.objective, colours)
    if curves is not None:
        yield curves


def _interaction(
    found: Sequence[Importance],
    axes: Sequence[Axis],
    rows: Sequence[LeaderboardRow],
    drawn: Sequence[LeaderboardRow],
    value: Axis | None,
    colours: Colours,
) -> Markup | None:
    named = {axis.name: axis for axis in axes}
    first = [named[one.name] for one in found if one.name in named][:2]
    return interaction(first[0], first[1], rows, drawn, value, colours) if value and len(first) == 2 else None


def _data(facts: SweepFacts, axes: Sequence[Axis], value: Axis | None, drawn: Sequence[LeaderboardRow]) -> Markup:
    """What the script filters by, as JSON that ends no element."""
    shown = [*axes, *([value] if value else [])]
    record = {
        "running": facts.running,
        "refresh": REFRESH,
        "axes": [
            {"name": safe(axis.name), "low": axis.low, "high": axis.high, "log": axis.log, "choices": axis.choices}
            for axis in shown
        ],
        "trials": {row.number: [axis.values.get(row.number) for axis in shown] for row in drawn},
        "states": {row.number: row.state.value for row in drawn if row.state is not TrialState.COMPLETE},
    }
    return Markup(strict_json(record).replace("<", "\\u003c"))  # no markup is left in it
