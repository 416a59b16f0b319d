"""Draw SVG for a report: helpers for all drawings, and the drawings of a whole search. All text is escaped here."""

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
from keras_sweep.views.report.facts import Axis, PageContent, Scale, axis_scale, axis_ticks, clip_range
from keras_sweep.views.summary import time_parts
from keras_sweep.views.terminal.text import resample, score_text, seconds_text, shorten

LONGEST_LABEL = 18
# Pixels of most drawings: the whole, and the ends of the axes.
SIZE = (400, 240)
LEFT, RIGHT, TOP, FOOT = 50, 390, 26, 196
MOST_POINTS = 48  # of a line
SPARK = (80, 22)
SPARK_POINTS = 24
NAMES, BARS_END, BAR_LINE = 120, 320, 24
MOST_NAMED = 8  # trials of a front that are listed in words
LEAST_SHARE = 0.005  # of the time; a smaller part is not drawn


def px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def line_path(points: Iterable[tuple[float, float]]) -> str:
    """Return the attribute `d` of an SVG path through the points."""
    return "M" + "L".join(f"{px(x)} {px(y)}" for x, y in points)


def label(
    x: float, y: float, text: str, *, anchor: str = "middle", kind: str = "t", longest: int = LONGEST_LABEL
) -> str:
    """Return an SVG text at pixel (x, y), cut to `longest` characters. `anchor`: text-anchor. `kind`: the CSS class."""
    shown = escape_html(shorten(escape(text), longest))
    return f'<text class="{kind}" x="{px(x)}" y="{px(y)}" text-anchor="{anchor}">{shown}</text>'


def figure(name: str, title: str, words: str, parts: Iterable[str], *, size: tuple[float, float] = SIZE) -> Markup:
    """Return a drawing of `parts` (SVG elements) with the id `name`, a title, and `words` that describe the drawing."""
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
        body=Markup("".join(parts)),  # every part is escaped
    )


def stairs(points: Iterable[tuple[float, float]], end: float) -> str:
    """Return the attribute `d` of an SVG step line through the points. The line continues level to x = `end`."""
    (x, y), *later_points = points
    return f"M{px(x)} {px(y)}" + "".join(f"H{px(x)}V{px(y)}" for x, y in later_points) + f"H{px(end)}"


def dot(number: int, x: float, y: float, kind: str, radius: str = "3.2") -> str:
    return f'<circle class="pt {kind}" data-t="{number}" cx="{px(x)}" cy="{px(y)}" r="{radius}"/>'


def draw_axes(x: Axis, y: Axis) -> tuple[Scale, Scale, list[str]]:
    """Return the scale of x, the scale of y, and the SVG lines and numbers of both axes."""
    across, up = axis_scale(x, LEFT, RIGHT), axis_scale(y, FOOT, TOP)
    parts = []
    for value, text in axis_ticks(y, up):
        at = up(value)
        parts.append(f'<path class="grid" d="M{LEFT} {px(at)}H{RIGHT}"/>')
        parts.append(label(LEFT - 5, at + 4, text, anchor="end", longest=8))
    ticks = axis_ticks(x, across, 4)
    room = max(int((RIGHT - LEFT) / max(len(ticks), 1) / 6.5), 3)
    parts += [label(across(value), FOOT + 15, text, longest=room) for value, text in ticks]
    parts.append(f'<path class="axis" d="M{LEFT} {FOOT}H{RIGHT}"/>')
    parts.append(label((LEFT + RIGHT) / 2, FOOT + 32, x.name, kind="l", longest=40))
    parts.append(label(4, TOP - 9, y.name, anchor="start", kind="l", longest=40))
    return across, up, parts


def draw_front(goal: Axis, value: Axis, page: PageContent, drawn: Sequence[LeaderboardRow]) -> Markup:
    """Draw the objective (`value`) over another goal for the trials `drawn`. With two goals, add the Pareto front."""
    objective = page.sweep.objective
    places = [row.value for row in page.rows if row.front and row.value is not None]
    low, high = min([value.low, *places]), max([value.high, *places])
    across, up, parts = draw_axes(goal, replace(value, low=low, high=high))
    for row in reversed(drawn):
        if row.value is not None and row.number in goal.values:
            parts.append(dot(row.number, across(goal.values[row.number]), up(row.value), page.colour(row.number)))
    values_by_goal = {goal.values[row.number]: row.value for row in page.rows if row.front and row.value is not None}
    front = sorted(values_by_goal.items())
    if len(objective.further) == 1 and front:
        upward = objective.further[0].goal is Goal.MAXIMIZE
        line = stairs(((across(x), up(y)) for x, y in (front[::-1] if upward else front)), LEFT if upward else RIGHT)
        parts.append(f'<path class="best" d="{line}"/>')
    listed = ", ".join(f"{score_text(y)} at {goal.text(x)}" for x, y in front[:MOST_NAMED])
    words = f"{value.name} over {goal.name}. No other trial is as good in all goals and better in a goal: {listed}"
    more_listed = f" and {len(front) - MOST_NAMED} more" if len(front) > MOST_NAMED else ""
    return figure(f"front-{goal.name}", f"{value.name} and {goal.name}", f"{words}{more_listed}.", parts)


def draw_best_so_far(page: PageContent, drawn: Sequence[LeaderboardRow], value: Axis) -> list[Markup]:
    """Draw the best value so far over trials and over seconds. Dots are trials `drawn`. Return [] without values."""
    rows = page.rows
    best = improvements(page.sweep.results, page.sweep.objective, counts=comparable)
    if not best:
        return []
    spent, last = sum_seconds(page.sweep.results), best[-1]
    name = page.sweep.objective.name + (" of a single seed" if any(row.final for row in rows) else "")
    reached = f"The best {name}, {score_text(last.value)}, was first reached by trial {last.number}"
    places = {row.number: float(row.number) for row in rows}
    trials = Axis("trial", 0, max(max(places), 1), places, whole=True)
    seconds = Axis("seconds of training, summed over trials", 0, max(spent.values(), default=0.0) or 1.0, spent)

    def drawing(place: str, title: str, x: Axis, words: str) -> Markup:
        across, up, parts = draw_axes(x, value)
        for row in reversed(drawn):
            at = across(x.values.get(row.number, 0.0))
            if row.value is None:
                parts.append(f'<path class="no" data-t="{row.number}" d="M{px(at)} {FOOT}m-3-3l6 6m0-6l-6 6"/>')
            else:
                parts.append(dot(row.number, at, up(row.value), page.colour(row.number)))
        line = stairs(((across(x.values[result.number]), up(result.value or 0.0)) for result in best), RIGHT)
        return figure(place, title, f"{reached}{words}.", [*parts, f'<path class="best" d="{line}"/>'])

    by_trial = f" of {len(rows):,}. Each dot is a trial, the ring is the winner, the line is the best so far"
    sum_text = "the summed time of all trials for sampling, compiling and training"
    by_second = f", after {seconds_text(spent[last.number])} of {seconds_text(seconds.high)}, {sum_text}"
    return [
        drawing("best-by-trial", "Best so far by trial", trials, by_trial),
        drawing("best-by-second", "Best so far by time", seconds, by_second),
    ]


def draw_curves(page: PageContent, rows: Sequence[LeaderboardRow]) -> Markup | None:
    """Draw the learning curves of the rows. Return None if no trial has a curve of two epochs."""
    curves = {row.number: row.curve for row in rows if sum(map(math.isfinite, row.curve)) > 1}
    if not curves:
        return None
    name = page.sweep.objective.name
    low, high = clip_range((point for curve in curves.values() for point in curve), page.sweep.objective)
    longest = max(map(len, curves.values()))
    across, up, parts = draw_axes(Axis("epoch", 1, longest, {}, whole=True), Axis(name, low, high, {}))
    for place, row in reversed(list(enumerate(rows))):
        if row.number in curves:
            line = line_path(_curve_points(row.curve, MOST_POINTS, across, up))
            pale = " pale" if 2 * place >= len(rows) else ""
            parts.append(f'<path class="ln {page.colour(row.number)}{pale}" data-t="{row.number}" d="{line}"/>')
    subject = f"{name} of {pluralize(len(curves), 'trial')} over up to {pluralize(longest, 'epoch')}"
    words = (
        f"{subject}. The winner’s line is thick, the worse half is pale. Point at a line to see its trial everywhere."
    )
    return figure("curves", "Learning curves", words, parts)


def sparkline(curve: Sequence[float], colour: str, height_of: Callable[[float], float]) -> Markup:
    """Draw a small curve for a table cell. `colour` is a CSS class. `height_of` maps a value to a height (0 to 1)."""
    if sum(map(math.isfinite, curve)) < 2:
        return Markup()
    width, height = SPARK
    across = Scale(1, max(len(curve), 2), 2, width - 2)
    up = Scale(0, 1, height - 3, 3)
    line = line_path(_curve_points(curve, SPARK_POINTS, across, lambda value: up(height_of(value))))
    svg = '<svg class="sp" viewBox="0 0 {} {}" aria-hidden="true"><path class="{}" d="{}"/></svg>'
    return Markup(svg).format(width, height, colour, line)


def _curve_points(
    curve: Sequence[float], most: int, across: Callable[[float], float], up: Callable[[float], float]
) -> list[tuple[float, float]]:
    """Return (x, y) in pixels of at most `most` finite points. `across` maps an epoch to x, `up` a value to y."""
    places = resample([float(index) for index in range(len(curve))], most)
    chosen = [(int(place), curve[int(place)]) for place in places]
    return [(across(index + 1), up(value)) for index, value in chosen if math.isfinite(value)]


def draw_importance(shares: Sequence[Importance], trials: int) -> Markup:
    listed = ", ".join(f"{item.name} {item.share:.2f} ({item.low:.2f} to {item.high:.2f})" for item in shares)
    first = f"In nearly all resamples {shares[0].name} is the most important."
    verdict = first if is_settled(shares) else "The whiskers overlap: the order may change with more trials."
    sample_size = f" of {MOST_RESAMPLED} trials each" if trials > MOST_RESAMPLED else ""
    words = (
        f"How much each parameter matters for reaching the best tenth of {trials:,} trials (PED-ANOVA, shares of 1): "
        f"{listed}. Whiskers: 90 % of {RESAMPLES} resamples{sample_size}. {verdict}"
    )
    bars = [(item.name, item.share, f"{item.share:.2f}", item.low, item.high) for item in shares]
    return _draw_bars("importance-bars", "Importance", words, bars)


def draw_times(seconds: Mapping[str, float]) -> Markup | None:
    """Draw a bar for each part of a sweep, longest first. `seconds`: part -> time. Return None if no time is known."""
    parts = time_parts(seconds)
    total = sum(parts.values())
    shares = {name: value / total for name, value in parts.items() if total and value / total >= LEAST_SHARE}
    if not shares:
        return None
    bars = [(name, share, f"{seconds_text(parts[name])}, {share:.0%}", share, share) for name, share in shares.items()]
    listed = ", ".join(f"{name} {seconds_text(parts[name])}" for name in shares)
    return _draw_bars(
        "time-bars", "Time", f"{seconds_text(total)} of wall time in all runs of this sweep: {listed}.", bars
    )


def _draw_bars(name: str, title: str, description: str, bars: Sequence[tuple[str, float, str, float, float]]) -> Markup:
    """Draw `bars`: (name, length as a share, text, low and high end of the whisker). `name` is the drawing's id."""
    scale = Scale(0, max(high for *_, high in bars), NAMES, BARS_END)
    parts = []
    for index, (bar_name, share, words, low, high) in enumerate(bars):
        y = 6 + index * BAR_LINE
        parts.append(label(NAMES - 8, y + 12, bar_name, anchor="end"))
        parts.append(f'<path class="bar" d="M{NAMES} {y}H{px(scale(share))}v14H{NAMES}z"/>')
        if low < high:
            left, right = px(scale(low)), px(scale(high))
            parts.append(f'<path class="wh" d="M{left} {y + 7}H{right}M{left} {y + 3}v8M{right} {y + 3}v8"/>')
        parts.append(label(scale(high) + 5, y + 12, words, anchor="start"))
    return figure(name, title, description, parts, size=(400, 10 + BAR_LINE * len(bars)))
