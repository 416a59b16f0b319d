"""Drawings of the parameters: all at once, one and two at a time, and ranges that end too soon."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from keras_sweep.record.facts import Facts
from keras_sweep.space.search_space import Objective
from keras_sweep.space.text import escaped
from keras_sweep.sweep.recorded import allows_setting
from keras_sweep.views.leaderboard.rows import LeaderboardRow
from keras_sweep.views.report.axes import Axis, Scale, along, ticks_of
from keras_sweep.views.report.drawings import FOOT, LEFT, RIGHT, SIZE, TOP, cross_axes, dot, figure, label, path, px
from keras_sweep.views.report.facts import SweepFacts
from keras_sweep.views.terminal.text import count_text, number_text, score_text

SPREAD = 17  # places over which the trials of one choice are spread
BEST_SHARE = 0.1  # of the trials, that are "the best" in words
FEWEST_BEST = 5
LEVELS = 5  # of the objective, in the drawing of two parameters
AXIS_TOP, AXIS_FOOT, ABSENT = 34, 268, 290  # a trial that has not the parameter passes at ABSENT
MARGIN_LEFT, MARGIN_RIGHT = 90, 60
AXES_STEP, LEAST_WIDTH = 170, 1140  # pixels between axes; of the whole at least
LINE_SPREAD = 13  # pixels over which the trials of one choice are spread
MOST_AXES = 12
MOST_CURVED = 300  # trials: of more, straight lines are drawn, which a browser redraws four times as fast
OUTER = 0.1  # share of the range that is its edge


def best_of(rows: Sequence[LeaderboardRow]) -> Sequence[LeaderboardRow]:
    """The best tenth of the trials that can be compared, at least five."""
    compared = [row for row in rows if row.comparable]
    return compared[: max(FEWEST_BEST, round(len(compared) * BEST_SHARE))]


def slice_of(index: int, axis: Axis, value: Axis, facts: SweepFacts, drawn: Sequence[LeaderboardRow]) -> Markup:
    """The drawing of one parameter; the words are of all trials, the dots of those `drawn`."""
    across, up = along(axis, LEFT, RIGHT), along(value, FOOT, TOP)
    parts = [cross_axes(axis, value, across, up)]
    for row in reversed(drawn):
        if row.value is not None and row.number in axis.values:
            parts.append(dot(row, _place(axis, row.number, across), up(row.value), facts.colours))
    words = _words(axis, facts.rows, facts.objective)
    description = f"{value.name} over {axis.name}. {words}"
    return figure(f"slice-{index}", axis.name, description, "".join(parts), SIZE, note=words)


def interaction(x: Axis, y: Axis, facts: SweepFacts, drawn: Sequence[LeaderboardRow]) -> Markup:
    """Two parameters at once; the darker a dot, the better its trial ranks among all that have a value."""
    across, up = along(x, LEFT, RIGHT), along(y, FOOT, TOP)
    scored = [row.number for row in facts.rows if row.value is not None]
    level = {number: LEVELS - 1 - index * LEVELS // len(scored) for index, number in enumerate(scored)}
    parts = [cross_axes(x, y, across, up)]
    for row in reversed(drawn):
        if row.number in level and row.number in x.values and row.number in y.values:
            at = f'cx="{px(_place(x, row.number, across))}" cy="{px(_place(y, row.number, up, 5))}"'
            kind = f"pt q{level[row.number]}{facts.colours.mark(row.number)}"
            parts.append(f'<circle class="{kind}" data-t="{row.number}" {at} r="4"/>')
    both = [row for row in best_of(facts.rows) if row.number in x.values and row.number in y.values]
    where = f" The best {len(both)} lie at {x.name} {_span(x, both)} and {y.name} {_span(y, both)}." if both else ""
    return figure(
        "interaction",
        f"{x.name} with {y.name}",
        f"The trials over both, coloured by fifths of {facts.objective.name}.{where}",
        "".join(parts),
        SIZE,
        note=f"The stronger the colour, the better the fifth of all trials that it is in.{where}",
    )


def _place(axis: Axis, number: int, scale: Scale, spread: int = SPREAD) -> float:
    jitter = ((number * 37) % SPREAD - SPREAD // 2) * spread / SPREAD * 1.4 if axis.choices is not None else 0.0
    return scale(axis.values[number]) + jitter


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


def parallel(facts: SweepFacts, value: Axis, drawn: Sequence[LeaderboardRow]) -> Markup:
    """All parameters at once, a line a trial; the last axis is the objective."""
    axes, rows = facts.axes, [row for row in drawn if row.value is not None]
    shown = [*axes[: MOST_AXES - 1], value]
    width = max(LEAST_WIDTH, AXES_STEP * len(shown))
    places = [
        MARGIN_LEFT + index * (width - MARGIN_LEFT - MARGIN_RIGHT) / max(len(shown) - 1, 1)
        for index in range(len(shown))
    ]
    scales = [along(axis, AXIS_FOOT, AXIS_TOP) for axis in shown]
    line_of = _curve if len(rows) <= MOST_CURVED else path
    lines = []
    for row in reversed(rows):
        points = [(x, _height(axis, scale, row.number)) for x, axis, scale in zip(places, shown, scales, strict=True)]
        lines.append(f'<path class="ln {facts.colours(row.number)}" data-t="{row.number}" d="{line_of(points)}"/>')
    absent = {axis.name for axis in shown if any(row.number not in axis.values for row in rows)}
    brushed = [
        _brushed_axis(axis, scale, x, axis.name in absent) for x, axis, scale in zip(places, shown, scales, strict=True)
    ]
    names = ", ".join(axis.name for axis in shown)
    left_out = f" The first {MOST_AXES - 1} of {len(axes)} parameters are drawn." if len(axes) >= MOST_AXES else ""
    return figure(
        "parallel",
        "Parallel coordinates",
        f"{count_text(len(rows), 'trial')} across {names}; the same values stand in the table below.{left_out}",
        "".join(lines) + "".join(brushed),
        (width, (ABSENT if absent else AXIS_FOOT) + 12),
        note="Drag along an axis to keep only the trials in that stretch: every drawing and the table follow; a click "
        f"on the axis clears it. The worst quarter sits on the edge of {value.name}.{left_out}",
    )


def _height(axis: Axis, scale: Scale, number: int) -> float:
    value = axis.values.get(number)
    if value is None:
        return ABSENT
    jitter = ((number * 7) % LINE_SPREAD - LINE_SPREAD // 2) if axis.choices is not None else 0
    return scale(value) + jitter


def _curve(points: Sequence[tuple[float, float]]) -> str:
    """Flat at each axis, so that lines which cross at one can be told apart."""
    (x, y), *rest = points
    text = f"M{px(x)} {px(y)}"
    for x1, y1 in rest:
        middle = px((x + x1) / 2)
        text += f"C{middle} {px(y)} {middle} {px(y1)} {px(x1)} {px(y1)}"
        x, y = x1, y1
    return text


def _brushed_axis(axis: Axis, scale: Scale, x: float, absent: bool) -> str:
    parts = [
        f'<path class="axis" d="M{px(x)} {AXIS_TOP - 4}V{AXIS_FOOT + 4}"/>',
        label(x, 18, axis.name, kind="l"),
    ]
    parts += [
        label(x - 8, scale(value) + 4, text, anchor="end", kind="t halo", longest=14)
        for value, text in ticks_of(axis, scale)
    ]
    if absent:
        parts.append(label(x - 8, ABSENT + 4, "none", anchor="end", kind="t halo"))
    parts.append(
        f'<rect class="hit" x="{px(x - 14)}" y="{AXIS_TOP - 8}" width="28" height="{AXIS_FOOT - AXIS_TOP + 16}"/>'
    )
    parts.append(f'<rect class="sel" x="{px(x - 7)}" y="0" width="14" height="0" visibility="hidden"/>')
    return f'<g class="brush" data-axis="{escape(escaped(axis.name))}">{"".join(parts)}</g>'


@dataclass(frozen=True, slots=True)
class RangeEdge:
    """The best trials of a parameter crowd at one end."""

    name: str
    end: str  # "max" or "min"
    at: str  # the end, in words
    crowded: int  # of the best trials, so many lie in the outer tenth
    best: int
    setting: str  # "learning_rate.max=10", which the rules of space files allow


def range_edges(facts: SweepFacts) -> list[RangeEdge]:
    """One for each range in whose outer tenth half of the best trials or more lie, the very best among them.

    An end beyond which a space file may not go, as a momentum of 0, is none.
    """
    found = []
    numbers = [row.number for row in best_of(facts.rows)]
    for axis in facts.axes:
        best = [number for number in numbers if number in axis.values]
        if axis.given is None or not axis.given[0] < axis.given[1] or best[:1] != numbers[:1] or not best:
            continue
        for end, limit in (("max", axis.given[1]), ("min", axis.given[0])):
            crowded = [number for number in best if _share_towards(axis, axis.values[number], end) >= 1 - OUTER]
            if 2 * len(crowded) < len(best) or numbers[0] not in crowded:
                continue
            if (setting := _setting(axis, end, facts.record)) is not None:
                text = axis.text(int(limit) if axis.whole else limit)
                found.append(RangeEdge(axis.name, end, text, len(crowded), len(best), setting))
    return found


def widening_call(name: str, edges: Sequence[RangeEdge]) -> str | None:
    """The call that searches beyond all of the edges, under a name of its own; None without an edge."""
    sets = [f"--set {shlex.quote(edge.setting)}" for edge in edges]
    return f"sweep run SPACE.yaml --name {shlex.quote(name + '-wider')} {' '.join(sets)}" if sets else None


def _share_towards(axis: Axis, value: float, end: str) -> float:
    """How far a value lies towards an end of the range, from 0 to 1."""
    assert axis.given is not None
    place = math.log if axis.log and axis.given[0] > 0 else float
    low, high = place(axis.given[0]), place(axis.given[1])
    share = (place(value) - low) / (high - low)
    return share if end == "max" else 1 - share


def _setting(axis: Axis, end: str, facts: Facts) -> str | None:
    """A tenfold range where it is logarithmic, else a doubled one, if the space file with it has no fault."""
    assert axis.given is not None
    low, high = axis.given
    if axis.log:
        beyond = high * 10 if end == "max" else low / 10
    else:
        beyond = (2 * high if low >= 0 else high + (high - low)) if end == "max" else low - (high - low)
    tries: list[float] = [beyond] if not axis.whole else [math.ceil(beyond) if end == "max" else math.floor(beyond)]
    if end == "min" and low > 0 and beyond <= 0:
        tries.append(1 if axis.whole else low / 2)
    for value in tries:
        if value == (high if end == "max" else low):
            continue
        setting = f"{axis.name}.{end}={number_text(value)}"
        if allows_setting(facts, setting):
            return setting
    return None
