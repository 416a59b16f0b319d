"""What rows count: in every layout of lanes as in a script with Keras's own `class_weight` or `sample_weight`."""

import math
from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_sweep.errors import UsageError
from keras_sweep.record.candidates import stack_scores
from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Goal, Objective, Parameter
from keras_sweep.space.sweep_spec import Training
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.training.row_weights import check_class_weights, class_weights, row_weights
from keras_sweep.trial.row_scores import Kind
from tests.helpers.factory import EPOCHS, LEARNING_RATE, digits, make_spec
from tests.helpers.lane_trials import (
    assert_as_fit,
    assert_same_bits,
    fitted,
    go_on,
    lanes,
    stopped,
    suggestions,
    user_spec,
    with_labels,
    with_weights,
)
from tests.helpers.plain_fit import dense, plain_fit
from tests.helpers.user_models import convolutional, regularized
from tests.helpers.walk import assert_same

OWN_MODEL = Parameter("model.hidden", Categorical(((7,), (20,))))
SIZES = Parameter("batch_size", Categorical((16, 50)))
LAYOUTS = {
    "lanes as an axis": (make_spec(), {"optimizer": "muon"}, dense),
    "averaged weights": (make_spec(), {"optimizer": "sgd", "use_ema": True, "ema_momentum": 0.5}, dense),
    "a penalty": (user_spec("regularized"), {"optimizer": "adam"}, lambda: regularized((64,), 10)),
    "a model that convolves": (user_spec("convolutional"), {"optimizer": "adam"}, lambda: convolutional((64,), 10)),
    "batches that are filled up": (
        make_spec((LEARNING_RATE, EPOCHS, OWN_MODEL, SIZES)),
        {"optimizer": "adam", "model.hidden": (7,), "batch_size": 50},
        lambda: keras.Sequential(
            [keras.Input((64,)), keras.layers.Dense(7, "relu"), keras.layers.Dense(10, activation="softmax")]
        ),
    ),
}


IN_SHORT = ("batches that are filled up",)  # rows weigh in lanes as an axis, below


@pytest.mark.full_effort
@pytest.mark.parametrize(
    "layout",
    [pytest.param(one, marks=pytest.mark.soak if one not in IN_SHORT else ()) for one in LAYOUTS],
)
def test_classes_weigh_the_same_in_every_layout(uneven, layout):
    spec, params, build = LAYOUTS[layout]
    weighs = replace(spec, training=Training(class_weight="balanced"))
    trials = suggestions(*({"batch_size": 32, "epochs": 2, "learning_rate": rate, **params} for rate in (0.01, 0.003)))
    result = lanes(weighs, uneven, trials)[0]
    given = {name: value for name, value in trials[0].params.items() if not name.startswith("model.")}
    expected = plain_fit(build, uneven, given, class_weight=class_weights("balanced", uneven))
    assert_same(result, expected, params, validation="use_ema" not in params)


@pytest.mark.full_effort
@pytest.mark.parametrize("layout", ["lanes as an axis", "batches that are filled up"])
def test_rows_weigh_the_same_in_every_layout(uneven, layout):
    (spec, params, build), weighed = LAYOUTS[layout], with_weights(uneven)
    trials = suggestions(*({"batch_size": 32, "epochs": 2, "learning_rate": rate, **params} for rate in (0.01, 0.003)))
    given = {name: value for name, value in trials[0].params.items() if not name.startswith("model.")}
    result, expected = lanes(spec, weighed, trials)[0], plain_fit(build, weighed, given)
    assert_same(result, expected, params, validation="use_ema" not in params)
    assert result.value == pytest.approx(expected.scores["accuracy"], abs=1e-6)
    assert result.scores.values().mean() == pytest.approx(result.value, rel=1e-5)  # else nothing would be compared


@pytest.mark.soak
def test_lanes_weigh_rows_as_fit_does_whatever_ranks():
    data = with_weights(with_labels(digits(300, 100), lambda y: (y > 4).astype(np.float32)[:, None], classes=2))
    by_loss = make_spec(
        loss="binary_crossentropy",
        metrics=("accuracy", "auc", "mean_squared_error"),
        objective=Objective("val_loss", Goal.MINIMIZE),
    )
    trials = suggestions({"optimizer": "adam", "learning_rate": 0.01, "epochs": 2, "batch_size": 32})
    theirs = fitted(by_loss, data, trials)
    for spec, sign in ((by_loss, -1), (replace(by_loss, objective=Objective("val_auc", Goal.MAXIMIZE)), 1)):
        ours = assert_as_fit(spec, data, trials, theirs=theirs)[0]
        assert ours.stderr == (None if sign == 1 else pytest.approx(theirs[0].stderr, rel=1e-4))
        scores = stack_scores([[ours.scores]], spec.objective)
        assert sign * scores.on(np.ones((1, 100), np.float32))[0, 0] == pytest.approx(ours.value, abs=2e-4)


def test_rows_of_validation_may_weigh_alike_where_those_of_training_do_not(data):
    weighed = replace(data, train=with_weights(data).train)
    params = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 2, "batch_size": 32}
    result, expected = lanes(make_spec(), weighed, suggestions(params))[0], plain_fit(dense, weighed, params)
    assert_same(result, expected, params)
    assert result.scores.kind is Kind.BITS


def test_rows_that_all_weigh_the_same_rank_as_without_weights(data):
    doubled = [replace(rows, weights=np.full(len(rows), 2, np.float32)) for rows in (data.train, data.validation)]
    trials = suggestions({"optimizer": "adam", "learning_rate": 0.01, "epochs": 2, "batch_size": 32})
    result = fitted(make_spec(), replace(data, train=doubled[0], validation=doubled[1]), trials)[0]
    assert result.stderr == pytest.approx(math.sqrt(result.value * (1 - result.value) / 95), rel=1e-5)
    np.testing.assert_allclose(np.unique(result.scores.values()), [0, 1], atol=1e-6)


def test_lanes_that_were_stopped_go_on_with_their_weights_to_the_same_bits(uneven, tmp_path):
    weighed, spec = with_weights(uneven), make_spec()
    trials = suggestions(*({"optimizer": "adam", "learning_rate": rate, "epochs": 4} for rate in (0.01, 0.003)))
    whole = lanes(spec, weighed, trials)
    done = stopped(CompiledRunner, spec, weighed, tmp_path, trials, 3)
    assert_same_bits(go_on(CompiledRunner, spec, weighed, tmp_path, trials, done), whole)


def test_classes_and_rows_do_not_weigh_together(data):
    with pytest.raises(UsageError, match="no `class_weight` beside sample weights"):
        class_weights("balanced", with_weights(data))


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({12: 2.0}, "names the class '?12'?, but the classes of digits are 0 to 9"),
        ({"cat": 1.0}, "names the class .cat."),
    ],
)
def test_a_class_that_is_not_there_is_named(data, wanted, says):
    with pytest.raises(UsageError, match=says):
        class_weights(wanted, data)


def test_labels_of_several_columns_weigh_by_their_first_class_as_in_keras(data):
    columns = np.eye(4)[data.train.y % 4] + np.eye(4)[3]
    several = with_labels(data, lambda y: np.minimum(np.eye(4)[y % 4] + np.eye(4)[3], 1), classes=None)
    assert class_weights({0: 1.0, 3: 2.0}, several) == {0: 1.0, 3: 2.0}
    expected = np.where(columns.argmax(1) == 3, 2.0, 1.0)
    first = several.train.y.argmax(1)
    np.testing.assert_array_equal(row_weights({0: 1.0, 3: 2.0}, several), np.where(first == 3, 2.0, 1.0))
    assert set(expected) == {1.0, 2.0}
    with pytest.raises(UsageError, match="the classes of digits are 0 to 3"):
        class_weights({4: 2.0}, several)
    two = with_labels(data, lambda y: (y > 4).astype(int)[:, None], classes=None)
    with pytest.raises(UsageError, match="the classes of digits are 0 to 1"):
        class_weights({2: 2.0}, two)


def test_a_number_is_the_name_of_a_class_where_classes_are_numbers(data):
    of_numbers = replace(data, class_names=("1", "2", *map(str, range(4, 12))))
    assert class_weights({4: 2.0}, of_numbers) == {2: 2.0}
    with pytest.raises(UsageError, match=r"names the class '?0'?, but the classes of digits are 1, 2, 4"):
        class_weights({0: 2.0}, of_numbers)
    of_texts = replace(data, class_names=tuple("abcdefghij"))
    assert class_weights({0: 2.0, "b": 3.0}, of_texts) == {0: 2.0, 1: 3.0}
    of_words = replace(data, class_names=("setosa", "virginica", *"abcdefgh"))
    with pytest.raises(UsageError, match=r"Did you mean 'virginica'\?"):
        class_weights({"virginika": 2.0}, of_words)


def test_numbers_are_no_classes(data):
    numbers = with_labels(data, lambda y: y / 10, classes=None)
    with pytest.raises(UsageError, match="the labels of digits are numbers"):
        class_weights("balanced", numbers)


def test_balanced_is_what_scikit_learn_calls_so(uneven):
    from sklearn.utils.class_weight import compute_class_weight

    found = class_weights("balanced", uneven)
    expected = compute_class_weight("balanced", classes=np.array(sorted(found)), y=uneven.train.y)
    np.testing.assert_allclose([found[one] for one in sorted(found)], expected)


def test_weights_of_classes_by_their_names_or_numbers(data):
    named = replace(data, class_names=("cat", "dog", "owl"), classes=3)
    assert class_weights({"dog": 2, "owl": 0.5, 0: 3}, named) == {1: 2.0, 2: 0.5, 0: 3.0}
    assert class_weights({"9": 2.0}, data) == {9: 2.0} and class_weights(None, data) is None
    with pytest.raises(UsageError, match="the classes of digits are cat, dog, owl"):
        class_weights({"bird": 2}, named)
    for wrong in (10, -1, "1.5"):
        with pytest.raises(UsageError, match=rf"names the class .*{wrong}.*, but the classes of digits are 0 to 9"):
            class_weights({wrong: 2.0}, data)


def test_two_classes_need_not_be_counted_and_labels_of_one_column_or_one_hot_say_them(data):
    pairs = with_labels(data, lambda y: (y > 6).astype(np.float32)[:, None], classes=None)
    for one in (pairs, replace(pairs, classes=1)):
        assert class_weights({0: 1, 1: 2}, one) == {0: 1.0, 1: 2.0}
        with pytest.raises(UsageError, match="are 0 to 1"):
            class_weights({2: 1.0}, one)
    np.testing.assert_array_equal(row_weights({1: 2.0}, pairs), np.where(data.train.y > 6, 2.0, 1.0))
    both = with_labels(data, lambda y: np.eye(2, dtype=np.float32)[(y > 6).astype(int)])
    np.testing.assert_array_equal(row_weights({1: 2.0}, both), row_weights({1: 2.0}, pairs))
    several = with_labels(data, lambda y: np.eye(10, dtype=np.float32)[y])
    for labels in (several, data):
        np.testing.assert_array_equal(
            row_weights({3: 5.0, 0: 0.0}, labels), np.select([data.train.y == 3, data.train.y == 0], [5.0, 0.0], 1.0)
        )
    assert row_weights({3: 5.0}, data).dtype == np.float32 and row_weights(None, data) is None
    weighed = with_weights(data)
    assert row_weights(None, weighed) is weighed.train.weights
    parts = replace(data, train=replace(data.train, y={"a": data.train.y}))
    with pytest.raises(UsageError, match="beside several outputs") as refused:
        class_weights("balanced", parts)
    assert refused.value.hint == "Give `sample_weight`"


def test_weights_that_a_parameter_may_ask_for_are_tried_before_the_search(data):
    numbers = with_labels(data, lambda y: y / 10, classes=None)
    check_class_weights(make_spec(), numbers)
    searched = Parameter("training.class_weight", Categorical((None, "balanced")))
    with pytest.raises(UsageError, match="the labels of digits are numbers"):
        check_class_weights(make_spec((searched,)), numbers)
    with pytest.raises(UsageError, match="names the class"):
        check_class_weights(make_spec(training=Training(class_weight={"cat": 1.0})), data)
