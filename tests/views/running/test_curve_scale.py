import math

from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.views.running.curve_scale import CurveScale
from keras_sweep.views.terminal.drawing import scale_of

POINTS = st.floats(width=32) | st.sampled_from([math.nan, math.inf, 0.5])


@given(st.lists(st.lists(POINTS, max_size=9), max_size=9), st.booleans())
def test_it_is_the_scale_of_all_curves_after_each(curves, maximize):
    scale = CurveScale(maximize=maximize)
    for count, curve in enumerate(curves, 1):
        scale.add(curve)
        assert scale.ends() == scale_of(curves[:count], maximize=maximize)
