"""Importance drawn: a bar a parameter, with whiskers."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from keras_sweep.views.importance import MOST_RESAMPLED, RESAMPLES, Importance, settled
from keras_sweep.views.report.scale import Scale
from keras_sweep.views.report.svg import figure, label, px

LEFT, RIGHT, LINE = 150, 380, 28


def importance_bars(found: Sequence[Importance], trials: int) -> Markup:
    """The drawing."""
    height = LINE * len(found) + 44
    scale = Scale(0, 1, LEFT, RIGHT)
    foot = height - 26
    parts = [
        f'<path class="grid" d="M{px(scale(tick))} 8V{foot}"/>' + label(scale(tick), foot + 16, f"{tick:g}")
        for tick in (0.0, 0.5, 1.0)
    ]
    for index, one in enumerate(found):
        y = 14 + index * LINE
        end, low, high = (px(scale(share)) for share in (one.share, one.low, one.high))
        parts.append(label(LEFT - 8, y + 12, one.name, anchor="end", kind="l", longest=20))
        parts.append(f'<path class="bar" d="M{LEFT} {y}H{end}v16H{LEFT}z"/>')
        parts.append(f'<path class="wh" d="M{low} {y + 8}H{high}M{low} {y + 4}v8M{high} {y + 4}v8"/>')
    said = ", ".join(f"{one.name} {one.share:.2f} ({one.low:.2f} to {one.high:.2f})" for one in found)
    verdict = (
        f"In nearly all resamples {found[0].name} is the most important."
        if settled(found)
        else "The whiskers overlap: the order may change with more trials."
    )
    each = f" of {MOST_RESAMPLED} trials each" if trials > MOST_RESAMPLED else ""
    return figure(
        "importance-bars",
        "Importance",
        f"PED-ANOVA: {said}. {verdict}",
        "".join(parts),
        (400, height),
        note=f"How much a parameter matters for reaching the best tenth of {trials:,} trials (PED-ANOVA, shares of 1): "
        f"{said}. Whiskers: 90 % of {RESAMPLES} resamples{each}. {verdict}",
    )
