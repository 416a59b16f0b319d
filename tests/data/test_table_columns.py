"""The stated rules of table columns, each by an example."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from keras_sweep.data.table_columns import NumberColumn, TextColumn, fit_columns
from keras_sweep.errors import DataError

OTHER = pl.Series("other", [1.0, 2.0, 4.0, 5.0])


def fit(**columns: object):  # type: ignore[no-untyped-def]
    """The columns by name, and the notices, of a table with one column more."""
    found, notices = fit_columns(pl.DataFrame({**columns, "other": OTHER}, strict=False))
    return {column.name: column for column in found}, notices


def test_numbers_are_standardised_by_mean_and_population_deviation() -> None:
    columns, _ = fit(a=[1, 2, 3, 6])
    assert columns["a"] == NumberColumn(
        "a", fill=2.5, mean=3.0, deviation=float(np.float32(np.sqrt(3.5))), indicator=False
    )


def test_missing_numbers_count_as_the_median_and_are_a_feature() -> None:
    for values in ([1.0, None, 2.0, 9.0], [1.0, float("nan"), 2.0, 9.0]):
        column = fit(a=values)[0]["a"]
        assert isinstance(column, NumberColumn)
        assert column.indicator and column.fill == 2.0 and column.mean == 4.0


def test_booleans_are_numbers() -> None:
    assert fit(a=[True, False, True, True])[0]["a"].mean == 0.75


def test_text_becomes_sorted_categories_and_missing_is_one_of_its_own() -> None:
    assert fit(a=["x", "b", "x", "x"])[0]["a"] == TextColumn("a", ("b", "x"))
    for gap in (None, ""):
        assert fit(a=["x", gap, "b", "x"])[0]["a"] == TextColumn("a", ("", "b", "x"))


def test_categories_of_polars_are_text() -> None:
    assert fit(a=pl.Series(["x", "b", "x", "x"], dtype=pl.Categorical))[0]["a"] == TextColumn("a", ("b", "x"))
    assert fit(a=pl.Series(["x", "b", "x", "x"], dtype=pl.Enum(["x", "b", "q"])))[0]["a"] == TextColumn("a", ("b", "x"))


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([7, 7, 7, 7], "one value, 7"),
        (["x"] * 4, "one value, 'x'"),
        ([None] * 4, "no value"),
        (pl.Series([None] * 4, dtype=pl.String), "no value"),
        (pl.Series([None] * 4, dtype=pl.Float64), "no value"),
        ([16777216.0, 16777216.5, 16777216.0, 16777216.0], "one value"),  # one value in 32 bits
    ],
)
def test_a_constant_column_is_dropped_with_a_notice(values: object, why: str) -> None:
    columns, notices = fit(a=values)
    assert not columns["a"].used
    assert len(notices) == 1 and "column 'a' is dropped" in notices[0] and why.split(",")[0] in notices[0]


def test_a_constant_that_is_sometimes_missing_is_a_feature() -> None:
    column = fit(a=[7.0, None, 7.0, 7.0])[0]["a"]
    assert isinstance(column, NumberColumn) and column.used and column.indicator and column.deviation == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1", "2", "n/a", "4"], "text where numbers should be: 'n/a' in row 3"),
        ([date(2024, 1, day) for day in range(1, 5)], "of type Date"),
        ([[1], [2], [3], [4]], "of type List"),
        ([1.0, float("inf"), 2.0, 3.0], "1 infinite values, the first in row 2"),
        ([1e39, 0.0, 1.0, 2.0], "numbers above 1e"),
        ([1e-38, 2e-38, 3e-38, 4e-38], "differ by less than 1e-30"),
        (["x" * 300, "b", "c", "d"], "up to 300 characters"),
    ],
)
def test_what_is_neither_numbers_nor_categories_is_a_fault(values: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(a=values)


def test_too_many_different_texts_are_a_fault() -> None:
    with pytest.raises(DataError, match="150 different texts in 150 rows"):
        fit_columns(pl.DataFrame({"a": [f"name {k}" for k in range(150)]}))


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(DataError) as raised:
        fit(a=[[1]] * 4, b=["1", "2", "x", "3"])
    assert "'a'" in str(raised.value) and "'b'" in str(raised.value)


def test_a_table_of_constants_leaves_nothing_to_learn_from() -> None:
    with pytest.raises(DataError, match="no column is left"):
        fit_columns(pl.DataFrame({"a": [1, 1], "b": ["x", "x"]}))
