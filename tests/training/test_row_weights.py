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
from keras_sweep.training.losses import check_class_weights, class_weights, row_weights
from keras_sweep.trial.row_scores import Kind
from tests.helpers.factory import EPOCHS, LEARNING_RATE, digits, make_spec
from tests.helpers.lane_trials import assert_as_fit, fitted, lanes, suggestions, user_spec, with_labels, with_weights
from tests.helpers.plain_fit import dense, plain_fit
from tests.helpers.user_models import convolutional
from tests.helpers.walk import assert_same

OWN_MODEL = Parameter("model.hidden", Categorical(((7,), (20,))))
SIZES = Parameter("batch_size", Categorical((16, 50)))
LAYOUTS = {
    "lanes as an axis": (make_spec(), {"optimizer": "muon"}, dense),
    "averaged weights": (make_spec(), {"optimizer": "sgd", "use_ema": True, "ema_momentum": 0.5}, dense),
    "a model that convolves": (user_spec("convolutional"), {"optimizer": "adam"}, lambda: convolutional((64,), 10)),
    "batches that are filled up": (
        make_spec((LEARNING_RATE, EPOCHS, OWN_MODEL, SIZES)),
        {"optimizer": "adam", "model.hidden": (7,), "batch_size": 50},
        lambda: keras.Sequential(
            [keras.Input((64,)), keras.layers.Dense(7, "relu"), keras.layers.Dense(10, activation="softmax")]
        ),
    ),
}


FILLED_UP = "batches that are filled up"


@pytest.mark.full_effort
@pytest.mark.parametrize(
    ("layout", "what"),
    [
        *((FILLED_UP, "classes"), ("lanes as an axis", "rows"), (FILLED_UP, "rows")),
        *(pytest.param(layout, "classes", marks=pytest.mark.soak) for layout in LAYOUTS if layout != FILLED_UP),
    ],
)
def test_classes_and_rows_weigh_the_same_in_every_layout(uneven, layout, what):
    spec, params, build = LAYOUTS[layout]
    data, more = with_weights(uneven), {}
    if what == "classes":
        data, more = uneven, {"class_weight": class_weights("balanced", uneven)}
        spec = replace(spec, training=Training(class_weight="balanced"))
    trials = suggestions(*({"batch_size": 32, "epochs": 2, "learning_rate": rate, **params} for rate in (0.01, 0.003)))
    given = {name: value for name, value in trials[0].params.items() if not name.startswith("model.")}
    result, expected = lanes(spec, data, trials)[0], plain_fit(build, data, given, **more)
    assert_same(result, expected, params, validation="use_ema" not in params)
    if what == "rows":
        assert result.value == pytest.approx(expected.scores["accuracy"], abs=1e-6)
        assert result.scores.values().mean() == pytest.approx(result.value, rel=1e-5)  # else nothing is compared


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
        assert sign * scores.evaluate(np.ones((1, 100), np.float32))[0, 0] == pytest.approx(ours.value, abs=2e-4)


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


def one_column(data):
    return with_labels(data, lambda y: (y > 6).astype(np.float32)[:, None], classes=None)


def one_hot(data):
    return with_labels(data, lambda y: np.eye(10, dtype=np.float32)[y])


def of_numbers(data):
    return with_labels(data, lambda y: y / 10, classes=None)


def named(*names):
    return lambda data: replace(data, class_names=names, classes=len(names))


PETS, NUMBERS = named("cat", "dog", "owl"), named("1", "2", *map(str, range(4, 12)))


@pytest.mark.parametrize(
    ("labels", "wanted", "weights"),
    [
        (replace, None, None),
        (replace, {"9": 2.0}, {9: 2.0}),
        (PETS, {"dog": 2, "owl": 0.5, 0: 3}, {1: 2.0, 2: 0.5, 0: 3.0}),
        (NUMBERS, {4: 2.0}, {2: 2.0}),  # a number is the name of a class
        (one_column, {0: 1, 1: 2}, {0: 1.0, 1: 2.0}),
        (lambda data: replace(one_column(data), classes=1), {0: 1, 1: 2}, {0: 1.0, 1: 2.0}),
    ],
)
def test_classes_are_named_as_the_labels_do_or_by_their_numbers(data, labels, wanted, weights):
    assert class_weights(wanted, labels(data)) == weights


@pytest.mark.parametrize(
    ("labels", "wanted", "says"),
    [
        (replace, {10: 2.0}, "names the class '?10'?, but the classes of digits are 0 to 9"),
        (replace, {-1: 2.0}, "names the class '?-1'?"),
        (replace, {"1.5": 2.0}, "names the class .1.5."),
        (PETS, {"bird": 2}, "the classes of digits are cat, dog, owl"),
        (NUMBERS, {0: 2.0}, r"names the class '?0'?, but the classes of digits are 1, 2, 4"),
        (named("setosa", "virginica"), {"virginika": 2.0}, r"Did you mean `virginica`\?"),
        (one_column, {2: 2.0}, "the classes of digits are 0 to 1"),
        (lambda data: with_labels(data, lambda y: np.eye(4)[y % 4], classes=None), {4: 2.0}, "digits are 0 to 3"),
        (of_numbers, "balanced", "the labels of digits are numbers"),
        (with_weights, "balanced", "`class_weight` with sample weights"),
        (lambda data: with_labels(data, lambda y: {"a": y}), "balanced", "with several outputs"),
    ],
)
def test_what_has_no_classes_or_other_ones_is_named(data, labels, wanted, says):
    with pytest.raises(UsageError, match=says):
        class_weights(wanted, labels(data))


def test_balanced_is_what_scikit_learn_calls_so(uneven):
    from sklearn.utils.class_weight import compute_class_weight

    found = class_weights("balanced", uneven)
    expected = compute_class_weight("balanced", classes=np.array(sorted(found)), y=uneven.train.y)
    np.testing.assert_allclose([found[one] for one in sorted(found)], expected)


def test_each_row_weighs_as_its_class_in_any_form_of_labels_of_several_columns_as_the_first(data):
    y = data.train.y
    for rows in (data, one_hot(data)):
        expected = np.select([y == 3, y == 0], [5.0, 0.0], 1.0)
        np.testing.assert_array_equal(row_weights({3: 5.0, 0: 0.0}, rows), expected)
    np.testing.assert_array_equal(row_weights({1: 2.0}, one_column(data)), np.where(y > 6, 2.0, 1.0))
    several = with_labels(data, lambda y: np.maximum(np.eye(4)[y % 4], np.eye(4)[3]), classes=None)
    np.testing.assert_array_equal(row_weights({0: 1.0, 3: 2.0}, several), np.where(y % 4 == 3, 2.0, 1.0))
    assert row_weights({3: 5.0}, data).dtype == np.float32 and row_weights(None, data) is None
    weighed = with_weights(data)
    assert row_weights(None, weighed) is weighed.train.weights


def test_weights_that_a_parameter_may_ask_for_are_tried_before_the_search(data):
    check_class_weights(make_spec(), of_numbers(data))
    searched = Parameter("training.class_weight", Categorical((None, "balanced")))
    with pytest.raises(UsageError, match="the labels of digits are numbers"):
        check_class_weights(make_spec((searched,)), of_numbers(data))
    with pytest.raises(UsageError, match="names the class"):
        check_class_weights(make_spec(training=Training(class_weight={"cat": 1.0})), data)
