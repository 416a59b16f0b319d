"""Learning curves: the objective after each epoch, a line a trial; and the small ones of the table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from markupsafe import Markup

from keras_sweep.space.search_space import Objective
from keras_sweep.views.leaderboard.rows import LeaderboardRow
from keras_sweep.views.report.axes import Axis, clipped_range
from keras_sweep.views.report.colours import Colours
from keras_sweep.views.report.scale import Scale, along
from keras_sweep.views.report.svg import FOOT, LEFT, RIGHT, SIZE, TOP, cross_axes, figure, path
from keras_sweep.views.terminal.drawing import resampled
from keras_sweep.views.terminal.text import count_text

MOST_POINTS = 48  # of a line
SPARK = (80, 22)
SPARK_POINTS = 24


def learning_curves(rows: Sequence[LeaderboardRow], objective: Objective, colours: Colours) -> Markup | None:
    """The drawing; None where no trial has a curve of two epochs."""
    curves = {row.number: row.curve for row in rows if sum(map(math.isfinite, row.curve)) > 1}
    if not curves:
        return None
    low, high = curve_range(curves.values(), objective)
    epochs = Axis("epoch", 1, max(map(len, curves.values())), {}, whole=True)
    value = Axis(objective.name, low, high, {})
    across, up = along(epochs, LEFT, RIGHT), along(value, FOOT, TOP)
    parts = [cross_axes(epochs, value, across, up)]
    for place, row in reversed(list(enumerate(rows))):
        if row.number in curves:
            line = path(_points(row.curve, MOST_POINTS, across, up))
            pale = " pale" if 2 * place >= len(rows) else ""
            parts.append(f'<path class="ln {colours(row.number)}{pale}" data-t="{row.number}" d="{line}"/>')
    said = f"{count_text(len(curves), 'trial')} of up to {count_text(int(epochs.high), 'epoch')}"
    return figure(
        "curves",
        "Learning curves",
        f"{objective.name} after each epoch, {said}.",
        "".join(parts),
        SIZE,
        note=f"{said}, a line each, the winner’s thick, the worse half’s pale. Point at one to see it everywhere.",
    )


def curve_range(curves: Iterable[Sequence[float]], objective: Objective) -> tuple[float, float]:
    """A common range: from the best point to the one that a quarter of all points are worse than."""
    return clipped_range((point for curve in curves for point in curve), objective)


def sparkline(curve: Sequence[float], colour: str, height_of: Callable[[float], float]) -> Markup:
    """A small drawing of one curve for a cell of the table; `height_of` gives the share of its height."""
    if sum(map(math.isfinite, curve)) < 2:
        return Markup()
    width, height = SPARK
    across = Scale(1, max(len(curve), 2), 2, width - 2)
    up = Scale(0, 1, height - 3, 3)
    line = path(_points(curve, SPARK_POINTS, across, lambda value: up(height_of(value))))
    svg = '<svg class="sp" viewBox="0 0 {} {}" aria-hidden="true"><path class="{}" d="{}"/></svg>'
    return Markup(svg).format(width, height, colour, line)


def _points(
    curve: Sequence[float], most: int, across: Callable[[float], float], up: Callable[[float], float]
) -> list[tuple[float, float]]:
    """Places of the finite points, at most so many; the first and the last are among them."""
    places = resampled([float(index) for index in range(len(curve))], most)
    chosen = [(int(place), curve[int(place)]) for place in places]
    return [(across(index + 1), up(value)) for index, value in chosen if math.isfinite(value)]
