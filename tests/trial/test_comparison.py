"""A comparison as JSON, and back."""

import json
from dataclasses import replace

import pytest

from keras_sweep.trial.comparison import PAIRED, Behind, Comparison, Estimate, MoreTrials, doubts
from keras_sweep.trial.result import Result, Suggestion, TrialState


def test_a_comparison_comes_back_from_json_as_it_was():
    estimate = Estimate(0.8546, 0.8482, 0.8608, 0.8573, "bootstrap")
    behind = {36: Behind(0.0, None, True), 7: Behind(0.0007, 0.0015, True), 9: Behind(0.02, 0.002, False)}
    for one in (Comparison(), Comparison(36, estimate, behind, PAIRED, 12_000, MoreTrials(32, 0.001, 0.004))):
        assert Comparison.from_json(json.loads(json.dumps(one.to_json()))) == one


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


def test_a_value_that_is_no_number_contradicts_nothing() -> None:
    """A leaderboard has none in its place."""
    (row,) = trials(0.5)
    assert doubts("val_accuracy", [replace(row, value=None, rows_value=0.0)]) == []
