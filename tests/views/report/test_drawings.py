"""Places in a drawing are those of the values."""

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keras_sweep.trial.ranking import sum_seconds
from keras_sweep.trial.result import TrialState
from keras_sweep.views.report.drawings import draw_best_so_far
from keras_sweep.views.report.facts import Scale
from tests.helpers.page_facts import facts_of
from tests.helpers.results import result

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(FLOATS, FLOATS, FLOATS)
@example(1.7976931348600001e308, 1.7976931348600003e308, 0.0)  # their difference has no 12 digits
def test_every_value_lies_on_its_scale(low: float, high: float, value: float) -> None:
    scale = Scale(min(low, high), max(low, high), 10, 110)
    assert 10 <= scale(value) <= 110
    near = (scale.high / 2 - scale.low / 2) / 1e6
    assert all(scale.low - near <= tick <= scale.high + near for tick in scale.ticks())
    assert 1 <= len(scale.ticks()) <= 12


@pytest.mark.parametrize("low", [0.0, -5e-324, 1.0, 1e300, -1.7976931348623157e308])
@pytest.mark.parametrize("high", [5e-324, 1e-310, 1.0000000000000002, 1e15, 1.7976931348623157e308])
def test_ticks_lie_between_the_ends_from_the_smallest_to_the_greatest_float(low: float, high: float) -> None:
    ticks = Scale(low, high, 0, 1).ticks()
    assert 1 <= len(ticks) <= 12
    assert all(map(math.isfinite, ticks)) and ticks == sorted(set(ticks))


def test_ticks_are_round() -> None:
    assert Scale(0.78, 0.86, 0, 1).ticks() == [0.78, 0.8, 0.82, 0.84, 0.86]
    assert Scale(1e-4, 1.0, 0, 1, log=True).ticks() == [1e-4, 1e-3, 1e-2, 0.1, 1.0]
    assert Scale(0.2, 0.7, 0, 1, log=True).ticks() == [0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


def test_the_best_so_far_steps_where_a_trial_was_better_and_counts_only_what_compares() -> None:
    values = [0.5, 0.4, None, 0.7, 0.9, 0.6]
    states = [TrialState.FAIL if value is None else TrialState.COMPLETE for value in values]
    states[4] = TrialState.PRUNED  # scored at an earlier epoch: it ranks below
    pairs = enumerate(zip(values, states, strict=True))
    results = [result(number, value, state=state) for number, (value, state) in pairs]
    facts = facts_of(results)
    by_trial, by_second = draw_best_so_far(facts, facts.rows, facts.value_axis)
    assert "The best val_accuracy, 0.7000, was first reached by trial 3 of 6." in by_trial
    assert len(re.findall("V", re.findall(r'class="best" d="([^"]*)"', by_trial)[0])) == 1
    assert by_trial.count("<circle") == 5 and by_trial.count('class="no"') == 1
    spent = sum_seconds(facts.sweep.results)
    assert list(spent.values()) == sorted(spent.values())
    assert f"after {spent[3]:.2f} s" in by_second
