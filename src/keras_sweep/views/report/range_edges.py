"""Parameters whose best trials lie at an edge of the range that was searched, and the call that searches beyond it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keras_sweep.sweep.widened import allows_setting
from keras_sweep.views.leaderboard.rows import LeaderboardRow
from keras_sweep.views.report.axes import Axis
from keras_sweep.views.report.slices import best_of
from keras_sweep.views.terminal.text import number_text

OUTER = 0.1  # share of the range that is its edge


@dataclass(frozen=True, slots=True)
class RangeEdge:
    """The best trials of a parameter crowd at one end."""

    name: str
    end: str  # "max" or "min"
    at: str  # the end, in words
    crowded: int  # of the best trials, so many lie in the outer tenth
    best: int
    setting: str  # "learning_rate.max=10", which the rules of space files allow


def range_edges(axes: Sequence[Axis], rows: Sequence[LeaderboardRow], attributes: Mapping[str, Any]) -> list[RangeEdge]:
    """One for each range in whose outer tenth half of the best trials or more lie, the very best among them.

    An end beyond which a space file may not go, as a momentum of 0, is none.
    """
    found = []
    first = next((row.number for row in best_of(rows)), None)
    for axis in axes:
        best = [row for row in best_of(rows) if row.number in axis.values]
        if axis.given is None or not axis.given[0] < axis.given[1] or first not in axis.values:
            continue
        for end in ("max", "min"):
            crowded = [row for row in best if _share(axis, axis.values[row.number], end) >= 1 - OUTER]
            if 2 * len(crowded) < len(best) or first not in [row.number for row in crowded]:
                continue
            if (setting := _setting(axis, end, attributes)) is not None:
                limit = axis.given[1] if end == "max" else axis.given[0]
                text = axis.text(int(limit) if axis.whole else limit)
                found.append(RangeEdge(axis.name, end, text, len(crowded), len(best), setting))
    return found


def widening_call(name: str, edges: Sequence[RangeEdge]) -> str | None:
    """The call that searches beyond all of the edges, under a name of its own; None without an edge."""
    sets = [f"--set {shlex.quote(edge.setting)}" for edge in edges]
    return f"sweep run SPACE.yaml --name {shlex.quote(name + '-wider')} {' '.join(sets)}" if sets else None


def _share(axis: Axis, value: float, end: str) -> float:
    """How far a value lies towards an end of the range, from 0 to 1."""
    assert axis.given is not None
    place = math.log if axis.log and axis.given[0] > 0 else float
    low, high = place(axis.given[0]), place(axis.given[1])
    share = (place(value) - low) / (high - low)
    return share if end == "max" else 1 - share


def _setting(axis: Axis, end: str, attributes: Mapping[str, Any]) -> str | None:
    """A tenfold range where it is logarithmic, else a doubled one, if the space file with it has no fault."""
    assert axis.given is not None
    low, high = axis.given
    if axis.log:
        beyond = high * 10 if end == "max" else low / 10
    else:
        beyond = (2 * high if low >= 0 else high + (high - low)) if end == "max" else low - (high - low)
    tries: list[float] = [beyond] if not axis.whole else [math.ceil(beyond) if end == "max" else math.floor(beyond)]
    if end == "min" and low > 0 and beyond <= 0:
        tries.append(1 if axis.whole else low / 2)
    for value in tries:
        if value == (high if end == "max" else low):
            continue
        setting = f"{axis.name}.{end}={number_text(value)}"
        if allows_setting(attributes, setting):
            return setting
    return None
