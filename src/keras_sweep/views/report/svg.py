"""Parts of drawings as SVG. Text is escaped here; a drawing has a title and a text that says what it shows."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

from keras_sweep.views.leaderboard.rows import LeaderboardRow
from keras_sweep.views.report.axes import Axis
from keras_sweep.views.report.colours import Colours
from keras_sweep.views.report.scale import Scale, ticks_of
from keras_sweep.views.terminal.text import safe, shorten

LONGEST_LABEL = 18
# of most drawings: the whole, and between which places its axes lie
SIZE = (400, 240)
LEFT, RIGHT, TOP, FOOT = 50, 390, 26, 196


def px(value: float) -> str:
    """A place to a tenth of a pixel, in few characters."""
    return f"{value:.1f}".removesuffix(".0")


def path(points: Iterable[tuple[float, float]]) -> str:
    """A line through points, as the `d` of a path."""
    return "M" + "L".join(f"{px(x)} {px(y)}" for x, y in points)


def label(
    x: float, y: float, text: str, *, anchor: str = "middle", kind: str = "t", longest: int = LONGEST_LABEL
) -> str:
    """A text at a place; `kind` is its class."""
    shown = escape(shorten(safe(text), longest))
    return f'<text class="{kind}" x="{px(x)}" y="{px(y)}" text-anchor="{anchor}">{shown}</text>'


def figure(name: str, title: str, description: str, body: str, size: tuple[int, int], *, note: str = "") -> Markup:
    """A drawing with its caption, which is the description unless a note is given."""
    width, height = size
    return Markup(
        '<figure id="{name}"><svg viewBox="0 0 {width} {height}" role="img" aria-labelledby="{name}-t {name}-d">'
        '<title id="{name}-t">{title}</title><desc id="{name}-d">{description}</desc>{body}</svg>'
        "<figcaption><b>{title}.</b> {note}</figcaption></figure>"
    ).format(
        name=name,
        width=width,
        height=height,
        title=safe(title),
        description=safe(description),
        body=Markup(body),  # made of escaped parts alone
        note=safe(note or description),
    )


def steps(points: Iterable[tuple[float, float]], end: float) -> str:
    """A line that goes on level from each point until the next one, and from the last one to `end`."""
    (x, y), *others = points
    return f"M{px(x)} {px(y)}" + "".join(f"H{px(x)}V{px(y)}" for x, y in others) + f"H{px(end)}"


def dot(row: LeaderboardRow, x: float, y: float, colours: Colours) -> str:
    """A trial."""
    return f'<circle class="pt {colours(row.number)}" data-t="{row.number}" cx="{px(x)}" cy="{px(y)}" r="3.2"/>'


def cross_axes(x: Axis, y: Axis, across: Scale, up: Scale) -> str:
    """Lines and numbers of a drawing with two axes."""
    left, right, foot, top = across.start, across.end, up.start, up.end
    parts = []
    for value, text in ticks_of(y, up):
        at = up(value)
        parts.append(f'<path class="grid" d="M{px(left)} {px(at)}H{px(right)}"/>')
        parts.append(label(left - 5, at + 4, text, anchor="end", longest=8))
    ticks = ticks_of(x, across, 4)
    room = max(int((right - left) / max(len(ticks), 1) / 6.5), 3)
    parts += [label(across(value), foot + 15, text, longest=room) for value, text in ticks]
    parts.append(f'<path class="axis" d="M{px(left)} {px(foot)}H{px(right)}"/>')
    parts.append(label((left + right) / 2, foot + 32, x.name, kind="l", longest=40))
    parts.append(label(4, top - 9, y.name, anchor="start", kind="l", longest=40))
    return "".join(parts)
