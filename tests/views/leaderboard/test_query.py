import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.errors import UsageError
from keras_sweep.trial.result import TrialState
from keras_sweep.views.leaderboard.query import FIRST_KEYS, OPERATORS, chosen_rows, parsed_condition, why_none
from keras_sweep.views.leaderboard.rows import leaderboard_rows
from tests.helpers.results import ACCURACY, result

FAIL = TrialState.FAIL


def numbers(rows):
    return [row.number for row in rows]


@pytest.fixture
def rows():
    results = [
        result(0, 0.80, params={"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
        result(1, 0.85, params={"optimizer": "adam", "learning_rate": 0.001, "nesterov": False}, epochs=9),
        result(2, None, state=FAIL, params={"optimizer": "sgd", "learning_rate": 1.0}, reason="diverged"),
        result(3, 0.82, params={"optimizer": "adam=x", "learning_rate": 0.01, "units": "1e-3"}, epochs=2),
    ]
    return leaderboard_rows(results, ACCURACY)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (["optimizer=adam"], [1]),
        (["optimizer==adam"], [1]),
        (["optimizer = 'adam'"], [1]),
        (["optimizer=adam=x"], [3]),
        (["optimizer!=sgd"], [1, 3]),
        (["learning_rate=1e-3"], [1]),
        (["learning_rate<0.1"], [1, 3]),
        (["learning_rate <= 0.1"], [1, 3, 0]),
        (["learning_rate>0.1"], [2]),
        (["learning_rate>=0.01", "learning_rate<1"], [3, 0]),
        (["momentum=0.9"], [0]),
        (["momentum!=0.9"], [1, 3, 2]),
        (["momentum=null"], [1, 3, 2]),
        (["momentum!=none"], [0]),
        (["momentum<1"], [0]),
        (["nesterov=true"], [0]),
        (["nesterov=false"], [1]),
        (["nesterov=1"], []),
        (["units=1e-3"], [3]),
        (["state=complete"], [1, 3, 0]),
        (["state!=COMPLETE"], [2]),
        (["reason=diverged"], [2]),
        (["value>0.81"], [1, 3]),
        (["value=null"], [2]),
        (["epochs<=2"], [3]),
        (["params.learning_rate=0.1"], [0]),
        (["metrics.val_accuracy>0.81"], [1, 3]),
        (["val_accuracy>0.81"], [1, 3]),
        (["rank<=2"], [1, 3]),
        (["optimizer<3"], []),
        (["tie=false"], [1, 3, 0, 2]),
    ],
)
def test_conditions(rows, where, found):
    assert numbers(chosen_rows(rows, ACCURACY, where=where)) == found


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("hidden=[32, 16]", [0]),
        ("hidden=[32,16]", [0]),
        ("hidden!=[32, 16]", [1]),
        ("hidden=[]", [1]),
        ("hidden=32", []),
    ],
)
def test_a_list_is_written_as_tables_show_it(where, found):
    rows = leaderboard_rows(
        [result(0, 0.8, params={"hidden": (32, 16)}), result(1, 0.7, params={"hidden": ()})], ACCURACY
    )
    assert numbers(chosen_rows(rows, ACCURACY, where=[where])) == found
    assert found or why_none(rows, [where]).endswith("hidden is [32, 16], []")


@pytest.mark.parametrize("text", ["optimizer", "=adam", "optimizer=", "", "a<b", "lr>=fast", "a ! b"])
def test_a_condition_that_cannot_be_read_is_refused(text):
    with pytest.raises(UsageError):
        parsed_condition(text, FIRST_KEYS)


@given(st.text())
def test_any_text_is_a_condition_on_a_known_key_or_refused_in_a_sentence(text):
    try:
        key, _ = parsed_condition(text, FIRST_KEYS)
    except UsageError as error:
        assert error.message.startswith(("`--where`", "`<", "`>"))
    else:
        assert key in FIRST_KEYS and text.strip().startswith(key)


@given(st.sampled_from(FIRST_KEYS), st.sampled_from(sorted(OPERATORS)), st.text(min_size=1))
def test_any_value_is_compared_and_what_differs_is_what_does_not_equal(key, sign, value):
    (row,) = leaderboard_rows([result(0, 0.8)], ACCURACY)
    is_blank, equals = not value.strip(), sign in ("=", "!=")
    try:
        found, holds = parsed_condition(f"{key} {sign} {value}", FIRST_KEYS)
    except UsageError as error:
        assert is_blank or (not equals and error.message.startswith(f"`{sign}` compares numbers"))
        return
    assert found == key and not is_blank
    opposite = {"=": "!=", "!=": "=", "<": ">=", ">": "<=", "<=": ">", ">=": "<"}[sign]
    _, other = parsed_condition(f"{key} {opposite} {value}", FIRST_KEYS)
    assert holds(row) is not other(row) if equals else not (holds(row) and other(row))


@pytest.mark.parametrize(
    ("where", "why"),
    [
        (["optimizer=adamw"], "no trial has optimizer=adamw; optimizer is 'adam', 'adam=x', 'sgd'"),
        (["learning_rate<1e-9"], "no trial has learning_rate<1e-9; learning_rate is 0.001, 0.01, 0.1, 1.0"),
        (["trial=9"], "no trial has trial=9; number is 0, 1, 2, 3"),
        (
            ["optimizer=adam", "learning_rate=0.1"],
            "each of the conditions holds for some trial, but no trial meets all",
        ),
    ],
)
def test_conditions_that_no_trial_meets_are_told_with_the_values_there_are(rows, where, why):
    assert chosen_rows(rows, ACCURACY, where=where) == []
    assert why_none(rows, where).startswith(why)


def test_a_column_may_be_named_by_its_head(rows):
    assert numbers(chosen_rows(rows, ACCURACY, sort="trial")) == [0, 1, 2, 3]
    assert numbers(chosen_rows(rows, ACCURACY, sort="-trial")) == [3, 2, 1, 0]
    assert chosen_rows(rows, ACCURACY, sort="time") == chosen_rows(rows, ACCURACY, sort="seconds")
    assert numbers(chosen_rows(rows, ACCURACY, where=["trial>=2", "#<=2"])) == [3]


def test_an_unknown_key_is_refused_with_the_nearest(rows):
    with pytest.raises(UsageError, match=r"`--where`: no trial has 'learning_rte'") as where:
        chosen_rows(rows, ACCURACY, where=["learning_rte=1"])
    assert "Did you mean `learning_rate`?" in str(where.value)
    with pytest.raises(UsageError, match=r"`--sort`: no trial has 'zzz'"):
        chosen_rows(rows, ACCURACY, sort="zzz")
    with pytest.raises(UsageError):  # although an earlier condition leaves no row
        chosen_rows(rows, ACCURACY, where=["rank=99", "learning_rte=1"])


@pytest.mark.parametrize("top", [0, -1])
def test_fewer_than_one_row_cannot_be_asked_for(rows, top):
    with pytest.raises(UsageError, match="at least 1"):
        chosen_rows(rows, ACCURACY, top=top)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("rank", [1, 3, 0, 2]),
        ("value", [1, 3, 0, 2]),
        ("-value", [2, 0, 3, 1]),
        ("val_accuracy", [1, 3, 0, 2]),
        ("number", [0, 1, 2, 3]),
        ("-number", [3, 2, 1, 0]),
        ("learning_rate", [1, 3, 0, 2]),
        ("optimizer", [1, 3, 0, 2]),
        ("-optimizer", [0, 2, 3, 1]),
        ("momentum", [0, 1, 3, 2]),
        ("-momentum", [0, 1, 3, 2]),
    ],
)
def test_order(rows, sort, order):
    assert numbers(chosen_rows(rows, ACCURACY, sort=sort)) == order
