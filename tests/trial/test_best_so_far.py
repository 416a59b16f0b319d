from __future__ import annotations

from dataclasses import replace

from keras_sweep.trial.ranking import improvements, spent_seconds, trained_epochs
from keras_sweep.trial.result import Seconds
from tests.helpers.results import ACCURACY, dense_sweep

TRIALS = dense_sweep(12)


def test_seconds_are_those_of_the_trials_one_after_the_other():
    timed = {one.number: replace(one, seconds=Seconds(train=float(one.number))) for one in TRIALS[:4]}
    assert spent_seconds(timed) == {0: 0.0, 1: 1.0, 2: 3.0, 3: 6.0}
    timed[2] = replace(timed[2], seconds=Seconds(train=float("nan")))
    assert spent_seconds(timed)[3] == 4.0


def test_improvements_are_the_trials_that_were_the_best_when_they_ended():
    found = improvements(reversed(TRIALS), ACCURACY)
    values = [one.value for one in found]
    assert values == sorted(values)
    assert [one.number for one in found] == sorted(one.number for one in found)
    assert found[-1].value == max(one.value for one in TRIALS if one.value is not None and one.state == "COMPLETE")


def test_epochs_that_a_promoted_trial_took_over_count_once():
    first, second = TRIALS[0], TRIALS[1]
    longer = {name: (*values, *values) for name, values in first.curve.items()}
    promoted = replace(second, curve=longer, suggestion=replace(second.suggestion, continues=0))
    assert trained_epochs([first, promoted]) == 2 * first.epochs
