"""Compute the standard error of a mean over rows, by units, and the intervals that follow from it."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from keras_sweep.trial.units import Units

Floats: TypeAlias = npt.NDArray[np.floating]

LEVEL = 0.95  # confidence of the interval, and of all comparisons together


def standard_error(
    values: Floats, units: Units, *, share: bool, weights: npt.NDArray[Any] | None = None
) -> float | None:
    """Return the standard error of the mean of `values`, [N], over `units`; None if it is unknown.

    Args:
        values: what each row contributes; their plain mean is the score.
        units: the unit of each row.
        share: whether the score is a share of right answers, in [0, 1].
        weights: [N] of the rows, if they count unlike. `values` have them already.

    The error of a share is at least half of Wilson's 68.3 % interval (z = 1), which is never 0. The interval is for
    the number of right or wrong rows that would vary as much: Korn and Graubard 1998, "Confidence intervals for
    proportions with small expected number of positive counts estimated from survey data".
    """
    mean = float(values.mean(dtype=np.float64))
    parts = unit_parts(units.sum(values.astype(np.float64))[None], units.sum(np.ones(len(values))))[0]
    error = float(standard_errors(parts[None])[0])
    if not share:
        return error if math.isfinite(error) else None
    # If all rows are right, only the weights tell how many rows these are.
    alike = units.count_equal(np.ones(len(values)) if weights is None else weights)
    rows = effective_rows(mean, error, units.count) if 0 < mean < 1 else alike
    _, wilson = wilson_interval(min(max(mean, 0.0), 1.0), rows, 1.0)
    return max(error, wilson) if math.isfinite(error) else wilson


def unit_parts(sums: Floats, sizes: Floats) -> Floats:
    """Return each unit's part in how far K means are from the truth, [K, U]. A model's parts have the sum 0.

    Args:
        sums: [K, U] sums of each unit's rows.
        sizes: [U] the number of each unit's rows.
    """
    means = sums.sum(1, keepdims=True, dtype=np.float64) / sizes.sum()
    return np.asarray((sums - (means * sizes).astype(sums.dtype)) / sizes.sum(), sums.dtype)


def standard_errors(parts: Floats) -> Floats:
    """Return the standard errors of means, [K], from `unit_parts`, [K, U]. NaN if there is a single unit."""
    count = parts.shape[1]
    if count < 2:
        return np.full(len(parts), np.nan)
    return np.asarray(np.sqrt(np.einsum("ku,ku->k", parts, parts, dtype=np.float64) * (count / (count - 1))))


def effective_rows(share: float, error: float, units: int) -> float:
    """Return the number of right or wrong rows whose `share` would have this standard error.

    It is the number of units if each unit is a right or wrong row, and more if a unit's score is a mean of many
    answers. Without an error above 0 it is the number of units.
    """
    inside = min(max(share, 0.0), 1.0)
    variance = inside * (1 - inside)
    return variance / error**2 * units / (units - 1) if error > 0 and variance > 0 else float(units)


def wilson_interval(share: float, rows: float, z: float) -> tuple[float, float]:
    """Return the centre and half width of Wilson's interval for a `share` of `rows` rows. `z` is 1.96 for 95 %.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    spread = z * z / rows
    centre = (share + spread / 2) / (1 + spread)
    return centre, math.sqrt(share * (1 - share) * spread + spread * spread / 4) / (1 + spread)


def quantile(level: float, units: int) -> float:
    """Return the quantile of Student's t distribution with `units` - 1 degrees of freedom, infinity for one unit."""
    if units < 2:
        return math.inf
    from scipy.special import stdtrit

    found = float(stdtrit(units - 1, level))
    return found if math.isfinite(found) else NormalDist().inv_cdf(level)
