"""Sweeps beside each other as one self-contained page, in the style of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from markupsafe import Markup

from keras_sweep.space.text import escaped
from keras_sweep.sweep.side_by_side import Side, SideBySide
from keras_sweep.trial.result import Result
from keras_sweep.views.compare import fact_rows, verdict_lines
from keras_sweep.views.report.axes import Axis, along, clipped_range
from keras_sweep.views.report.drawings import cross_axes, figure, steps
from keras_sweep.views.report.page import rendered
from keras_sweep.views.terminal.text import score_text

SIZE = (480, 260)
LEFT, RIGHT, TOP, FOOT = 50, 470, 26, 216
COLOURS = 7  # in report.css
MARK = '<meta name="generator" content="keras-sweep compare">'


def compare_page(found: SideBySide, written: datetime) -> str:
    """The page as a string of HTML, which asks for nothing and runs no script."""
    return rendered(
        "compare.html.j2",
        written,
        names=[escaped(side.name) for side in found.sides],
        metric=escaped(found.objective.name),
        goal=found.objective.goal.value,
        verdict=verdict_lines(found),
        rows=fact_rows(found),
        drawings=list(_drawings(found)),
    )


def _drawings(found: SideBySide) -> Iterator[Markup]:
    trials = max(max(result.number for result in side.results) for side in found.sides)
    yield _laid_over(found, "trial", trials, lambda _, result: result.number, lambda side: len(side.results) - 1)
    seconds = max(side.seconds for side in found.sides)
    yield _laid_over(
        found,
        "seconds of trials, summed",
        seconds,
        lambda side, result: side.spent[result.number],
        lambda side: side.seconds,
    )


def _laid_over(
    found: SideBySide,
    over: str,
    high: float,
    place: Callable[[Side, Result], float],
    end: Callable[[Side], float],
) -> Markup:
    """The best value so far of every sweep, each a line of steps."""
    values = [result.value for side in found.sides for result in side.improvements if result.value is not None]
    low, top = clipped_range(values, found.objective)
    y, x = Axis(found.objective.name, low, top, {}), Axis(over, 0.0, high or 1.0, {}, whole=over == "trial")
    across, up = along(x, LEFT, RIGHT), along(y, FOOT, TOP)
    parts, said = [cross_axes(x, y, across, up)], []
    for index, side in enumerate(found.sides):
        points = ((across(place(side, one)), up(one.value or 0.0)) for one in side.improvements)
        parts.append(f'<path class="ln hot k{index % COLOURS + 1}" d="{steps(points, across(end(side)))}"/>')
        said.append(f"{side.name} comes to {score_text(side.improvements[-1].value)}")
    title = f"Best so far by {'trial' if over == 'trial' else 'time'}"
    seed = ", each trial with the seed of its search" if any(side.over_seeds for side in found.sides) else ""
    return figure(f"by-{over.split()[0]}", title, f"{'; '.join(said)}{seed}.", "".join(parts), SIZE)
