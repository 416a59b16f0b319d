"""Where the time of a sweep went."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from keras_sweep.views.report.scale import Scale
from keras_sweep.views.report.svg import figure, label, px
from keras_sweep.views.summary import time_parts
from keras_sweep.views.terminal.text import seconds_text

LEFT, RIGHT, LINE = 90, 320, 22
LEAST_SHARE = 0.005  # with which a part is drawn


def time_bars(seconds: Mapping[str, float]) -> Markup | None:
    """A bar a part, largest first; None where no time is known."""
    parts, total = time_parts(seconds)
    shown = [part for part in parts if part.share >= LEAST_SHARE]
    if not shown:
        return None
    scale = Scale(0, max(part.share for part in shown), LEFT, RIGHT)
    drawn = []
    for index, part in enumerate(shown):
        y = 6 + index * LINE
        drawn.append(label(LEFT - 6, y + 12, part.name, anchor="end"))
        drawn.append(f'<path class="bar" d="M{LEFT} {y}H{px(scale(part.share))}v14H{LEFT}z"/>')
        text = f"{seconds_text(part.seconds)}, {part.share:.0%}"
        drawn.append(label(scale(part.share) + 5, y + 12, text, anchor="start"))
    said = ", ".join(f"{part.name} {seconds_text(part.seconds)}" for part in shown)
    return figure(
        "time-bars",
        "Time",
        f"{seconds_text(total)} of wall time: {said}.",
        "".join(drawn),
        (400, 10 + LINE * len(shown)),
        note=f"{seconds_text(total)} of wall time in all runs of this sweep.",
    )
