import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.space.search_space import Goal
from keras_sweep.views.terminal.drawing import CurveScale, bar, plot, resampled, sparkline

CURVES = st.lists(st.floats(width=32), max_size=40)


def test_a_sparkline_rises_with_its_curve_and_marks_what_is_no_number():
    for curve, drawn in (([0.0, 0.5, 1.0], "▁▄▇"), ([0.0, math.nan, 1.0], "▁×▇"), ([math.inf], "×"), ([], "")):
        assert sparkline(curve, float) == drawn


@given(CURVES, st.integers(1, 30))
def test_a_curve_is_never_wider_than_its_room(curve, width):
    assert len(sparkline(curve, CurveScale([curve]), width=width)) <= width
    assert len(resampled(curve, width)) == min(len(curve), width)


@given(st.floats(), st.integers(1, 40))
def test_a_bar_is_as_wide_as_its_room(share, width):
    assert len(bar(share, width)) == width


def test_a_bar_is_filled_by_its_share():
    assert bar(0.5, 4) == "━━  "
    assert bar(0.375, 4) == "━╸  "
    assert bar(1.0, 4) == "━━━━"


@given(CURVES)
def test_a_plot_is_a_rectangle(curve):
    lines = plot(curve, width=20, height=4)
    assert lines == [] or (len(lines) == 4 and {len(line) for line in lines} == {min(len(curve), 20)})


def test_a_plot_shows_highest_and_lowest():
    assert plot([0.0, 1.0], width=2, height=2) == [" █", "▁█"]


POINTS = st.floats(width=32) | st.sampled_from([math.nan, math.inf, 0.5])
GROUPS = st.lists(st.lists(POINTS, max_size=9), max_size=9)
GOALS = st.sampled_from(Goal)


@given(GROUPS, GOALS)
def test_curves_that_are_added_one_by_one_have_the_scale_of_all(curves, goal):
    grown = CurveScale(goal=goal)
    for curve in curves:
        grown.add(curve)
        grown(0.5)
    whole = CurveScale(curves, goal)
    assert bool(grown) is bool(whole)
    assert [grown(value) for value in (-1.0, 0.5, 3.0)] == [whole(value) for value in (-1.0, 0.5, 3.0)]


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(GROUPS, FINITE, FINITE, GOALS)
def test_a_larger_value_is_never_lower(curves, one, other, goal):
    scale = CurveScale(curves, goal)
    assert 0 <= scale(min(one, other)) <= scale(max(one, other)) <= 1


def test_the_better_half_of_the_points_has_three_quarters_of_the_height():
    points = [float(point) for point in range(101)]
    assert CurveScale([points])(50.0) == pytest.approx(0.25)
    assert CurveScale([points], Goal.MINIMIZE)(50.0) == pytest.approx(0.75)


def test_a_curve_of_thousands_of_epochs_leaves_the_others_their_heights():
    scale = CurveScale([[0.02, 0.94], [0.03, 0.95], [0.97 + 0.00001 * (epoch % 5) for epoch in range(3000)]])
    assert len({f"{scale(value):.1f}" for value in (0.02, 0.94, 0.97002)}) == 3


def test_first_epochs_and_poor_trials_flatten_no_good_curve():
    good = [0.80, 0.84, 0.850, 0.853, 0.855, 0.857]
    scale = CurveScale([good, [0.79, 0.83, 0.851, 0.852, 0.854, 0.856], [0.10, 0.10, 0.11, 0.10, 0.12, 0.12]])
    assert len(set(sparkline(good, scale))) >= 4
