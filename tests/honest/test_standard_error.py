"""Standard errors of means over units, and Wilson's interval: against the formulas of their sources."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from keras_sweep.honest.standard_error import (
    effective_rows,
    quantile,
    standard_error,
    standard_errors,
    unit_parts,
    wilson_interval,
)
from keras_sweep.trial.units import Units

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(2, 40))
def test_the_error_of_a_mean_of_rows_is_the_textbooks(seed, count):
    values = np.random.default_rng(seed).normal(size=count)
    found = standard_error(values, Units.from_rows(count), share=False)
    assert found == pytest.approx(values.std(ddof=1) / math.sqrt(count), rel=1e-9)


@given(seeds, st.integers(2, 12))
def test_the_error_of_groups_of_unequal_sizes_is_that_of_a_ratio(seed, groups):
    draw = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), draw.integers(1, 6, groups))
    values = draw.normal(size=len(group)) + draw.normal(size=groups)[group]
    sums = np.bincount(group, values - values.mean())
    error = math.sqrt(groups / (groups - 1) * (sums**2).sum()) / len(group)  # Cochran 1977, 6.3
    assert standard_error(values, Units.from_groups(group), share=False) == pytest.approx(error, rel=1e-6, abs=1e-12)


def test_a_single_unit_says_nothing_of_a_loss_and_wilsons_error_of_a_share():
    one = Units.from_groups(np.zeros(9))
    assert standard_error(np.arange(9.0), one, share=False) is None
    assert standard_error(np.ones(9), one, share=True) == pytest.approx(0.25)  # half of an interval from 1 row
    assert np.isnan(standard_errors(np.zeros((3, 1)))).all()
    assert standard_errors(np.array([[-0.5, 0.5], [0.0, 0.0]])) == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_perfect_share_is_as_uncertain_as_its_units_are_few(share):
    values = np.full(24, share)
    assert standard_error(values, Units.from_rows(24), share=True) == pytest.approx(0.5 / 25)
    groups = Units.from_groups(np.arange(24) // 4)
    assert standard_error(values, groups, share=True) == pytest.approx(0.5 / 7)
    weights = np.where(np.arange(24) < 4, 1.0, 0.0)
    assert standard_error(values, Units.from_rows(24), share=True, weights=weights) == pytest.approx(0.5 / 5)
    assert standard_error(values, Units.from_rows(24), share=False) == 0


def test_a_share_has_the_error_of_its_rows_or_wilsons_if_that_is_larger():
    right = np.arange(20) < 17
    variance = 0.85 * 0.15
    assert standard_error(right.astype(float), Units.from_rows(20), share=True) == pytest.approx(
        max(math.sqrt(variance / 19), wilson_interval(0.85, 20, 1.0)[1])
    )
    nearly = np.where(np.arange(20) < 19, 1.0, 0.9)  # a share that hardly varies counts as many more rows
    rows = effective_rows(float(nearly.mean()), float(nearly.std(ddof=1)) / math.sqrt(20), 20)
    _, half = wilson_interval(float(nearly.mean()), rows, 1.0)
    assert rows > 100
    assert standard_error(nearly, Units.from_rows(20), share=True) == pytest.approx(
        max(float(nearly.std(ddof=1)) / math.sqrt(20), half)
    )


def test_parts_add_up_to_nothing_and_keep_the_type():
    sums, sizes = np.float32([[2, 4, 6], [1, 1, 1]]), np.float32([1, 2, 3])
    parts = unit_parts(sums, sizes)
    assert parts.dtype == np.float32 and parts.shape == (2, 3)
    assert parts == pytest.approx(np.array([[0, 0, 0], [0.5, 0, -0.5]]) / 6)


@given(st.floats(0.05, 0.95), st.integers(2, 1_000))
def test_right_or_wrong_units_count_as_themselves(share, units):
    error = math.sqrt(share * (1 - share) / (units - 1))
    assert effective_rows(share, error, units) == pytest.approx(units)
    assert effective_rows(share, error / 2, units) == pytest.approx(4 * units)


def test_without_a_spread_the_units_count():
    assert effective_rows(0.5, 0.0, 40) == 40 and effective_rows(1.0, 0.1, 40) == 40
    assert effective_rows(-0.1, 0.1, 40) == 40 and effective_rows(1.1, 0.1, 40) == 40
    assert isinstance(effective_rows(0.5, 0.0, 40), float)


@given(st.integers(0, 50), st.integers(1, 50))
def test_wilsons_interval_is_scipys(right, rows):
    right = min(right, rows)
    centre, half = wilson_interval(right / rows, rows, 1.959963984540054)
    with warnings.catch_warnings(action="ignore"):
        expected = stats.binomtest(right, rows).proportion_ci(method="wilson")
    assert (centre - half, centre + half) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_quantiles_are_students():
    for units in (2, 5, 100, 10**6):
        assert quantile(0.975, units) == pytest.approx(stats.t.ppf(0.975, units - 1))
    assert quantile(0.975, 1) == math.inf
