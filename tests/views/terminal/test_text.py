import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.views.terminal.text import (
    decimals,
    number_text,
    params_text,
    score_text,
    seconds_text,
    shorten,
    value_text,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.001, "0.001"),
        (0.0009657, "0.000966"),
        (12, "12"),
        (12.0, "12"),
        (1e-7, "1e-7"),
        (123456.789, "123457"),
        (1.5e12, "1.5e12"),
        (math.inf, "inf"),
        (0.0, "0"),
        (-0.1234567, "-0.123"),
    ],
)
def test_numbers_are_short(value, text):
    assert number_text(value) == text


def test_values_are_written_as_in_a_space_file():
    assert value_text(True) == "true"
    assert value_text(None) == "null"
    assert value_text((1, "a", 0.5)) == "[1, a, 0.5]"
    assert params_text({"optimizer": "adam", "learning_rate": 0.001}) == "optimizer=adam learning_rate=0.001"


def test_scores_have_as_many_decimals_as_their_standard_error_allows():
    assert score_text(0.85521, 0.00321) == "0.8552 ±0.0032"
    assert score_text(1234.56, 12.3) == "1235 ±12"
    assert score_text(0.85521) == "0.8552"
    assert score_text(None) == score_text(math.nan) == "-"
    assert score_text(0.5, math.nan) == "0.5000"
    assert score_text(1e-12) == "1e-12"
    assert decimals(0.9, 0.0) == 4
    assert score_text(1.0, 0.0039) == "1.0000 ±0.0039"
    assert score_text(0.8552, 0.00003) == "0.85520 ±0.00003"
    assert score_text(0.000123456) == "0.000123"


def test_a_score_is_written_alike_whatever_its_error():
    assert score_text(0.649, 0.363) == "0.6490 ±0.3630"
    assert score_text(0.649, 0.0363) == "0.6490 ±0.0363"
    assert score_text(0.9083333333333332) == "0.9083"


@given(st.floats(allow_nan=True, allow_infinity=True), st.none() | st.floats())
def test_every_score_can_be_written_shortly(value, stderr):
    assert len(score_text(value, stderr if stderr is None else abs(stderr))) < 60


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.002, "2 ms"),
        (0.0123, "12 ms"),
        (0.0994, "99 ms"),
        (4.14, "4.1 s"),
        (0.42, "0.42 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (99.4, "99 s"),
        (100, "1m40s"),
        (3599.6, "1h00m"),
        (7620, "2h07m"),
        (90000, "1d01h"),
        (math.nan, "-"),
    ],
)
def test_lengths_of_time(seconds, text):
    assert seconds_text(seconds) == text


def test_long_text_is_shortened_by_cells_not_characters():
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("学習率学習率", 5) == "学習…"
    assert shorten("abcdef", 0) == ""
    assert shorten("abcdef", -1) == ""
