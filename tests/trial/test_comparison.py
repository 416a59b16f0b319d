"""A comparison as JSON, and back."""

import json
import math
from dataclasses import replace

import pytest

from keras_sweep.trial.comparison import (
    Behind,
    Comparison,
    Estimate,
    MoreTrials,
    compare_by_value,
    drop_lonely_ties,
    find_doubts,
    usable_error,
)
from keras_sweep.trial.result import Result, Suggestion, TrialState
from tests.helpers.results import ACCURACY, LOSS, result


def test_a_comparison_comes_back_from_json_as_it_was():
    estimate = Estimate(0.8546, 0.8482, 0.8608, 0.8573, "bootstrap")
    behind = {36: Behind(0.0, None, True), 7: Behind(0.0007, 0.0015, True), 9: Behind(0.02, 0.002, False)}
    for one in (Comparison(), Comparison(36, estimate, behind, 12_000, MoreTrials(32, 0.001, 0.004), 24_000)):
        assert Comparison.from_json(json.loads(json.dumps(one.to_json()))) == one


def compared(results: list[Result], objective=ACCURACY) -> dict[int, tuple[float | None, bool]]:
    """By trial how far it is behind, and whether it ties."""
    comparison = compare_by_value(results, objective)
    assert (comparison.estimate, comparison.rows, comparison.more, comparison.units) == (None, None, None, "")
    assert all(one.stderr is None for one in comparison.behind.values())
    return {number: (round(one.behind, 9), one.tie) for number, one in comparison.behind.items()}


def test_values_alone_say_how_far_a_trial_is_behind_and_not_which_may_be_the_best():
    results = [result(n, v, stderr=e) for n, (v, e) in enumerate([(0.9, 0.01), (0.9, 0.01), (0.895, None)])]
    assert compared(results) == {0: (0, False), 1: (0, False), 2: (0.005, False)}
    assert compare_by_value(results, ACCURACY).best == 0


def test_of_a_loss_less_is_better_and_what_is_behind_is_above_zero():
    results = [result(number, value, stderr=0.01) for number, value in enumerate((0.5, 0.4, 0.405))]
    assert compared(results, LOSS) == {0: (0.1, False), 1: (0, False), 2: (0.005, False)}


def test_a_best_trial_that_stands_alone_ties_with_nobody_and_no_trial_is_compared_with_none():
    assert compared([result(0, 0.9, stderr=0.001), result(1, 0.8, stderr=0.001)]) == {0: (0, False), 1: (0.1, False)}
    assert compare_by_value([], ACCURACY) == Comparison()
    assert compare_by_value([result(0, None, state=TrialState.FAIL)], ACCURACY) == Comparison()
    lone, other = Behind(0.0, None, True), Behind(0.1, 0.02, False)
    assert drop_lonely_ties({0: lone, 1: other}) == {0: Behind(0.0, None, False), 1: other}
    assert drop_lonely_ties({0: lone, 1: Behind(0.1, 0.2, True)}) == {0: lone, 1: Behind(0.1, 0.2, True)}


def test_trials_that_failed_or_were_pruned_are_not_compared_and_imported_ones_only_among_themselves():
    results = [
        result(0, 0.8),
        result(1, 0.95, engine="import/optuna"),
        result(2, 0.9, state=TrialState.PRUNED),
        result(3, None, state=TrialState.FAIL),
    ]
    assert compared(results) == {0: (0, False)}
    others = [result(number, value, engine="import/optuna") for number, value in enumerate((0.8, 0.9, 0.9))]
    assert compared(others) == {0: (0.1, False), 1: (0, False), 2: (0, False)}


def test_means_over_seeds_are_compared_with_the_winners_mean_and_single_seeds_with_its_first_seed():
    def finalist(number: int, value: float, *others: float) -> Result:
        seeds = tuple(replace(result(number, other), suggestion=Suggestion(9, {}, recipe=number)) for other in others)
        return replace(result(number, value, stderr=0.01), finalists=seeds, final=True)

    results = [finalist(0, 0.9, 0.8, 0.7), finalist(1, 0.8, 0.9, 0.85), result(2, 0.95, stderr=0.01)]
    comparison = compare_by_value(results, ACCURACY)
    behind = {number: round(one.behind, 9) for number, one in comparison.behind.items()}
    assert comparison.best == 1
    assert behind == {0: 0.05, 1: 0, 2: -0.15}
    assert not any(one.tie for one in comparison.behind.values())


@pytest.mark.parametrize(
    ("stderr", "known"), [(0.01, 0.01), (0.0, None), (None, None), (math.inf, None), (math.nan, None)]
)
def test_an_error_of_zero_or_none_is_not_known(stderr, known):
    assert usable_error(result(0, 0.9, stderr=stderr)) == known
    assert usable_error(result(0, math.nan, stderr=stderr)) is None


@pytest.mark.parametrize(("gain", "worth"), [(0.01, True), (0.005, True), (0.004, False)])
def test_more_trials_are_worth_it_if_the_rows_would_show_their_gain(gain, worth):
    assert MoreTrials(16, gain, 0.005).worth_it is worth


def test_a_score_that_its_rows_contradict_is_named_with_both_numbers() -> None:
    plain, parted = result(3, 0.75), replace(result(4, 0.5), rows_value=0.25)
    (words,) = find_doubts("val_accuracy", [plain, parted, replace(parted, state=TrialState.FAIL)])
    assert words.startswith(
        "val_accuracy does not match the validation rows: trial 4 has 0.5000, but its outputs give 0.25"
    )
    assert find_doubts("val_accuracy", [plain, replace(parted, state=TrialState.PRUNED)]) == []


def trials(*recalls: float, state: TrialState = TrialState.COMPLETE) -> list[Result]:
    return [
        Result(Suggestion(number, {}), state, recall, {"recall": (0.5,), "val_recall": (recall,)}, epoch=1)
        for number, recall in enumerate(recalls)
    ]


def test_a_metric_that_is_equal_in_all_trials_is_named_with_what_that_usually_means() -> None:
    (words,) = find_doubts("val_accuracy", [*trials(0.0, 0.0, 0.0), *trials(0.5, state=TrialState.PRUNED)])
    assert words.startswith(
        "all 3 trials have the same val_recall 0.0000; usually the model predicts the same for all rows"
    )


@pytest.mark.parametrize("recalls", [(), (0.0, 0.0), (0.0, 0.0, 0.1)])
def test_metrics_that_differ_and_those_of_two_trials_are_no_matter_of_doubt(recalls: tuple[float, ...]) -> None:
    assert find_doubts("val_recall", trials(*recalls)) == []


def test_a_value_that_is_no_number_contradicts_nothing() -> None:
    """A leaderboard has none in its place."""
    (row,) = trials(0.5)
    assert find_doubts("val_accuracy", [replace(row, value=None, rows_value=0.0)]) == []
