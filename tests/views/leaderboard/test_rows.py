import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.errors import UsageError
from keras_sweep.trial.result import TrialState
from keras_sweep.views.leaderboard.rows import (
    FIRST_KEYS,
    OPERATORS,
    distinct_params,
    explain_no_rows,
    leaderboard_rows,
    parse_condition,
    select_rows,
    varying_names,
)
from tests.helpers.results import ACCURACY, result

FAIL = TrialState.FAIL


def numbers(rows):
    return [row.number for row in rows]


def test_a_row_has_no_value_error_or_seed_that_is_not_known():
    results = [result(0, math.nan), result(1, 1.0, stderr=0.0), result(2, math.inf), result(3, params={"seed": 7})]
    rows = leaderboard_rows(results, ACCURACY, seed=42)
    assert numbers(rows) == [1, 3, 0, 2] and [row.rank for row in rows] == [1, 2, 3, 4]
    assert [row.value for row in rows] == [row.metrics["val_accuracy"] for row in rows] == [1.0, 0.85, None, None]
    assert [row.stderr for row in rows[:2]] == [None, 0.0033] and [row.seed for row in rows] == [42, 7, 42, 42]
    assert leaderboard_rows([result(0)], ACCURACY)[0].seed is None


def test_no_results_give_no_rows_whatever_is_asked_of_them():
    assert leaderboard_rows([], ACCURACY) == []
    assert select_rows([], ACCURACY, where=["optimizer=adam"], sort="seconds", top=3) == []


@given(st.lists(st.tuples(st.sampled_from(list(TrialState)), st.none() | st.floats()), max_size=30))
def test_any_results_rank_in_one_order(outcomes):
    results = [
        result(number, None if state is FAIL else value, state=state, curve={}, stderr=None)
        for number, (state, value) in enumerate(outcomes)
    ]
    rows = leaderboard_rows(results, ACCURACY)
    assert leaderboard_rows(results[::-1], ACCURACY) == rows
    values = [row.value for row in rows if row.state is TrialState.COMPLETE and row.value is not None]
    assert values == sorted(values, reverse=True)


def test_a_parameter_varies_where_a_trial_lacks_it_or_its_type_differs():
    several = {"a": 1, "b": 1, "c": 1, "d": 1}, {"a": 1, "b": 2, "c": True, "e": 1}
    rows = leaderboard_rows([result(number, params=params) for number, params in enumerate(several)], ACCURACY)
    assert varying_names(rows) == ("b", "c", "d", "e") and varying_names([]) == ()
    assert distinct_params(rows[0], rows) == {"b": 1, "c": 1, "d": 1}


@pytest.fixture
def rows():
    results = [
        result(0, 0.80, params={"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
        result(1, 0.85, params={"optimizer": "adam", "learning_rate": 0.001, "nesterov": False}, epochs=9),
        result(2, None, state=FAIL, params={"optimizer": "sgd", "learning_rate": 1.0}, reason="diverged"),
        result(3, 0.82, params={"optimizer": "adam=x", "learning_rate": 0.01, "units": "1e-3", "h": (4, 2)}, epochs=2),
    ]
    return leaderboard_rows(results, ACCURACY)


CONDITIONS = {
    "optimizer==adam": [1],
    "optimizer = 'adam'": [1],
    "optimizer=adam=x": [3],
    "optimizer!=sgd": [1, 3],
    "optimizer<3": [],
    "learning_rate=1e-3": [1],
    "learning_rate<0.1": [1, 3],
    "learning_rate <= 0.1": [1, 3, 0],
    "learning_rate>0.1": [2],
    "momentum!=0.9": [1, 3, 2],
    "momentum=null": [1, 3, 2],
    "momentum!=none": [0],
    "nesterov=true": [0],
    "nesterov=1": [],
    "units=1e-3": [3],
    "h=[4,2]": [3],
    "h!=[4, 2]": [1, 0, 2],
    "h=4": [],
    "state=complete": [1, 3, 0],
    "reason=diverged": [2],
    "value=null": [2],
    "params.learning_rate=0.1": [0],
    "metrics.val_accuracy>0.81": [1, 3],
    "val_accuracy>=0.82": [1, 3],
    "trial>=2": [3, 2],
    "#<=2": [1, 3],
    "tie=false": [1, 3, 0, 2],
}


@pytest.mark.parametrize(("where", "found"), CONDITIONS.items())
def test_conditions(rows, where, found):
    assert numbers(select_rows(rows, ACCURACY, where=[where])) == found


@given(st.text() | st.sampled_from(["optimizer", "=adam", "rank=", "rank<b", "rank>=fast", "a ! b"]))
def test_any_text_is_a_condition_on_a_known_key_or_refused_in_a_sentence(text):
    try:
        key, _ = parse_condition(text, FIRST_KEYS)
    except UsageError as error:
        assert error.message.startswith(("`--where`", "`<", "`>"))
    else:
        assert key in FIRST_KEYS and text.strip().startswith(key)


@given(st.sampled_from(FIRST_KEYS), st.sampled_from(sorted(OPERATORS)), st.text(min_size=1))
def test_any_value_is_compared_and_what_differs_is_what_does_not_equal(key, sign, value):
    (row,) = leaderboard_rows([result(0, 0.8)], ACCURACY)
    is_blank, equals = not value.strip(), sign in ("=", "!=")
    try:
        found, holds = parse_condition(f"{key} {sign} {value}", FIRST_KEYS)
    except UsageError as error:
        assert is_blank or (not equals and error.message.startswith(f"`{sign}` needs a number"))
        return
    assert found == key and not is_blank
    opposite = {"=": "!=", "!=": "=", "<": ">=", ">": "<=", "<=": ">", ">=": "<"}[sign]
    _, other = parse_condition(f"{key} {opposite} {value}", FIRST_KEYS)
    assert holds(row) is not other(row) if equals else not (holds(row) and other(row))


@pytest.mark.parametrize(
    ("where", "why"),
    [
        (["optimizer=adamw"], "no trial has optimizer=adamw; values of optimizer: 'adam', 'adam=x', 'sgd'"),
        (["h=[]"], "no trial has h=[]; values of h: [4, 2]"),
        (["trial=9"], "no trial has trial=9; values of number: 0, 1, 2, 3"),
        (["optimizer=adam", "trial=0"], "each condition has trials, but no trial meets all conditions"),
    ],
)
def test_conditions_that_no_trial_meets_are_told_with_the_values_there_are(rows, where, why):
    assert select_rows(rows, ACCURACY, where=where) == []
    assert explain_no_rows(rows, where).startswith(why)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"where": ["learning_rte=1"]}, "`--where`: no trial has 'learning_rte'.*Did you mean `learning_rate`?"),
        ({"where": ["rank=99", "zzz=1"]}, "`--where`: no trial has 'zzz'"),  # although the first leaves no row
        ({"sort": "zzz"}, "`--sort`: no trial has 'zzz'"),
        ({"top": 0}, "at least 1"),
    ],
)
def test_what_no_trial_has_is_refused_with_the_nearest_that_there_is(rows, asked, words):
    with pytest.raises(UsageError, match=f"(?s){words}"):
        select_rows(rows, ACCURACY, **asked)


ORDERS = {
    "value": [1, 3, 0, 2],
    "-val_accuracy": [2, 0, 3, 1],
    "trial": [0, 1, 2, 3],
    "-number": [3, 2, 1, 0],
    "time": [3, 0, 2, 1],
    "optimizer": [1, 3, 0, 2],
    "-optimizer": [0, 2, 3, 1],
    "momentum": [0, 1, 3, 2],
    "-momentum": [0, 1, 3, 2],
}


@pytest.mark.parametrize(("sort", "order"), ORDERS.items())
def test_order(rows, sort, order):
    assert numbers(select_rows(rows, ACCURACY, sort=sort)) == order
    assert numbers(select_rows(rows, ACCURACY, sort=sort, top=2)) == order[:2]
