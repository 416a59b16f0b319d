"""The stated rules of table columns, each by an example."""

from datetime import date

import numpy as np
import polars as pl
import pyarrow
import pytest

from keras_sweep.data.table_columns import (
    MOST_MIXED_COLUMNS,
    Column,
    NumberColumn,
    TextColumn,
    check_columns,
    fit_columns,
    odd_columns,
    polars_table,
)
from keras_sweep.data.table_preprocessing import TablePreprocessing
from keras_sweep.errors import DataError, TableError
from keras_sweep.views.terminal.console import error_lines
from tests.helpers.calls import calls_of

OTHER = pl.Series("other", [1.0, 2.0, 4.0, 5.0])


def fit(**columns: object):  # type: ignore[no-untyped-def]
    """The columns by name, and the notices, of a table with one column more."""
    table = pl.DataFrame({**columns, "other": OTHER}, strict=False)
    check_columns(table)
    found, notices = fit_columns(table)
    return {column.name: column for column in found}, notices


def numbers(fill: float, mean: float, variance: float, *, indicator: bool = False) -> NumberColumn:
    return NumberColumn("a", fill, mean, float(np.float32(np.sqrt(variance))), indicator)


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ([1, 2, 3, 6], numbers(2.5, 3.0, 3.5)),  # standardised by mean and population deviation
        ([1.0, None, 2.0, 9.0], numbers(2.0, 4.0, 38 / 3, indicator=True)),  # a gap is the median, and a feature
        ([7.0, None, 7.0, 7.0], numbers(7.0, 7.0, 0.0, indicator=True)),  # a constant that is sometimes missing
        ([True, False, True, True], numbers(1.0, 0.75, 0.1875)),
        (["x", "b", "x", "x"], TextColumn("a", ("b", "x"))),
        (["x", None, "b", "x"], TextColumn("a", ("", "b", "x"))),
        (["x", "", "b", "x"], TextColumn("a", ("", "b", "x"))),
        (pl.Series(["x", "b", "x", "x"], dtype=pl.Categorical), TextColumn("a", ("b", "x"))),
    ],
)
def test_what_training_rows_say_of_a_column(values: object, column: Column) -> None:
    columns, notices = fit(a=values)
    assert columns["a"] == column and column.used and notices == ()


@pytest.mark.parametrize("values", [[7] * 4, ["x"] * 4, [None] * 4, pl.Series([None] * 4, dtype=pl.String)])
def test_a_constant_column_is_dropped_with_a_notice(values: object) -> None:
    columns, notices = fit(a=values)
    assert not columns["a"].used
    assert notices == ("column 'a' is dropped: it has a single value or none in the training rows",)


@pytest.mark.parametrize("values", [[16777216.0, 16777216.5], [10**30, 10**30 + 1], [2**53, 2**53 + 1]])
def test_values_that_32_bits_can_not_tell_apart_are_not_called_one(values: list[float]) -> None:
    series = pl.Series(values * 2, dtype=pl.Float64 if isinstance(values[0], float) else pl.Int128)
    columns, notices = fit(a=series)
    assert not columns["a"].used
    assert [notice.split(" too close")[0] for notice in notices] == ["column 'a' is dropped: its values are"]


def test_categories_that_differ_in_case_and_spaces_alone_are_named() -> None:
    _, notices = fit(a=["red", "Red", " red", "blue"])
    assert notices == ("column 'a' has ' red', 'Red', 'red', which differ only in case and spaces: write them alike",)


@pytest.mark.soak
def test_thousands_of_columns_are_no_more_work_each_than_a_few() -> None:
    """Counted in calls of Python, since a clock depends on the machine: twice the columns, twice the calls."""

    def work(table: pl.DataFrame) -> None:
        check_columns(table)
        preprocessing = TablePreprocessing(fit_columns(table)[0])
        assert preprocessing.transform(table).shape == preprocessing.inputs(table).shape == table.shape

    values = np.random.default_rng(0).normal(size=(10, 2000))
    few, many = (pl.DataFrame(values[:, :width]) for width in (1000, 2000))
    assert calls_of(lambda: work(many)) < 2.5 * calls_of(lambda: work(few))


def test_many_columns_of_which_some_are_text_are_refused_before_a_model_is_built_of_them() -> None:
    table = pl.DataFrame({f"c{index}": [1.0, 2.0, 3.0] for index in range(MOST_MIXED_COLUMNS)})
    assert len(fit_columns(table)[0]) == MOST_MIXED_COLUMNS
    with pytest.raises(
        DataError, match=r"it\.csv must have at most 2,000 columns if some are text, but got 2,001, 1 of"
    ):
        fit_columns(table.with_columns(pl.Series("text", ["a", "b", "c"])), "it.csv")


def test_notices_of_many_columns_are_counted() -> None:
    _, notices = fit_columns(pl.DataFrame({f"c{index}": [7, 7] for index in range(500)} | {"a": [1, 2]}))
    assert len(notices) == 11 and notices[-1] == "490 more columns have notices: `sweep data` lists them"


def test_faults_of_many_columns_are_told_one_a_line_and_the_rest_counted() -> None:
    with pytest.raises(TableError) as caught:
        check_columns(pl.DataFrame({f"c{index}": [date(2024, 1, 1)] for index in range(30)}), "it.csv")
    lines = error_lines(caught.value)
    assert lines[0] == "it.csv has 30 faults"
    assert lines[1].startswith("  column 'c0' must be numbers or text, but got Date. Convert it to numbers")
    assert len(lines) == 22 and lines[-1] == "  and 10 more"


@pytest.mark.parametrize("name", ["*", "^b$", ""])
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([f"t{number}" for number in range(150)], "must have at most 100 categories, but got 150 different texts"),
        ([[1]] * 150, "must be numbers or text, but got List"),
        ([1e38] + [1.0] * 149, "must have numbers up to 1e+30, but got 1e+38"),
        ([1e-38] + [2e-38] * 149, "has numbers too close together to scale"),
        (["1"] * 140 + ["z"] * 10, "must be numbers, but got 'z' in row 141"),
        ([float("inf")] + [1.0] * 149, "must be finite numbers of 32 bits, but got inf in row 1"),
        ([1.0] * 150, "is dropped: it has a single value or none"),
    ],
)
def test_a_fault_names_its_column_whatever_it_is_called(name: str, values: object, said: str) -> None:
    table = pl.DataFrame({name: values, "z": range(150)})
    try:
        check_columns(table)
        _, notices = fit_columns(table)
    except DataError as fault:
        notices = (str(fault),)
    assert f"column {name!r} {said}" in notices[0]


def test_a_name_that_a_keras_file_can_not_hold_is_refused() -> None:
    for values in ([1.0, 2.0, 3.0, 4.0], ["x", "y", "x", "y"]):
        with pytest.raises(TableError, match=r"column 'a\\x00b' has a null character in its name. Rename it"):
            check_columns(pl.DataFrame({"a\0b": values, "other": OTHER}))


def test_a_model_of_the_users_gets_columns_of_one_value_as_zeros() -> None:
    train = pl.DataFrame({"a": [7.0, 7.0], "gaps": [None, 3.0], "none": [None, None], "b": [1.0, 2.0]}, strict=False)
    columns, notices = fit_columns(train, keep=True)
    new = pl.DataFrame({"a": [255.0], "gaps": [None], "none": [1.0], "b": [2.0]})
    np.testing.assert_array_equal(TablePreprocessing(columns).transform(new), [[0, 0, 0, 1, 1]])
    assert not notices
    with pytest.raises(DataError, match="no column to learn from"):
        fit_columns(train.select("a", "none"), keep=True)


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ({"PassengerId": range(30)}, {"drop": ["PassengerId"]}),
        ({"order_id": range(30), "": range(30)}, {"drop": ["order_id", ""]}),
        ({"paid": range(30), "id": [1.5, *range(29)], "year": range(30)}, {}),
        ({"name": [f"t{one}" for one in range(30)]}, {"drop": ["name"]}),
        ({"kind": [f"t{one % 15}" for one in range(30)]}, {}),
        ({"a": ["NA", "?"] * 14 + ["1", "2"], "b": ["NA", "x"] * 15}, {"missing": ["?", "NA"]}),
    ],
)
def test_what_is_odd_is_known_by_names_and_values(values: dict[str, object], options: object) -> None:
    assert odd_columns(pl.DataFrame(values, strict=False)) == options


def test_frames_of_pyarrow_are_tables() -> None:
    table = polars_table(pyarrow.table({"a": [1, None], "b": ["x", None]}))
    assert table.to_dict(as_series=False) == {"a": [1, None], "b": ["x", None]}
