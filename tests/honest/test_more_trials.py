"""Whether more trials are worth it."""

from __future__ import annotations

from keras_sweep.honest.more_trials import more_trials
from keras_sweep.trial.comparison import Behind

BEHIND = {number: Behind(0.001 * number, 0.002, True) for number in range(1, 40)}


def test_what_the_last_trials_gained_is_set_against_what_the_rows_resolve():
    still = more_trials([0.8] * 32 + [0.81] * 32, BEHIND)
    assert (still.trials, round(still.gain, 6), still.worth_it) == (32, 0.01, True)
    over = more_trials([0.81] * 32 + [0.811] * 32, BEHIND)
    assert not over.worth_it
    assert round(over.resolved, 5) == 0.00392


def test_of_few_trials_nothing_is_said():
    assert more_trials([0.8] * 15, BEHIND) is None
    assert more_trials([0.8] * 64, {}) is None
