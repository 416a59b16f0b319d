"""How the search came to its best value, trial by trial and second by second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from keras_sweep.space.objective import Objective
from keras_sweep.trial.best_so_far import spent_seconds
from keras_sweep.trial.result import Result
from keras_sweep.views.leaderboard.rows import LeaderboardRow
from keras_sweep.views.report.axes import Axis
from keras_sweep.views.report.colours import Colours
from keras_sweep.views.report.scale import along
from keras_sweep.views.report.svg import cross_axes, figure, px
from keras_sweep.views.terminal.text import score_text, seconds_text

SIZE = (400, 240)
LEFT, RIGHT, TOP, FOOT = 50, 390, 26, 196


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
    steps = _steps(numbered, objective)
    if not steps:
        return []
    best = steps[-1]
    of_one = " of one seed" if any(row.final for row in rows) else ""
    reached = f"The best {objective.name}{of_one}, {score_text(best.value)}, was first reached by trial {best.number}"
    trials = Axis("trial", 0, max(numbered[-1].number, 1), {row.number: float(row.number) for row in rows}, whole=True)
    seconds = Axis("seconds of training, summed", 0, max(spent.values(), default=0.0) or 1.0, spent)
    decided = _decided(next((row for row in rows if row.winner), None))
    note = "Each dot is a trial, the ring the winner, the line the best so far."
    return [
        _drawing(
            "best-by-trial",
            "Best so far by trial",
            f"{reached} of {len(rows):,}.{decided}",
            trials,
            steps,
            drawn,
            value,
            colours,
            f"{reached} of {len(rows):,}.{decided} {note}",
        ),
        _drawing(
            "best-by-second",
            "Best so far by time",
            f"{reached}, after {seconds_text(spent[best.number])} of {seconds_text(seconds.high)}.",
            seconds,
            steps,
            drawn,
            value,
            colours,
            f"{reached}, after {seconds_text(spent[best.number])} of {seconds_text(seconds.high)}: what each trial "
            "took of sampling, compiling and training, one after the other.",
        ),
    ]


def _steps(numbered: Sequence[LeaderboardRow], objective: Objective) -> list[LeaderboardRow]:
    """The trials that were the best when they ended: only values that can be compared count."""
    steps: list[LeaderboardRow] = []
    for row in numbered:
        if row.value is None or not row.comparable:
            continue
        if not steps or objective.key(row.value) < objective.key(steps[-1].value or 0.0):
            steps.append(row)
    return steps


def _decided(winner: LeaderboardRow | None) -> str:
    """Where not this value made the winner, but its mean over seeds."""
    if winner is None or not winner.final or winner.seeds is None:
        return ""
    return f" Trial {winner.number} wins by its mean over {winner.seeds.count} seeds, {score_text(winner.seeds.mean)}."


def _drawing(
    name: str,
    title: str,
    description: str,
    x: Axis,
    steps: Sequence[LeaderboardRow],
    drawn: Sequence[LeaderboardRow],
    value: Axis,
    colours: Colours,
    note: str,
) -> Markup:
    across, up = along(x, LEFT, RIGHT), along(value, FOOT, TOP)
    parts = [cross_axes(x, value, across, up)]
    for row in reversed(drawn):
        at = px(across(x.values.get(row.number, 0.0)))
        if row.value is None:
            parts.append(f'<path class="no" data-t="{row.number}" d="M{at} {FOOT}m-3-3l6 6m0-6l-6 6"/>')
        else:
            parts.append(_dot(row, at, px(up(row.value)), colours))
    line = "".join(
        (f"M{px(across(x.values[row.number]))} " if index == 0 else f"H{px(across(x.values[row.number]))}V")
        + px(up(row.value or 0.0))
        for index, row in enumerate(steps)
    )
    parts.append(f'<path class="best" d="{line}H{RIGHT}"/>')
    return figure(name, title, description, "".join(parts), SIZE, note=note)


def _dot(row: LeaderboardRow, x: str, y: str, colours: Colours) -> str:
    return f'<circle class="pt {colours(row.number)}" data-t="{row.number}" cx="{x}" cy="{y}" r="3.2"/>'
