"""Drawings as files of their own: a trial's curves, the best of a leaderboard. SVG, without a page around it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from keras_sweep.errors import UsageError
from keras_sweep.space.objective import Objective
from keras_sweep.trial.ranking import loss_name
from keras_sweep.trial.result import Result
from keras_sweep.views.leaderboard.rows import LeaderboardRow, varying_names
from keras_sweep.views.report.axes import Axis
from keras_sweep.views.report.scale import Scale, along, ticks_of
from keras_sweep.views.report.svg import cross_axes, label, path, px
from keras_sweep.views.terminal.text import safe, score_text, value_text

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #57606a; }
text.l, text.h { fill: #1b1f24; }
text.h { font-size: 15px; font-weight: 600; }
path.grid { stroke: #dfe3e8; fill: none; }
path.axis { stroke: #57606a; fill: none; }
path.ours { stroke: #00699e; stroke-width: 2; fill: none; }
path.training { stroke: #b35900; stroke-width: 2; stroke-dasharray: 5 3; fill: none; }
circle { fill: #00699e; }
circle.tie { fill: #b35900; }
circle.scored { fill: none; stroke: #1b1f24; stroke-width: 2; }
path.error { stroke: #1b1f24; fill: none; }
"""  # dashed and coloured: told apart by every eye, and in print
MOST_ROWS = 30
ROW = 22  # pixels
LONGEST = 24  # characters of a value
PANEL = (460, 300)
LEFT, RIGHT, TOP, FOOT = 56, 440, 76, 256


def trial_plot(result: Result, objective: Objective, *, sweep: str) -> str:
    """The objective and the loss after each epoch, on validation and on training rows; the scored epoch is ringed."""
    names = [name for name in dict.fromkeys((objective.name, loss_name(objective))) if name in result.curve]
    if not names:
        raise UsageError(f"trial {result.number} has no curve to draw", hint="It ended before its first epoch")
    body = "".join(
        f'<g transform="translate({index * PANEL[0]} 0)">{_panel(name, result)}</g>' for index, name in enumerate(names)
    )
    score = score_text(result.value, result.stderr)
    title = f"{sweep}, trial {result.number}: {objective.name} {score}"
    what = f"{' and '.join(names)} after each of {result.epochs} epochs"
    return _document(title, what, body, PANEL[0] * len(names), PANEL[1])


def _panel(name: str, result: Result) -> str:
    ours, training = result.curve[name], result.curve.get(name.removeprefix("val_"), ())
    points = [value for value in (*ours, *training) if math.isfinite(value)] or [0.0]
    epochs = Axis("epoch", 1, max(result.epochs, 2), {}, whole=True)
    value = Axis(name, min(points), max(points), {})
    across, up = along(epochs, LEFT, RIGHT), along(value, FOOT, TOP)
    parts = [cross_axes(epochs, value, across, up)]
    if name.startswith("val_") and training:
        parts.append(_line(training, "training", across, up))
        parts.append(label(RIGHT, TOP - 9, "dashed: training rows", anchor="end", longest=40))
    parts.append(_line(ours, "ours", across, up))
    if result.epoch is not None and result.epoch <= len(ours) and math.isfinite(ours[result.epoch - 1]):
        x, y = across(result.epoch), up(ours[result.epoch - 1])
        parts.append(f'<circle class="scored" cx="{px(x)}" cy="{px(y)}" r="6"/>')
    return "".join(parts)


def _line(values: Sequence[float], kind: str, across: Scale, up: Scale) -> str:
    places = [(across(epoch), up(value)) for epoch, value in enumerate(values, start=1) if math.isfinite(value)]
    if len(places) == 1:
        return f'<circle class="{kind}" cx="{px(places[0][0])}" cy="{px(places[0][1])}" r="3"/>'
    return f'<path class="{kind}" d="{path(places)}"/>' if places else ""


def leaderboard_plot(
    rows: Sequence[LeaderboardRow], objective: Objective, *, sweep: str, of: Sequence[LeaderboardRow]
) -> str:
    """The rows that have a value, in their order, each a point with its standard error; at most `MOST_ROWS`.

    Where finalists decided, the point of a recipe is its mean over seeds, by which it ranks.
    Raises UsageError where none has a value. `of` is the whole leaderboard, which says what parameters differ.
    """
    shown = [row for row in rows if row.value is not None and math.isfinite(row.value)][:MOST_ROWS]
    if not shown:
        raise UsageError(f"no trial of {sweep!r} that could be drawn has a value", hint="`sweep show` says why")
    scores = [_score(row) for row in shown]
    low, high = min(value - error for value, error in scores), max(value + error for value, error in scores)
    names = varying_names(of)
    cells = [_cells(row, names) for row in shown]
    heads = ["trial", *names]
    widths = [12 + 7 * min(max(len(text) for text in column), LONGEST) for column in zip(heads, *cells, strict=True)]
    ends = list(itertools.accumulate(widths, initial=0.0))[1:]
    left, foot = ends[-1] + 18, TOP + ROW * len(shown)
    axis = Axis(objective.name, low, high, {})
    across = along(axis, left, left + 400)
    parts = [
        label(end, TOP - 14, head, anchor="end", kind="l", longest=LONGEST)
        for end, head in zip(ends, heads, strict=True)
    ]
    for value, text in ticks_of(axis, across):
        parts.append(f'<path class="grid" d="M{px(across(value))} {TOP - 8}V{px(foot)}"/>')
        parts.append(label(across(value), foot + 16, text))
    parts.append(label(left + 200, foot + 34, objective.name, kind="l", longest=40))
    for index, row in enumerate(shown):
        y, (value, error) = TOP + ROW * index + ROW / 2, scores[index]
        parts += [
            label(end, y + 4, text, anchor="end", longest=LONGEST) for end, text in zip(ends, cells[index], strict=True)
        ]
        if error:
            parts.append(f'<path class="error" d="M{px(across(value - error))} {px(y)}H{px(across(value + error))}"/>')
        tie = ' class="tie"' if row.tie else ""
        parts.append(f'<circle{tie} cx="{px(across(value))}" cy="{px(y)}" r="4"/>')
    title = f"{sweep}: {len(shown)} of {len(of)} trials by {objective.name}"
    what = f"from {score_text(scores[0][0])} to {score_text(scores[-1][0])}, bars are standard errors"
    if any(row.final for row in shown):
        what += "; ×n is the mean over n seeds"
    if any(row.tie for row in shown):
        what += "; orange ones tie with the best"
    return _document(title, what, "".join(parts), round(left) + 420, round(foot) + 46)


def _score(row: LeaderboardRow) -> tuple[float, float]:
    """The value that a row ranks by, and its standard error."""
    if row.final and row.seeds is not None:
        return row.seeds.mean, row.seeds.stderr or 0.0
    return row.value or 0.0, row.stderr or 0.0


def _cells(row: LeaderboardRow, names: Sequence[str]) -> list[str]:
    seeds = f" ×{row.seeds.count}" if row.final and row.seeds is not None else ""
    return [f"{row.number}{seeds}", *(value_text(row.params[n]) if n in row.params else "" for n in names)]


def _document(title: str, what: str, body: str, width: int, height: int) -> str:
    head = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img">'
        "<title>{title}</title><desc>{what}</desc><style>{style}</style>"
        '<rect width="{w}" height="{h}" fill="#fff"/><text class="h" x="8" y="20">{title}</text>'
        '<text x="8" y="38">{what}</text>'
    ).format(w=width, h=height, title=safe(title), what=safe(what), style=Markup(escape(STYLE)))
    return f"{head}{body}</svg>\n"
