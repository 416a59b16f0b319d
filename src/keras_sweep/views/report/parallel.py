"""Parallel coordinates: a line a trial through all parameters to the objective. The axes are brushed by report.js."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from keras_sweep.views.leaderboard.rows import LeaderboardRow
from keras_sweep.views.report.axes import Axis
from keras_sweep.views.report.colours import Colours
from keras_sweep.views.report.scale import Scale, along, ticks_of
from keras_sweep.views.report.svg import figure, label, path, px
from keras_sweep.views.terminal.text import count_text, safe

TOP, FOOT, ABSENT = 34, 268, 290  # a trial that has not the parameter passes at ABSENT
LEFT, RIGHT = 90, 60
STEP, LEAST = 170, 1140  # pixels between axes; of the whole at least
SPREAD = 13  # pixels over which the trials of one choice are spread
MOST_AXES = 12
MOST_CURVED = 300  # trials: of more, straight lines are drawn, which a browser redraws four times as fast


def parallel(rows: Sequence[LeaderboardRow], axes: Sequence[Axis], value: Axis, colours: Colours) -> Markup:
    """The drawing of the rows, best first; the last axis is the objective."""
    shown = [*axes[: MOST_AXES - 1], value]
    width = max(LEAST, STEP * len(shown))
    places = [LEFT + index * (width - LEFT - RIGHT) / max(len(shown) - 1, 1) for index in range(len(shown))]
    scales = [along(axis, FOOT, TOP) for axis in shown]
    line_of = _curve if len(rows) <= MOST_CURVED else path
    lines = []
    for row in reversed(rows):
        points = [(x, _height(axis, scale, row.number)) for x, axis, scale in zip(places, shown, scales, strict=True)]
        lines.append(f'<path class="ln {colours(row.number)}" data-t="{row.number}" d="{line_of(points)}"/>')
    absent = {axis.name for axis in shown if any(row.number not in axis.values for row in rows)}
    drawn = [_axis(axis, scale, x, axis.name in absent) for x, axis, scale in zip(places, shown, scales, strict=True)]
    names = ", ".join(axis.name for axis in shown)
    left_out = f" The first {MOST_AXES - 1} of {len(axes)} parameters are drawn." if len(axes) >= MOST_AXES else ""
    return figure(
        "parallel",
        "Parallel coordinates",
        f"{count_text(len(rows), 'trial')} across {names}; the same values stand in the table below.{left_out}",
        "".join(lines) + "".join(drawn),
        (width, (ABSENT if absent else FOOT) + 12),
        note="Drag along an axis to keep only the trials in that stretch: every drawing and the table follow; a click "
        f"on the axis clears it. The worst quarter sits on the edge of {value.name}.{left_out}",
    )


def _height(axis: Axis, scale: Scale, number: int) -> float:
    value = axis.values.get(number)
    if value is None:
        return ABSENT
    jitter = ((number * 7) % SPREAD - SPREAD // 2) if axis.choices is not None else 0
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


def _axis(axis: Axis, scale: Scale, x: float, absent: bool) -> str:
    parts = [f'<path class="axis" d="M{px(x)} {TOP - 4}V{FOOT + 4}"/>', label(x, 18, axis.name, kind="l")]
    parts += [
        label(x - 8, scale(value) + 4, text, anchor="end", kind="t halo", longest=14)
        for value, text in ticks_of(axis, scale)
    ]
    if absent:
        parts.append(label(x - 8, ABSENT + 4, "none", anchor="end", kind="t halo"))
    parts.append(f'<rect class="hit" x="{px(x - 14)}" y="{TOP - 8}" width="28" height="{FOOT - TOP + 16}"/>')
    parts.append(f'<rect class="sel" x="{px(x - 7)}" y="0" width="14" height="0" visibility="hidden"/>')
    return f'<g class="brush" data-axis="{escape(safe(axis.name))}">{"".join(parts)}</g>'
