"""The units of rows: groups, and blocks of neighbouring times. Sums, copies and selections of rows keep their units."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.trial.units import Units

GROUPS = np.array(["b", "a", "b", "c", "a", "b"])


def rows_of_units(units: Units) -> set[frozenset[int]]:
    """The rows of each unit, whatever its number is."""
    return {frozenset(np.flatnonzero(units.codes == code).tolist()) for code in range(units.count)}


def test_each_row_is_a_unit_without_groups():
    units = Units.from_rows(4)
    assert (len(units), units.count, units.are_rows, units.describe()) == (4, 4, True, "4 rows")
    assert units.codes.dtype == np.int32
    assert Units.from_rows(12_000).describe() == "12,000 rows"


def test_rows_of_a_group_are_a_unit():
    units = Units.from_groups(GROUPS)
    assert rows_of_units(units) == {frozenset({0, 2, 5}), frozenset({1, 4}), frozenset({3})}
    assert (len(units), units.count, units.are_rows, units.codes.dtype) == (6, 3, False, np.int32)
    assert units.describe() == "6 rows in 3 groups"
    assert Units.from_groups(np.arange(2_000) // 2, "patients").describe() == "2,000 rows in 1,000 patients"
    assert Units.from_groups(GROUPS[:, None]).codes.tolist() == units.codes.tolist()  # a column of groups


@given(st.integers(1, 3_000), st.integers(1, 60))
def test_blocks_of_time_have_nearly_equal_lengths_that_grow_with_the_root_of_the_number_of_times(times, least):
    units = Units.from_times(np.arange(times), least)
    sizes = np.bincount(units.codes)
    length = max(math.ceil(1.3 * math.sqrt(times)), least)
    assert len(sizes) == units.count == max(times // length, 1)
    assert sizes.max() - sizes.min() <= 1
    assert sizes.min() >= length or units.count == 1
    assert (np.diff(units.codes) >= 0).all()  # neighbouring times
    assert units.describe() == f"{times:,} rows in {units.count:,} blocks of {times // units.count} times"


def test_a_thousand_times_make_23_blocks_and_a_long_horizon_makes_fewer():
    assert Units.from_times(np.arange(1_000)).count == 1_000 // 42
    assert Units.from_times(np.arange(1_000), least=42).count == 1_000 // 42
    assert Units.from_times(np.arange(1_000), least=100).count == 10
    assert Units.from_times(np.arange(7), least=100).count == 1


def test_rows_of_a_time_are_in_the_same_block_in_any_order_and_only_the_order_of_times_matters():
    random = np.random.default_rng(0)
    times = random.integers(0, 90, 1_000)
    units = Units.from_times(times)
    assert all(len(set(units.codes[times == time])) == 1 for time in set(times))
    ends = [(times[units.codes == code].min(), times[units.codes == code].max()) for code in range(units.count)]
    assert all(last < first for (_, last), (first, _) in pairwise(ends))
    assert units.count == len(set(times)) // math.ceil(1.3 * math.sqrt(len(set(times))))  # times count, not rows
    seconds = np.exp(times / 10.0)  # other distances, the same order
    assert rows_of_units(Units.from_times(seconds)) == rows_of_units(units)


def test_some_rows_keep_their_units_and_units_without_a_row_are_gone():
    units = Units.from_groups(GROUPS).take(np.array([5, 3, 0]))
    assert rows_of_units(units) == {frozenset({0, 2}), frozenset({1})}
    assert (units.count, units.name, units.describe()) == (2, "groups", "3 rows in 2 groups")
    blocks = Units.from_times(np.arange(100))
    assert blocks.take(np.arange(5)).count == 1 and blocks.take(np.arange(5)).name == blocks.name
    again = Units.from_rows(9).take(np.array([7, 2, 4]))
    assert again.are_rows and again.describe() == "3 rows"


def test_copies_of_a_row_are_in_its_unit():
    units = Units.from_groups(GROUPS).repeat(2)
    assert rows_of_units(units) == {frozenset({0, 2, 5, 6, 8, 11}), frozenset({1, 4, 7, 10}), frozenset({3, 9})}
    assert units.describe() == "12 rows in 3 groups"
    copies = Units.from_rows(3).repeat(2)
    assert rows_of_units(copies) == {frozenset({0, 3}), frozenset({1, 4}), frozenset({2, 5})}
    assert not copies.are_rows and copies.count == 3


def test_units_that_count_unlike_are_worth_fewer():
    units = Units.from_groups(GROUPS)
    assert Units.from_rows(6).count_equal(np.ones(6)) == 6
    assert units.count_equal(np.ones(6)) == pytest.approx(36 / (9 + 4 + 1))
    assert units.count_equal(np.array([1.0, 2, 1, 4, 2, 2])) == pytest.approx(3)  # each group weighs 4
    assert Units.from_rows(3).count_equal(np.array([5.0, 0, 0])) == 1


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_sums_add_up_the_rows_of_each_unit(kind):
    values = np.random.default_rng(0).random((2, 6)).astype(kind)
    units = Units.from_groups(GROUPS)
    expected = [[sum(row[group == GROUPS]) for group in "abc"] for row in values]
    sums = units.sum(values)
    assert sums.dtype == kind and sums == pytest.approx(np.array(expected))
    assert units.sum(values[0]) == pytest.approx(np.array(expected[0]))  # of a single model
    assert Units.from_rows(6).sum(values) is values
    shuffled = Units(np.array([2, 0, 1], np.int32), 3)  # each row is a unit, in another order
    assert shuffled.sum(np.array([10.0, 20.0, 30.0])).tolist() == [20, 30, 10]
    assert Units.from_rows(3).repeat(2).sum(np.arange(6.0)).tolist() == [3, 5, 7]
