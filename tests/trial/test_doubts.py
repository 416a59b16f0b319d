"""Scores that can't be what they are called."""

from __future__ import annotations

import pytest

from keras_sweep.trial.comparison import doubts
from keras_sweep.trial.result import Result, Suggestion, TrialState


def trials(*recalls: float, state: TrialState = TrialState.COMPLETE) -> list[Result]:
    return [
        Result(Suggestion(number, {}), state, recall, {"recall": (0.5,), "val_recall": (recall,)}, epoch=1)
        for number, recall in enumerate(recalls)
    ]


def test_a_metric_that_is_equal_in_all_trials_is_named_with_what_that_usually_means() -> None:
    (words,) = doubts("val_accuracy", [*trials(0.0, 0.0, 0.0), *trials(0.5, state=TrialState.PRUNED)])
    assert words.startswith("the same in all 3 trials: val_recall 0.0000; usually the model gives all rows one answer")


@pytest.mark.parametrize("recalls", [(), (0.0, 0.0), (0.0, 0.0, 0.1)])
def test_metrics_that_differ_and_those_of_two_trials_are_no_matter_of_doubt(recalls: tuple[float, ...]) -> None:
    assert doubts("val_recall", trials(*recalls)) == []
