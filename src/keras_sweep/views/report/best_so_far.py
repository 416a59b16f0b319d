"""How the search came to its best value, trial by trial and second by second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from markupsafe import Markup

from keras_sweep.space.search_space import Objective
from keras_sweep.trial.best_so_far import spent_seconds
from keras_sweep.trial.result import Result
from keras_sweep.views.leaderboard.rows import LeaderboardRow
from keras_sweep.views.report.axes import Axis
from keras_sweep.views.report.colours import Colours
from keras_sweep.views.report.scale import along
from keras_sweep.views.report.svg import FOOT, LEFT, RIGHT, SIZE, TOP, cross_axes, dot, figure, px, steps
from keras_sweep.views.terminal.text import score_text, seconds_text


def best_so_far(
    rows: Sequence[LeaderboardRow],
    drawn: Sequence[LeaderboardRow],
    results: Mapping[int, Result],
    value: Axis,
    objective: Objective,
    colours: Colours,
) -> list[Markup]:
    """Two drawings. The line is of all `rows`, the dots are of those `drawn`."""
    numbered = sorted(rows, key=lambda row: row.number)
    spent = spent_seconds(results)
    leaders = _leaders(numbered, objective)
    if not leaders:
        return []
    best = leaders[-1]
    of_one = " of one seed" if any(row.final for row in rows) else ""
    reached = f"The best {objective.name}{of_one}, {score_text(best.value)}, was first reached by trial {best.number}"
    trials = Axis("trial", 0, max(numbered[-1].number, 1), {row.number: float(row.number) for row in rows}, whole=True)
    seconds = Axis("seconds of training, summed", 0, max(spent.values(), default=0.0) or 1.0, spent)
    decided = _decided(next((row for row in rows if row.winner), None))
    note = "Each dot is a trial, the ring the winner, the line the best so far."
    by_trial = f"{reached} of {len(rows):,}.{decided}"
    by_second = f"{reached}, after {seconds_text(spent[best.number])} of {seconds_text(seconds.high)}"
    took = "what each trial took of sampling, compiling and training, one after the other."
    draw = partial(_drawing, best=leaders, drawn=drawn, value=value, colours=colours)
    return [
        draw("best-by-trial", "Best so far by trial", by_trial, f"{by_trial} {note}", trials),
        draw("best-by-second", "Best so far by time", f"{by_second}.", f"{by_second}: {took}", seconds),
    ]


def _leaders(numbered: Sequence[LeaderboardRow], objective: Objective) -> list[LeaderboardRow]:
    """The trials that were the best when they ended: only values that can be compared count."""
    leaders: list[LeaderboardRow] = []
    for row in numbered:
        if row.value is None or not row.comparable:
            continue
        if not leaders or objective.key(row.value) < objective.key(leaders[-1].value or 0.0):
            leaders.append(row)
    return leaders


def _decided(winner: LeaderboardRow | None) -> str:
    """Where not this value made the winner, but its mean over seeds."""
    if winner is None or not winner.final or winner.seeds is None:
        return ""
    return f" Trial {winner.number} wins by its mean over {winner.seeds.count} seeds, {score_text(winner.seeds.mean)}."


def _drawing(
    name: str,
    title: str,
    description: str,
    note: str,
    x: Axis,
    *,
    best: Sequence[LeaderboardRow],
    drawn: Sequence[LeaderboardRow],
    value: Axis,
    colours: Colours,
) -> Markup:
    across, up = along(x, LEFT, RIGHT), along(value, FOOT, TOP)
    parts = [cross_axes(x, value, across, up)]
    for row in reversed(drawn):
        at = across(x.values.get(row.number, 0.0))
        if row.value is None:
            parts.append(f'<path class="no" data-t="{row.number}" d="M{px(at)} {FOOT}m-3-3l6 6m0-6l-6 6"/>')
        else:
            parts.append(dot(row, at, up(row.value), colours))
    line = steps(((across(x.values[row.number]), up(row.value or 0.0)) for row in best), RIGHT)
    parts.append(f'<path class="best" d="{line}"/>')
    return figure(name, title, description, "".join(parts), SIZE, note=note)
