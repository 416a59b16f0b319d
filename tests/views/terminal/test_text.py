import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.space.search_space import Goal
from keras_sweep.views.terminal import text
from keras_sweep.views.terminal.text import CurveScale, number_text, score_text, sparkline, value_text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0009657, "0.000966"),
        (12.0, "12"),
        (1e-7, "1e-7"),
        (123456.789, "123457"),
        (1.5e12, "1.5e12"),
        (math.inf, "inf"),
        (0.0, "0"),
        (-0.1234567, "-0.123"),
    ],
)
def test_numbers_are_short(value, written):
    assert number_text(value) == written


def test_values_are_written_as_in_a_space_file():
    assert [value_text(value) for value in (True, None, (1, "a", 0.5))] == ["true", "null", "[1, a, 0.5]"]
    assert text.params_text({"optimizer": "adam", "learning_rate": 0.001}) == "optimizer=adam learning_rate=0.001"


@pytest.mark.parametrize(
    ("value", "stderr", "written"),
    [
        (0.85521, 0.00321, "0.8552 ±0.0032"),
        (0.649, 0.363, "0.6490 ±0.3630"),
        (0.8552, 0.00003, "0.85520 ±0.00003"),
        (1234.56, 12.3, "1235 ±12"),
        (0.9, 0.0, "0.9000 ±0.0000"),
        (0.9083333333333332, None, "0.9083"),
        (0.5, math.nan, "0.5000"),
        (1e-12, None, "1e-12"),
        (0.000123456, None, "0.000123"),
        (None, None, "-"),
        (math.nan, 0.1, "-"),
    ],
)
def test_scores_have_as_many_decimals_as_their_standard_error_allows(value, stderr, written):
    assert score_text(value, stderr) == written


@given(st.floats(allow_nan=True, allow_infinity=True), st.none() | st.floats())
def test_every_score_can_be_written_shortly(value, stderr):
    assert len(score_text(value, stderr if stderr is None else abs(stderr))) < 60


def test_lengths_of_time():
    lengths = [0, 0.002, 0.0994, 0.42, 4.14, 9.94, 9.96, 99.4, 100, 3599.6, 7620, 90000, math.nan]
    written = "0 s|2 ms|99 ms|0.42 s|4.1 s|9.9 s|10 s|99 s|1m40s|1h00m|2h07m|1d01h|-"
    assert "|".join(map(text.seconds_text, lengths)) == written


def test_long_text_is_shortened_by_cells_not_characters():
    for width, shown in ((4, "abc…"), (6, "abcdef"), (0, ""), (-1, "")):
        assert text.shorten("abcdef", width) == shown
    assert text.shorten("学習率学習率", 5) == "学習…"


CURVES = st.lists(st.floats(width=32), max_size=40)


def test_a_sparkline_rises_with_its_curve_and_marks_what_is_no_number():
    for curve, drawn in (([0.0, 0.5, 1.0], "▁▄▇"), ([0.0, math.nan, 1.0], "▁×▇"), ([math.inf], "×"), ([], "")):
        assert sparkline(curve, float) == drawn


@given(CURVES, st.integers(1, 30), st.floats())
def test_no_drawing_is_wider_than_its_room(curve, width, share):
    assert len(sparkline(curve, CurveScale([curve]), width=width)) == min(len(curve), width)
    assert len(text.bar(share, width)) == width
    lines = text.plot(curve, width=width, height=4)
    assert lines == [] or (len(lines) == 4 and {len(line) for line in lines} == {min(len(curve), width)})


def test_bars_are_filled_by_their_share_and_plots_show_highest_and_lowest():
    assert [text.bar(share, 4) for share in (0.5, 0.375, 1.0)] == ["━━  ", "━╸  ", "━━━━"]
    assert text.plot([0.0, 1.0], width=2, height=2) == [" █", "▁█"]


POINTS = st.floats(width=32) | st.sampled_from([math.nan, math.inf, 0.5])
GROUPS = st.lists(st.lists(POINTS, max_size=9), max_size=9)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(GROUPS, FINITE, FINITE, st.sampled_from(Goal))
def test_a_scale_rises_and_curves_that_are_added_one_by_one_have_that_of_all(curves, one, other, goal):
    grown, whole = CurveScale(goal=goal), CurveScale(curves, goal)
    for curve in curves:
        grown.add(curve)
        grown(0.5)
    assert bool(grown) is bool(whole)
    low, high = whole(min(one, other)), whole(max(one, other))
    assert (grown(min(one, other)), grown(max(one, other))) == (low, high) and 0 <= low <= high <= 1


def test_the_better_half_of_the_points_has_three_quarters_of_the_height():
    points = [float(point) for point in range(101)]
    assert CurveScale([points])(50.0) == pytest.approx(0.25)
    assert CurveScale([points], Goal.MINIMIZE)(50.0) == pytest.approx(0.75)


def test_neither_thousands_of_epochs_nor_poor_trials_flatten_the_other_curves():
    scale = CurveScale([[0.02, 0.94], [0.03, 0.95], [0.97 + 0.00001 * (epoch % 5) for epoch in range(3000)]])
    assert len({f"{scale(value):.1f}" for value in (0.02, 0.94, 0.97002)}) == 3
    good = [0.80, 0.84, 0.850, 0.853, 0.855, 0.857]
    scale = CurveScale([good, [0.79, 0.83, 0.851, 0.852, 0.854, 0.856], [0.10, 0.10, 0.11, 0.10, 0.12, 0.12]])
    assert len(set(sparkline(good, scale))) >= 4
