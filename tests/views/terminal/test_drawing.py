import math

from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.views.terminal.drawing import ASCII, UNICODE, bar, drawing_for, plot, resampled, sparkline

CURVES = st.lists(st.floats(width=32), max_size=40)


def test_an_encoding_without_block_characters_gets_ascii():
    assert drawing_for("utf-8") is UNICODE
    for encoding in ("ascii", "latin-1", "no such encoding"):
        assert drawing_for(encoding) is ASCII
    assert all(str(getattr(ASCII, name)).isascii() for name in ASCII.__slots__)


def test_a_sparkline_rises_with_its_curve_and_marks_what_is_no_number():
    assert sparkline([0.0, 0.5, 1.0], UNICODE) == "▁▄▇"
    assert sparkline([0.0, math.nan, 1.0], UNICODE) == "▁×▇"
    assert sparkline([math.nan, math.inf], UNICODE) == "××"
    assert sparkline([], UNICODE) == ""
    assert sparkline([0.7], UNICODE) == "▄"


@given(CURVES, st.integers(1, 30))
def test_a_curve_is_never_wider_than_its_room(curve, width):
    assert len(sparkline(curve, UNICODE, width=width)) <= width
    assert len(resampled(curve, width)) == min(len(curve), width)


@given(st.floats(), st.integers(1, 40))
def test_a_bar_is_as_wide_as_its_room(share, width):
    assert len(bar(share, width, UNICODE)) == len(bar(share, width, ASCII)) == width


def test_a_bar_is_filled_by_its_share():
    assert bar(0.5, 4, UNICODE) == "━━  "
    assert bar(0.375, 4, UNICODE) == "━╸  "
    assert bar(1.0, 4, ASCII) == "####"


@given(CURVES)
def test_a_plot_is_a_rectangle(curve):
    lines = plot(curve, UNICODE, width=20, height=4)
    assert lines == [] or (len(lines) == 4 and {len(line) for line in lines} == {min(len(curve), 20)})


def test_a_plot_shows_highest_and_lowest():
    assert plot([0.0, 1.0], ASCII, width=2, height=2) == [" #", "_#"]
