"""The objective over one parameter at a time, and over two."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from keras_sweep.space.search_space import Objective
from keras_sweep.views.leaderboard.rows import LeaderboardRow
from keras_sweep.views.report.axes import Axis
from keras_sweep.views.report.colours import Colours
from keras_sweep.views.report.scale import along
from keras_sweep.views.report.svg import FOOT, LEFT, RIGHT, SIZE, TOP, cross_axes, dot, figure, px
from keras_sweep.views.terminal.text import score_text

SPREAD = 17  # places over which the trials of one choice are spread
BEST_SHARE = 0.1  # of the trials, that are "the best" in words
FEWEST_BEST = 5
LEVELS = 5  # of the objective, in the drawing of two parameters


def best_of(rows: Sequence[LeaderboardRow]) -> Sequence[LeaderboardRow]:
    """The best tenth of the trials that can be compared, at least five."""
    compared = [row for row in rows if row.comparable]
    return compared[: max(FEWEST_BEST, round(len(compared) * BEST_SHARE))]


def slice_of(
    index: int,
    axis: Axis,
    rows: Sequence[LeaderboardRow],
    drawn: Sequence[LeaderboardRow],
    value: Axis,
    objective: Objective,
    colours: Colours,
) -> Markup:
    """The drawing of one parameter; the words are of all `rows`, best first, the dots of those `drawn`."""
    across, up = along(axis, LEFT, RIGHT), along(value, FOOT, TOP)
    parts = [cross_axes(axis, value, across, up)]
    for row in reversed(drawn):
        if row.value is not None and row.number in axis.values:
            parts.append(dot(row, _place(axis, row.number, across), up(row.value), colours))
    words = _words(axis, rows, objective)
    description = f"{value.name} over {axis.name}. {words}"
    return figure(f"slice-{index}", axis.name, description, "".join(parts), SIZE, note=words)


def interaction(
    x: Axis,
    y: Axis,
    rows: Sequence[LeaderboardRow],
    drawn: Sequence[LeaderboardRow],
    value: Axis,
    colours: Colours,
) -> Markup:
    """Two parameters at once; the darker a dot, the better its trial ranks among all `rows` that have a value."""
    across, up = along(x, LEFT, RIGHT), along(y, FOOT, TOP)
    scored = [row.number for row in rows if row.value is not None]
    level = {number: LEVELS - 1 - index * LEVELS // len(scored) for index, number in enumerate(scored)}
    parts = [cross_axes(x, y, across, up)]
    for row in reversed(drawn):
        if row.number in level and row.number in x.values and row.number in y.values:
            at = f'cx="{px(_place(x, row.number, across))}" cy="{px(_place(y, row.number, up, 5))}"'
            kind = f"pt q{level[row.number]}{colours.mark(row.number)}"
            parts.append(f'<circle class="{kind}" data-t="{row.number}" {at} r="4"/>')
    best = best_of(rows)
    both = [row for row in best if row.number in x.values and row.number in y.values]
    where = f" The best {len(both)} lie at {x.name} {_span(x, both)} and {y.name} {_span(y, both)}." if both else ""
    return figure(
        "interaction",
        f"{x.name} with {y.name}",
        f"The trials over both, coloured by fifths of {value.name}.{where}",
        "".join(parts),
        SIZE,
        note=f"The stronger the colour, the better the fifth of all trials that it is in.{where}",
    )


def _place(axis: Axis, number: int, scale: object, spread: int = SPREAD) -> float:
    assert callable(scale)
    jitter = ((number * 37) % SPREAD - SPREAD // 2) * spread / SPREAD * 1.4 if axis.choices is not None else 0.0
    return float(scale(axis.values[number])) + jitter


def _words(axis: Axis, rows: Sequence[LeaderboardRow], objective: Objective) -> str:
    scored = [row for row in rows if row.value is not None and row.comparable and row.number in axis.values]
    if axis.choices is None:
        leading = [row for row in best_of(rows) if row.number in axis.values]
        return f"The best {len(leading)} have {_span(axis, leading)}." if leading else ""
    groups = [
        (choice, [row for row in scored if axis.values[row.number] == place])
        for place, choice in enumerate(axis.choices)
    ]
    best = {choice: min((row.value or 0.0 for row in group), key=objective.key) for choice, group in groups if group}
    texts = [f"{choice} {score_text(best[choice])} ({len(group)})" for choice, group in groups if group]
    return f"The best value of each, and how many there are: {', '.join(texts)}." if texts else ""


def _span(axis: Axis, rows: Sequence[LeaderboardRow]) -> str:
    values = [axis.values[row.number] for row in rows]
    if axis.choices is not None:
        return " or ".join(axis.text(place) for place in sorted(set(values)))
    low, high = (int(one) if axis.whole else one for one in (min(values), max(values)))
    return axis.text(low) if low == high else f"{axis.text(low)} to {axis.text(high)}"
