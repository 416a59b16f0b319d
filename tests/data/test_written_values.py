"""Texts that are numbers or dates: read where all of a column fit, and refused where they may be two things."""

from collections.abc import Sequence
from datetime import date, datetime

import polars as pl
import pytest

from keras_sweep.data.written_values import is_formatted, read_texts


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1,5", "2,25", None], [1.5, 2.25, None]),
        (["1.101,5", "20"], [1101.5, 20]),
        (["1,101,000", "+20", ""], [1101000, 20, None]),
        (["5%", "10 %", " 2.5%"], [5, 10, 2.5]),
        (["1 234,5", "1\u00a0000"], [1234.5, 1000]),
        (["1'234.5", "-2e3"], [1234.5, -2000]),
        (["0,123", "5"], [0.123, 5]),
        (["02/29/2024", "3/1/2024"], [date(2024, 2, 29), date(2024, 3, 1)]),
        (["29/02/2024", "01/03/2024"], [date(2024, 2, 29), date(2024, 3, 1)]),
        (["02.03.2024"], [date(2024, 3, 2)]),
        (["2/29/24 1:30 PM"], [datetime(2024, 2, 29, 13, 30)]),
        (["13-02-1999 13:30:59"], [datetime(1999, 2, 13, 13, 30, 59)]),
    ],
)
def test_texts_are_read_in_the_way_that_fits_all_of_them(texts: list[str | None], values: Sequence[object]) -> None:
    columns, ways, faults = read_texts(pl.DataFrame({"a": texts}))
    assert columns["a"].to_list() == values and not faults and len(ways) == 1


@pytest.mark.parametrize(
    "texts",
    [["5%", "0.05"], ["1,5", "a"], ["1,10,1"], ["192.168.1.1"], ["3/4"], ["13/13/2024"], ["31/04/2024"], ["0151 234"]],
)
def test_other_texts_stay(texts: list[str]) -> None:
    assert read_texts(pl.DataFrame({"a": texts})) == ({}, {}, [])


@pytest.mark.parametrize(
    ("text", "key", "ways"),
    [
        ("1,101", "decimal", {".": 1101, ",": 1.101}),
        ("02/03/2024", "dates", {"day-first": date(2024, 3, 2), "month-first": date(2024, 2, 3)}),
    ],
)
def test_what_may_be_two_things_is_said_by_a_key(text: str, key: str, ways: dict[str, object]) -> None:
    one, other = ways
    columns, _, ((at_fault, fault),) = read_texts(pl.DataFrame({"a": [None, text]}))
    assert not columns and at_fault == key
    assert str(fault) == (
        f"column 'a' has '{text}' in row 2, which may be {ways[one]} or {ways[other]}. "
        f"Write `{key}: '{one}'` or `{key}: '{other}'` beside the file in `data`"
    )
    for way, value in ways.items():
        columns, known, faults = read_texts(pl.DataFrame({"a": [None, text]}), None, way)
        assert (columns["a"].to_list(), known, faults) == ([None, value], {"a": way}, [])


def test_other_columns_decide_if_they_prove_one_way() -> None:
    texts = pl.DataFrame({"a": ["1,101"], "b": ["0,5"], "c": ["02/03/2024"], "d": ["12/31/2024"]})
    columns, ways, faults = read_texts(texts)
    assert (columns["a"][0], columns["c"][0], faults) == (1.101, date(2024, 2, 3), [])
    assert ways == {"a": ",", "b": ",", "c": "month-first", "d": "month-first"}
    _, ways, faults = read_texts(texts.with_columns(e=pl.lit("0.5")))
    assert [fault.message.split(" has ")[0] for _, fault in faults] == ["column 'a'"]


def test_plain_numbers_may_be_names_of_categories() -> None:
    columns = (["1", "02"], ["1", "2,5"], [1, 2])
    assert [is_formatted(pl.Series(texts)) for texts in columns] == [False, True, False]
