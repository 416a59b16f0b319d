"""Drawings as SVG: their parts, and those of the search as a whole. Text is escaped here."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from markupsafe import Markup
from markupsafe import escape as escape_html

from keras_sweep.space.search_space import Goal
from keras_sweep.space.text import escape, pluralize
from keras_sweep.trial.ranking import comparable, improvements, sum_seconds
from keras_sweep.views.importance import MOST_RESAMPLED, RESAMPLES, Importance, is_settled
from keras_sweep.views.leaderboard.rows import LeaderboardRow
from keras_sweep.views.report.facts import Axis, PageContent, Scale, along, clip_range, ticks_of
from keras_sweep.views.summary import time_parts
from keras_sweep.views.terminal.text import resample, score_text, seconds_text, shorten

LONGEST_LABEL = 18
# of most drawings: the whole, and between which places its axes lie
SIZE = (400, 240)
LEFT, RIGHT, TOP, FOOT = 50, 390, 26, 196
MOST_POINTS = 48  # of a line
SPARK = (80, 22)
SPARK_POINTS = 24
NAMES, BARS_END, BAR_LINE = 120, 320, 24
MOST_SAID = 8  # trials of a front
LEAST_SHARE = 0.005  # with which a part is drawn


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
    shown = escape_html(shorten(escape(text), longest))
    return f'<text class="{kind}" x="{px(x)}" y="{px(y)}" text-anchor="{anchor}">{shown}</text>'


def figure(name: str, title: str, words: str, parts: Iterable[str], *, size: tuple[float, float] = SIZE) -> Markup:
    """A drawing with a caption, whose words say what it shows."""
    return Markup(
        '<figure id="{name}"><svg viewBox="0 0 {width} {height}" role="img" aria-labelledby="{name}-t {name}-d">'
        '<title id="{name}-t">{title}</title><desc id="{name}-d">{words}</desc>{body}</svg>'
        "<figcaption><b>{title}.</b> {words}</figcaption></figure>"
    ).format(
        name=name,
        width=int(size[0]),
        height=int(size[1]),
        title=escape(title),
        words=escape(words),
        body=Markup("".join(parts)),  # made of escaped parts alone
    )


def steps(points: Iterable[tuple[float, float]], end: float) -> str:
    """A line that goes on level from each point until the next one, and from the last one to `end`."""
    (x, y), *others = points
    return f"M{px(x)} {px(y)}" + "".join(f"H{px(x)}V{px(y)}" for x, y in others) + f"H{px(end)}"


def dot(number: int, x: float, y: float, kind: str, radius: str = "3.2") -> str:
    return f'<circle class="pt {kind}" data-t="{number}" cx="{px(x)}" cy="{px(y)}" r="{radius}"/>'


def draw_axes(x: Axis, y: Axis) -> tuple[Scale, Scale, list[str]]:
    """(scale across, scale up, lines and numbers) of a drawing with two axes."""
    across, up = along(x, LEFT, RIGHT), along(y, FOOT, TOP)
    parts = []
    for value, text in ticks_of(y, up):
        at = up(value)
        parts.append(f'<path class="grid" d="M{LEFT} {px(at)}H{RIGHT}"/>')
        parts.append(label(LEFT - 5, at + 4, text, anchor="end", longest=8))
    ticks = ticks_of(x, across, 4)
    room = max(int((RIGHT - LEFT) / max(len(ticks), 1) / 6.5), 3)
    parts += [label(across(value), FOOT + 15, text, longest=room) for value, text in ticks]
    parts.append(f'<path class="axis" d="M{LEFT} {FOOT}H{RIGHT}"/>')
    parts.append(label((LEFT + RIGHT) / 2, FOOT + 32, x.name, kind="l", longest=40))
    parts.append(label(4, TOP - 9, y.name, anchor="start", kind="l", longest=40))
    return across, up, parts


def pareto(goal: Axis, value: Axis, facts: PageContent, drawn: Sequence[LeaderboardRow]) -> Markup:
    """The drawing of a further goal beside the first one; where there are no others, with the line of the front."""
    objective = facts.sweep.objective
    places = [row.value for row in facts.rows if row.front and row.value is not None]
    low, high = min([value.low, *places]), max([value.high, *places])
    across, up, parts = draw_axes(goal, replace(value, low=low, high=high))
    for row in reversed(drawn):
        if row.value is not None and row.number in goal.values:
            parts.append(dot(row.number, across(goal.values[row.number]), up(row.value), facts.colour(row.number)))
    held = {goal.values[row.number]: row.value for row in facts.rows if row.front and row.value is not None}
    front = sorted(held.items())
    if len(objective.further) == 1 and front:
        more = objective.further[0].goal is Goal.MAXIMIZE
        line = steps(((across(x), up(y)) for x, y in (front[::-1] if more else front)), LEFT if more else RIGHT)
        parts.append(f'<path class="best" d="{line}"/>')
    said = ", ".join(f"{score_text(y)} at {goal.text(x)}" for x, y in front[:MOST_SAID])
    words = f"{value.name} over {goal.name}. No other trial is as good in all goals and better in one: {said}"
    more_said = f" and {len(front) - MOST_SAID} more" if len(front) > MOST_SAID else ""
    return figure(f"front-{goal.name}", f"{value.name} and {goal.name}", f"{words}{more_said}.", parts)


def best_so_far(facts: PageContent, drawn: Sequence[LeaderboardRow], value: Axis) -> list[Markup]:
    """Two drawings, by trial and by second. The line is of all trials, the dots are of those `drawn`."""
    rows = facts.rows
    best = improvements(facts.sweep.results, facts.sweep.objective, counts=comparable)
    if not best:
        return []
    spent, last = sum_seconds(facts.sweep.results), best[-1]
    name = facts.sweep.objective.name + (" of one seed" if any(row.final for row in rows) else "")
    reached = f"The best {name}, {score_text(last.value)}, was first reached by trial {last.number}"
    places = {row.number: float(row.number) for row in rows}
    trials = Axis("trial", 0, max(max(places), 1), places, whole=True)
    seconds = Axis("seconds of training, summed", 0, max(spent.values(), default=0.0) or 1.0, spent)

    def drawing(place: str, title: str, x: Axis, words: str) -> Markup:
        across, up, parts = draw_axes(x, value)
        for row in reversed(drawn):
            at = across(x.values.get(row.number, 0.0))
            if row.value is None:
                parts.append(f'<path class="no" data-t="{row.number}" d="M{px(at)} {FOOT}m-3-3l6 6m0-6l-6 6"/>')
            else:
                parts.append(dot(row.number, at, up(row.value), facts.colour(row.number)))
        line = steps(((across(x.values[one.number]), up(one.value or 0.0)) for one in best), RIGHT)
        return figure(place, title, f"{reached}{words}.", [*parts, f'<path class="best" d="{line}"/>'])

    of = f" of {len(rows):,}. Each dot is a trial, the ring the winner, the line the best so far"
    took = "what each trial took of sampling, compiling and training, one after the other"
    after = f", after {seconds_text(spent[last.number])} of {seconds_text(seconds.high)}: {took}"
    return [
        drawing("best-by-trial", "Best so far by trial", trials, of),
        drawing("best-by-second", "Best so far by time", seconds, after),
    ]


def learning_curves(facts: PageContent, rows: Sequence[LeaderboardRow]) -> Markup | None:
    """The drawing; None where no trial has a curve of two epochs."""
    curves = {row.number: row.curve for row in rows if sum(map(math.isfinite, row.curve)) > 1}
    if not curves:
        return None
    name = facts.sweep.objective.name
    low, high = clip_range((point for curve in curves.values() for point in curve), facts.sweep.objective)
    longest = max(map(len, curves.values()))
    across, up, parts = draw_axes(Axis("epoch", 1, longest, {}, whole=True), Axis(name, low, high, {}))
    for place, row in reversed(list(enumerate(rows))):
        if row.number in curves:
            line = path(_points(row.curve, MOST_POINTS, across, up))
            pale = " pale" if 2 * place >= len(rows) else ""
            parts.append(f'<path class="ln {facts.colour(row.number)}{pale}" data-t="{row.number}" d="{line}"/>')
    said = f"{name} of {pluralize(len(curves), 'trial')}, a line each, over up to {pluralize(longest, 'epoch')}"
    words = f"{said}: the winner’s is thick, the worse half’s are pale. Point at one to see it everywhere."
    return figure("curves", "Learning curves", words, parts)


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
    places = resample([float(index) for index in range(len(curve))], most)
    chosen = [(int(place), curve[int(place)]) for place in places]
    return [(across(index + 1), up(value)) for index, value in chosen if math.isfinite(value)]


def importance_bars(found: Sequence[Importance], trials: int) -> Markup:
    said = ", ".join(f"{one.name} {one.share:.2f} ({one.low:.2f} to {one.high:.2f})" for one in found)
    first = f"In nearly all resamples {found[0].name} is the most important."
    verdict = first if is_settled(found) else "The whiskers overlap: the order may change with more trials."
    each = f" of {MOST_RESAMPLED} trials each" if trials > MOST_RESAMPLED else ""
    words = (
        f"How much a parameter matters for reaching the best tenth of {trials:,} trials (PED-ANOVA, shares of 1): "
        f"{said}. Whiskers: 90 % of {RESAMPLES} resamples{each}. {verdict}"
    )
    bars = [(one.name, one.share, f"{one.share:.2f}", one.low, one.high) for one in found]
    return _bars("importance-bars", "Importance", words, bars)


def time_bars(seconds: Mapping[str, float]) -> Markup | None:
    """A bar a part, largest first; None where no time is known."""
    parts = time_parts(seconds)
    total = sum(parts.values())
    shares = {name: value / total for name, value in parts.items() if total and value / total >= LEAST_SHARE}
    if not shares:
        return None
    bars = [(name, one, f"{seconds_text(parts[name])}, {one:.0%}", one, one) for name, one in shares.items()]
    said = ", ".join(f"{name} {seconds_text(parts[name])}" for name in shares)
    return _bars("time-bars", "Time", f"{seconds_text(total)} of wall time in all runs of this sweep: {said}.", bars)


def _bars(name: str, title: str, description: str, bars: Sequence[tuple[str, float, str, float, float]]) -> Markup:
    """A line for each (name, share, words, ends of its whisker)."""
    scale = Scale(0, max(high for *_, high in bars), NAMES, BARS_END)
    parts = []
    for index, (what, share, words, low, high) in enumerate(bars):
        y = 6 + index * BAR_LINE
        parts.append(label(NAMES - 8, y + 12, what, anchor="end"))
        parts.append(f'<path class="bar" d="M{NAMES} {y}H{px(scale(share))}v14H{NAMES}z"/>')
        if low < high:
            left, right = px(scale(low)), px(scale(high))
            parts.append(f'<path class="wh" d="M{left} {y + 7}H{right}M{left} {y + 3}v8M{right} {y + 3}v8"/>')
        parts.append(label(scale(high) + 5, y + 12, words, anchor="start"))
    return figure(name, title, description, parts, size=(400, 10 + BAR_LINE * len(bars)))
