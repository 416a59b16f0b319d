"""Draw the parameters: all at once, each alone, and two together; and find ranges that end too soon."""

import math
import shlex
from collections.abc import Iterable, Sequence

from markupsafe import Markup
from markupsafe import escape as escape_html

from keras_sweep.record.facts import Facts
from keras_sweep.space.search_space import Objective
from keras_sweep.space.text import escape, pluralize
from keras_sweep.sweep.trust import allows_setting
from keras_sweep.views.leaderboard.rows import LeaderboardRow
from keras_sweep.views.report.drawings import dot, draw_axes, figure, label, line_path, px
from keras_sweep.views.report.facts import Axis, PageContent, Scale, axis_scale, axis_ticks
from keras_sweep.views.terminal.text import number_text, score_text

SPREAD = 13  # pixels over which the trials of a choice are spread
BEST_SHARE = 0.1  # of the trials, that words call "the best"
FEWEST_BEST = 5
LEVELS = 5  # of the objective, in the drawing of two parameters
AXIS_TOP, AXIS_FOOT, ABSENT = 34, 268, 290  # pixels; the line of a trial without the parameter is at ABSENT
MARGIN_LEFT, MARGIN_RIGHT = 90, 60
AXES_STEP, LEAST_WIDTH = 170, 1140  # pixels between axes; pixels of the whole, at least
OUTER = 0.1  # share of the range that counts as its edge


def best_tenth(rows: Sequence[LeaderboardRow]) -> Sequence[LeaderboardRow]:
    """Return the best tenth (at least FEWEST_BEST) of the `comparable` rows. `rows` are in order of rank."""
    compared = [row for row in rows if row.comparable]
    return compared[: max(FEWEST_BEST, round(len(compared) * BEST_SHARE))]


def draw_slice(index: int, axis: Axis, value: Axis, page: PageContent, drawn: Sequence[LeaderboardRow]) -> Markup:
    """Draw the objective (`value`) over a parameter (`axis`): a dot per trial `drawn`. The SVG's id ends in `index`."""
    across, up, parts = draw_axes(axis, value)
    for row in reversed(drawn):
        if row.value is not None and row.number in axis.values:
            parts.append(dot(row.number, _position(axis, row.number, across), up(row.value), page.colour(row.number)))
    words = f"{value.name} over {axis.name}. {_describe_best(axis, page.rows, page.sweep.objective)}"
    return figure(f"slice-{index}", axis.name, words, parts)


def draw_interaction(x: Axis, y: Axis, page: PageContent, drawn: Sequence[LeaderboardRow]) -> Markup:
    """Draw a dot for each trial `drawn`, by its values of two parameters. A darker dot has a better rank."""
    across, up, parts = draw_axes(x, y)
    scored = [row.number for row in page.rows if row.value is not None]
    level = {number: LEVELS - 1 - index * LEVELS // len(scored) for index, number in enumerate(scored)}
    for row in reversed(drawn):
        if row.number in level and row.number in x.values and row.number in y.values:
            place = _position(x, row.number, across), _position(y, row.number, up)
            parts.append(dot(row.number, *place, f"q{level[row.number]}{page.mark(row.number)}", "4"))
    both = [row for row in best_tenth(page.rows) if row.number in x.values and row.number in y.values]
    where = f" The best {len(both)} have {x.name} {_span(x, both)} and {y.name} {_span(y, both)}." if both else ""
    words = f"The strongest colour marks the best fifth of all trials.{where}"
    return figure("interaction", f"{x.name} with {y.name}", words, parts)


def _position(axis: Axis, number: int, scale: Scale) -> float:
    """Return a trial's pixel coordinate, or ABSENT without a value. Trials with equal choices are spread a little."""
    if number not in axis.values:
        return ABSENT
    jitter = (number * 7) % SPREAD - SPREAD // 2 if axis.choices is not None else 0
    return scale(axis.values[number]) + jitter


def _describe_best(axis: Axis, rows: Sequence[LeaderboardRow], objective: Objective) -> str:
    if axis.choices is None:
        leading = [row for row in best_tenth(rows) if row.number in axis.values]
        return f"The best {len(leading)} have {_span(axis, leading)}." if leading else ""
    texts = []
    for place, choice in enumerate(axis.choices):
        group = [row.value for row in rows if row.comparable and axis.values.get(row.number) == place]
        if values := [value for value in group if value is not None]:
            texts.append(f"{choice} {score_text(min(values, key=objective.key))} ({len(values)})")
    return f"The best value of each (and its number of trials): {', '.join(texts)}." if texts else ""


def _span(axis: Axis, rows: Sequence[LeaderboardRow]) -> str:
    values = [axis.values[row.number] for row in rows]
    if axis.choices is not None:
        return " or ".join(axis.text(place) for place in sorted(set(values)))
    low, high = axis.text(min(values)), axis.text(max(values))
    return low if low == high else f"{low} to {high}"


def draw_parallel(page: PageContent, value: Axis, drawn: Sequence[LeaderboardRow]) -> Markup:
    """Draw a line for each trial `drawn` across the axes of parameters and goals. The last axis is the objective."""
    axes, rows = [*page.axes, *page.goal_axes, value], [row for row in drawn if row.value is not None]
    width = max(LEAST_WIDTH, AXES_STEP * len(axes))
    step = (width - MARGIN_LEFT - MARGIN_RIGHT) / max(len(axes) - 1, 1)
    scales = [(MARGIN_LEFT + i * step, axis, axis_scale(axis, AXIS_FOOT, AXIS_TOP)) for i, axis in enumerate(axes)]
    parts = []
    for row in reversed(rows):
        line = line_path((x, _position(axis, row.number, scale)) for x, axis, scale in scales)
        parts.append(f'<path class="ln {page.colour(row.number)}" data-t="{row.number}" d="{line}"/>')
    absent = {axis.name for axis in axes if any(row.number not in axis.values for row in rows)}
    parts += [_draw_axis(axis, scale, x, axis.name in absent) for x, axis, scale in scales]
    lines = f"{pluralize(len(rows), 'trial')}, a line each; the worst quarter is at the edge of {value.name}"
    drag = "Drag along an axis to show only the trials in this range, in every drawing and in the table"
    words = f"{lines}. {drag}. Click the axis to show all."
    size = (width, (ABSENT if absent else AXIS_FOOT) + 12)
    return figure("parallel", "Parallel coordinates", words, parts, size=size)


def _draw_axis(axis: Axis, scale: Scale, x: float, absent: bool) -> str:
    marks = [(scale(value), text) for value, text in axis_ticks(axis, scale)] + ([(ABSENT, "none")] if absent else [])
    parts = [
        f'<path class="axis" d="M{px(x)} {AXIS_TOP - 4}V{AXIS_FOOT + 4}"/>',
        label(x, 18, axis.name, kind="l"),
        *(label(x - 8, y + 4, text, anchor="end", kind="t halo", longest=14) for y, text in marks),
        f'<rect class="hit" x="{px(x - 14)}" y="{AXIS_TOP - 8}" width="28" height="{AXIS_FOOT - AXIS_TOP + 16}"/>',
        f'<rect class="sel" x="{px(x - 7)}" y="0" width="14" height="0" visibility="hidden"/>',
    ]
    return f'<g class="brush" data-axis="{escape_html(escape(axis.name))}">{"".join(parts)}</g>'


def range_edges(page: PageContent) -> dict[str, str]:
    """Find ranges that end too soon. Return {setting that widens the range: why}, as {"learning_rate.max=10": "..."}.

    A range ends too soon if the tenth at an end has the best trial and at least half of the trials of `best_tenth`. An
    end that a space file can't move, for example the lowest momentum, 0, is left out.
    """
    edges = {}
    numbers = [row.number for row in best_tenth(page.rows)]
    for axis in page.axes:
        if axis.searched is None or not axis.searched[0] < axis.searched[1]:
            continue
        scale = Scale(*axis.searched, 0.0, 1.0, axis.log)
        shares = {number: scale(axis.values[number]) for number in numbers if number in axis.values}
        low = {number for number, share in shares.items() if share <= OUTER}
        high = {number for number, share in shares.items() if share >= 1 - OUTER}
        for end, limit, crowded in (("max", axis.searched[1], high), ("min", axis.searched[0], low)):
            if 2 * len(crowded) < len(shares) or crowded.isdisjoint(numbers[:1]):
                continue
            if (setting := _widen_range(axis, end, page.sweep.facts)) is not None:
                where = f"are in the last tenth before its {end}imum {axis.text(limit)}"
                edges[setting] = f"{axis.name}: {len(crowded)} of the best {len(shares)} trials {where}."
    return edges


def widening_call(name: str, settings: Iterable[str]) -> str:
    """Return the `sweep run` command that repeats the sweep `name` under a new name, with `--set` texts `settings`."""
    sets = " ".join(f"--set {shlex.quote(setting)}" for setting in settings)
    return f"sweep run SPACE.yaml --name {shlex.quote(name + '-wider')} {sets}"


def _widen_range(axis: Axis, end: str, facts: Facts) -> str | None:
    """Return the `--set` text that moves `end` ("min" or "max") outward, or None if no space file can move it."""
    assert axis.searched is not None
    low, high = axis.searched
    if end == "max":
        limit, beyond = high, high * 10 if axis.log else 2 * high if low >= 0 else high + (high - low)
    else:
        limit, beyond = low, low / 10 if axis.log else low / 2 if low > 0 else low - (high - low)
    rounded = math.ceil if end == "max" else math.floor
    value = rounded(beyond) if axis.whole else beyond
    setting = f"{axis.name}.{end}={number_text(value)}"
    return setting if value != limit and allows_setting(facts, setting) else None
