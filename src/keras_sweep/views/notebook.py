"""Leaderboards and trials as HTML for notebooks: plain tables that follow the notebook's light or dark theme."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from keras_sweep.space.search_space import Objective
from keras_sweep.space.text import escaped
from keras_sweep.trial.comparison import Comparison
from keras_sweep.trial.finalists import seed_scores
from keras_sweep.trial.result import Result
from keras_sweep.views.leaderboard.columns import leaderboard_columns, seeds_texts
from keras_sweep.views.leaderboard.notes import leaderboard_notes
from keras_sweep.views.leaderboard.rows import LeaderboardRow
from keras_sweep.views.terminal.table import Column
from keras_sweep.views.terminal.text import score_text, seconds_text, value_text

# currentColor and transparency alone, so that one style suits every theme
STYLE = (
    "<style>.keras-sweep table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    ".keras-sweep th,.keras-sweep td{padding:.2em .7em;text-align:left;border:0;background:none}"
    ".keras-sweep .n{text-align:right}"
    ".keras-sweep thead th{border-bottom:1px solid color-mix(in srgb,currentColor 40%,transparent)}"
    ".keras-sweep tr.best td{font-weight:600}"
    ".keras-sweep p,.keras-sweep caption{opacity:.75;margin:.3em 0;text-align:left;caption-side:top}"
    ".keras-sweep svg{vertical-align:middle}</style>"
)
CURVE_WIDTH, CURVE_HEIGHT = 240, 60  # of a drawing, in pixels


def leaderboard_html(
    rows: Sequence[LeaderboardRow],
    objective: Objective,
    *,
    comparison: Comparison | None = None,
    of: Sequence[LeaderboardRow],
    title: str = "",
    notes: bool = True,
) -> str:
    """A table of the rows; `of` is the whole leaderboard, whose notes stand below it."""
    if not rows:
        return _framed("<p>No trials.</p>")
    columns = leaderboard_columns(rows, of, objective)
    body = []
    for row in rows:
        body.append(_row(((column.text(row), column.number) for column in columns), best=row.winner))
        if row.seeds is not None:
            texts = ["", *seeds_texts(row.seeds), *[""] * (len(columns) - 3)]
            body.append(_row(((text, True) for text in texts), best=row.winner))
    head = [(column.head, column.number) for column in columns]
    said = leaderboard_notes(of, objective, comparison) if notes else []
    return _framed(_table(head, body, title) + "".join(f"<p>{_text(note)}</p>" for note in said))


def trial_html(result: Result, objective: Objective, *, winner: bool = False) -> str:
    """A trial's score, parameters and the curve of the objective."""
    score = score_text(result.value, result.stderr) if result.value is not None else str(result.state)
    what = f"{result.name}{' (the winner)' if winner else ''}: {objective.name} {score}"
    facts: Mapping[str, str] = {
        **{name: value_text(value) for name, value in result.params.items()},
        **({} if (seeds := seed_scores(result)) is None else dict([seeds_texts(seeds)])),
        "epochs trained": str(result.epochs),
        "time": seconds_text(result.seconds.total),
        **({"ended": result.reason} if result.reason else {}),
    }
    body = [_row([(name, False), (value, False)]) for name, value in facts.items()]
    return _framed(_table([], body, what) + curve_svg(result.curve.get(objective.name, ()), objective.name))


def answer_html(title: str, columns: Sequence[Column], lines: Iterable[str]) -> str:
    """A table as a terminal has it, and sentences below it."""
    head = [(column.header, column.right) for column in columns]
    cells = zip(*([(text.plain, column.right) for text in column.cells] for column in columns), strict=True)
    return _framed(_table(head, map(_row, cells), title) + "".join(f"<p>{_text(line)}</p>" for line in lines))


def curve_svg(values: Sequence[float], name: str) -> str:
    """A line of the values, epoch by epoch, with a text that says what it shows; nothing for fewer than two."""
    values = [value for value in values if math.isfinite(value)]
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    scale = (CURVE_HEIGHT - 4) / (high - low) if high > low else 0.0
    step = (CURVE_WIDTH - 4) / (len(values) - 1)
    points = " ".join(f"{2 + i * step:.1f},{CURVE_HEIGHT - 2 - (v - low) * scale:.1f}" for i, v in enumerate(values))
    title = f"{name} over {len(values)} epochs, from {values[0]:.4g} to {values[-1]:.4g}"
    return (
        f'<svg role="img" width="{CURVE_WIDTH}" height="{CURVE_HEIGHT}" viewBox="0 0 {CURVE_WIDTH} {CURVE_HEIGHT}">'
        f'<title>{_text(title)}</title><polyline fill="none" stroke="currentColor" points="{points}"/></svg>'
    )


def _table(head: Iterable[tuple[str, bool]], body: Iterable[str], title: str) -> str:
    caption = f"<caption>{_text(title)}</caption>" if title else ""
    names = "".join(f'<th scope="col"{_number(number)}>{_text(name)}</th>' for name, number in head)
    header = f"<thead><tr>{names}</tr></thead>" if names else ""
    return f"<table>{caption}{header}<tbody>{''.join(body)}</tbody></table>"


def _row(cells: Iterable[tuple[str, bool]], *, best: bool = False) -> str:
    inner = "".join(f"<td{_number(number)}>{_text(text)}</td>" for text, number in cells)
    return f'<tr class="best">{inner}</tr>' if best else f"<tr>{inner}</tr>"


def _number(number: bool) -> str:
    return ' class="n"' if number else ""


def _framed(inner: str) -> str:
    return f'{STYLE}<div class="keras-sweep">{inner}</div>'


def _text(text: str) -> str:
    return escape(escaped(text))
