import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.trial.result import TrialState
from keras_sweep.views.leaderboard.query import chosen_rows
from keras_sweep.views.leaderboard.rows import distinct_params, leaderboard_rows, varying_names
from tests.helpers.factory import accuracy_error
from tests.helpers.results import ACCURACY, result

COMPLETE, PRUNED, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL


def numbers(rows):
    return [row.number for row in rows]


def test_complete_trials_rank_by_value_then_pruned_ones_then_failed_ones():
    results = [
        result(0, None, state=FAIL, reason="diverged"),
        result(1, 0.90, state=PRUNED, reason="pruned at epoch 3"),
        result(2, 0.80),
        result(3, 0.85),
        result(4, 0.70, state=PRUNED),
    ]
    rows = leaderboard_rows(results, ACCURACY)
    assert numbers(rows) == [3, 2, 1, 4, 0]
    assert [row.rank for row in rows] == [1, 2, 3, 4, 5]
    assert rows[-1].value is None and rows[-1].reason == "diverged"


def test_a_value_that_is_no_number_ranks_with_the_failed():
    rows = leaderboard_rows([result(0, math.nan), result(1, 0.1), result(2, math.inf)], ACCURACY)
    assert numbers(rows) == [1, 0, 2]
    assert [row.value for row in rows] == [row.metrics["val_accuracy"] for row in rows] == [0.1, None, None]


@pytest.mark.parametrize(
    ("trials", "ties"),
    [
        ([(0.8550, 0.0032), (0.8520, 0.0033), (0.8516, 0.0033), (0.854, 0.0033, PRUNED)], [True, True, False, False]),
        ([(score, accuracy_error(score, 128)) for score in (1.0, 127 / 128, 120 / 128)], [True, True, False]),
        ([(0.85, None), (0.85, None), (0.8499, None)], [True, True, False]),
        ([(0.85, 0.0033), (0.80, 0.0033)], [False, False]),
        ([(0.85, 0.0033)], [False]),
    ],
    ids=["by its error", "near a perfect score", "without errors equal values alone", "the best alone", "one trial"],
)
def test_trials_within_one_standard_error_of_the_best_are_ties(trials, ties):
    results = [
        result(number, value, stderr=stderr, state=state[0] if state else COMPLETE)
        for number, (value, stderr, *state) in enumerate(trials)
    ]
    assert [row.tie for row in leaderboard_rows(results, ACCURACY)] == ties


def test_an_error_of_zero_as_in_older_records_says_nothing():
    rows = leaderboard_rows([result(0, 1.0, stderr=0.0), result(1, 0.9, stderr=0.03)], ACCURACY)
    assert [row.stderr for row in rows] == [None, 0.03]


def test_the_seed_is_the_trials_own_or_the_sweeps():
    results = [result(0), result(1, params={"seed": 7})]
    assert [row.seed for row in leaderboard_rows(results, ACCURACY, seed=42)] == [42, 7]
    assert leaderboard_rows([result(0)], ACCURACY)[0].seed is None


def test_no_results_give_no_rows_whatever_is_asked_of_them():
    assert leaderboard_rows([], ACCURACY) == []
    assert chosen_rows([], ACCURACY, where=["optimizer=adam"], sort="seconds", top=3) == []


@given(st.lists(st.tuples(st.sampled_from(list(TrialState)), st.none() | st.floats()), max_size=30))
def test_any_results_rank_in_one_order(outcomes):
    results = [
        result(number, None if state is FAIL else value, state=state, curve={}, stderr=None)
        for number, (state, value) in enumerate(outcomes)
    ]
    rows = leaderboard_rows(results, ACCURACY)
    assert [row.rank for row in rows] == list(range(1, len(outcomes) + 1))
    assert leaderboard_rows(results[::-1], ACCURACY) == rows
    values = [row.value for row in rows if row.state is TrialState.COMPLETE and row.value is not None]
    assert values == sorted(values, reverse=True)


# Shared and varying parameters


def test_a_parameter_varies_where_a_trial_lacks_it_or_its_type_differs():
    results = [
        result(0, params={"a": 1, "b": 1, "c": 1, "d": 1}),
        result(1, params={"a": 1, "b": 2, "c": True, "e": 1}),
    ]
    rows = leaderboard_rows(results, ACCURACY)
    assert varying_names(rows) == ("b", "c", "d", "e")
    assert distinct_params(rows[0], rows) == {"b": 1, "c": 1, "d": 1}
    assert varying_names([]) == ()
