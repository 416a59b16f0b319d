"""Which trials are trained again with new seeds, and what is said of the others."""

from dataclasses import replace

from keras_sweep.trial.finalists import BETTER, EARLY, NONE, STEADIER, explain_finalists, order_candidates
from keras_sweep.trial.result import TrialState
from tests.helpers.results import ACCURACY, result

JUMPY, STEADY = {"val_accuracy": (0.1, 0.9, 0.2, 0.9)}, {"val_accuracy": (0.6, 0.7, 0.8, 0.9)}


def test_among_trials_within_a_standard_error_the_steadier_come_first_and_the_rest_follow_by_value():
    trials = [
        result(0, 0.9, stderr=0.01, curve=JUMPY),
        result(1, 0.895, stderr=0.005, curve=STEADY),  # within the best trial's error
        result(2, 0.875, stderr=0.03, curve={"val_accuracy": (0.6, 0.7, 0.8, 1.0)}),  # within its own error
        result(3, 0.86, stderr=0.01, curve=STEADY),
        result(4, 0.85, stderr=0.01, curve=JUMPY),
    ]
    ordered, alike = order_candidates(trials, ACCURACY)
    assert [trial.number for trial in ordered] == [1, 2, 0, 3, 4]
    assert alike == {0, 1, 2}


def test_each_trial_is_told_why_it_was_not_trained_again():
    def again(number, value, **fields):
        seeds = (result(number, 0.88), result(number, 0.89))
        return replace(result(number, value, **fields), finalists=seeds, final=True)

    trials = [
        result(0, 0.9, stderr=0.01, curve=JUMPY),
        again(1, 0.9, stderr=0.01, curve=STEADY),
        again(2, 0.895, stderr=0.01, curve=STEADY),
        result(3, 0.85, stderr=0.01, curve=STEADY),
        result(4, 0.95, stderr=0.01, state=TrialState.PRUNED),
    ]
    assert explain_finalists(trials, ACCURACY) == {0: STEADIER, 1: "2 new seeds", 2: "2 new seeds", 3: BETTER, 4: EARLY}
    assert explain_finalists(trials[3:], ACCURACY) == {3: NONE, 4: NONE}
