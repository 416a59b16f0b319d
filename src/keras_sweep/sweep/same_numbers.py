"""Whether two trainings of one trial have the same numbers: equal, equal to rounding, or parted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

RELATIVE = 1e-5  # sums of float32 in another order
ABSOLUTE = 1e-7  # of a number near zero
ROWS = 1.01  # a row may fall on the other side of a threshold
WHOLE = 0.01  # how near a difference of shares must be to whole rows; float32 rounds a share of 100,000 rows so far


class Match(StrEnum):
    """How near two numbers, or two curves, are."""

    EQUAL = "equal"
    ROUNDING = "equal to rounding"
    PARTED = "parted"


@dataclass(frozen=True, slots=True)
class Gap:
    """How far apart the same metric of two trainings is."""

    match: Match
    relative: float  # |a - b| / |b|; infinite where one of them is no finite number and the other is something else
    rows: float | None = None  # the same in rows; None for what is no share of rows


def is_share_of_rows(metric: str) -> bool:
    """Whether the metric is right rows / rows: "accuracy", "val_sparse_categorical_accuracy"."""
    return metric.endswith("accuracy") or metric.removeprefix("val_") == "acc"


def gap(metric: str, ours: float, theirs: float, rows: int) -> Gap:
    """The gap between two values of a metric over so many rows.

    Shares of rows are equal to rounding where they differ by one row, and by nothing that is no whole row. Other
    metrics are where they differ by `RELATIVE`.
    """
    share = is_share_of_rows(metric)
    if ours == theirs or (math.isnan(ours) and math.isnan(theirs)):
        return Gap(Match.EQUAL, 0.0, 0.0 if share else None)
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        return Gap(Match.PARTED, math.inf, math.inf if share else None)
    apart = abs(ours - theirs)
    relative = apart / abs(theirs) if theirs else math.inf
    if share:
        by = apart * rows
        near = by <= ROWS and abs(by - round(by)) <= WHOLE * max(1.0, rows / 1e5)
        return Gap(Match.ROUNDING if near else Match.PARTED, relative, by)
    near = math.isclose(ours, theirs, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return Gap(Match.ROUNDING if near else Match.PARTED, relative)


def least_match(matches: Iterable[Match]) -> Match:
    """The worst of them; EQUAL for none."""
    return max(matches, key=list(Match).index, default=Match.EQUAL)


def widest(gaps: Iterable[Gap]) -> Gap:
    """The gap that is furthest from equal; an equal one for none."""
    none = Gap(Match.EQUAL, 0.0)
    return max(gaps, key=lambda one: (list(Match).index(one.match), one.rows or 0.0, one.relative), default=none)
