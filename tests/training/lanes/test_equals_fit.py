from dataclasses import replace

import numpy as np
import pytest

from keras_sweep.data.search_data import SearchData
from keras_sweep.models.inspect_model import inspect_model
from keras_sweep.space.search_space import Goal, Objective
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import assert_as_fit, suggestions, user_spec, with_labels

pytestmark = pytest.mark.full_effort


@pytest.fixture(scope="module")
def ending_short():
    return digits(300, 100)


@pytest.mark.parametrize("many", [4, pytest.param(12, marks=pytest.mark.soak)])
def test_random_trials_with_a_short_last_batch(ending_short, many):
    rng = np.random.default_rng(0)
    trials = [
        {
            "optimizer": str(rng.choice(["sgd", "rmsprop", "adam"])),
            "learning_rate": float(10 ** rng.uniform(-4, -1)),
            "epochs": int(rng.integers(1, 6)),
            "batch_size": int(rng.choice([32, 100, 128])),
        }
        for _ in range(many)
    ]
    assert_as_fit(make_spec(), ending_short, suggestions(*trials))


def test_a_learning_rate_that_is_not_given_is_the_optimizers_own(data):
    trials = suggestions({"optimizer": "adam", "epochs": 2}, {"optimizer": "sgd", "epochs": 1}, {"epochs": 1})
    assert_as_fit(make_spec(), data, trials)


@pytest.mark.soak
def test_convolution_with_batch_normalization_and_dropout(ending_short):
    trials = suggestions(
        {"optimizer": "adam", "learning_rate": 0.003, "epochs": 3},
        {"optimizer": "sgd", "learning_rate": 0.05, "epochs": 2},
    )
    assert_as_fit(user_spec("convolutional"), ending_short, trials)


@pytest.mark.soak
def test_a_model_of_one_input_and_one_output_in_lists(data):
    trial = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 2, "model.units": 5}
    spec = user_spec("in_lists")
    assert inspect_model(spec, data).output_shape == (None, 10)
    assert_as_fit(spec, data, suggestions(trial))


def test_a_penalty_is_part_of_the_loss(data):
    trials = suggestions(
        {"optimizer": "adam", "learning_rate": 0.003, "epochs": 3},
        {"optimizer": "adam", "learning_rate": 0.01, "epochs": 2, "model.units": 5},
    )
    assert_as_fit(user_spec("regularized"), data, trials)


def test_regression(data):
    targets = with_labels(data, lambda y: (y / 10).astype(np.float32), classes=None)
    spec = user_spec(
        "one_output",
        loss="mean_squared_error",
        metrics=("mae", "root_mean_squared_error", "r2_score"),
        objective=Objective("val_loss", Goal.MINIMIZE),
    )
    trials = suggestions(
        {"optimizer": "adam", "learning_rate": 0.003, "epochs": 3},
        {"optimizer": "rmsprop", "learning_rate": 0.001, "epochs": 2},
    )
    assert all(result.stderr > 0 for result in assert_as_fit(spec, targets, trials).values())


@pytest.mark.soak  # in short in test_every_metric.py, as the two after it
def test_one_hot_labels(data):
    one_hot = with_labels(data, lambda y: np.eye(10, dtype=np.float32)[y])
    spec = make_spec(loss="categorical_crossentropy", metrics=("accuracy", "top_k_categorical_accuracy"))
    trials = suggestions({"optimizer": "adam", "learning_rate": 0.01, "epochs": 2})
    assert_as_fit(spec, one_hot, trials)


@pytest.mark.soak
def test_two_classes(data):
    binary = with_labels(data, lambda y: (y > 4).astype(np.int64), classes=2)
    spec = user_spec("one_output", loss="binary_crossentropy", metrics=("accuracy", "auc"))
    spec = replace(spec, model=replace(spec.model, arguments={"activation": "sigmoid"}))
    assert_as_fit(spec, binary, suggestions({"optimizer": "adam", "learning_rate": 0.01, "epochs": 2}))


@pytest.mark.soak
def test_a_loss_over_whole_batches_sees_the_batches_of_fit(ending_short):
    one_hot = with_labels(ending_short, lambda y: np.eye(10, dtype=np.float32)[y])
    spec = make_spec(loss="dice", objective=Objective("val_loss", Goal.MINIMIZE))
    assert_as_fit(spec, one_hot, suggestions({"optimizer": "adam", "learning_rate": 0.01, "epochs": 2}))


ON_MANY_ROWS = [
    {"optimizer": "adam", "gradient_accumulation_steps": 2},
    {"optimizer": "muon"},
]
# The walk through every optimizer (test_every_optimizer.py) covers these on fewer rows.
ALSO_ON_FEWER = [
    {"optimizer": "sgd", "momentum": 0.9, "nesterov": True},
    {"optimizer": "sgd", "weight_decay": 0.01, "clipvalue": 0.01},
    {"optimizer": "rmsprop", "centered": True, "momentum": 0.5},
    {"optimizer": "adam", "amsgrad": True},
    {"optimizer": "adamw", "weight_decay": 0.01},
    {"optimizer": "adamax"},
    {"optimizer": "adadelta"},
    {"optimizer": "adagrad"},
    {"optimizer": "nadam"},
    {"optimizer": "ftrl"},
    {"optimizer": "lion"},
    {"optimizer": "adafactor"},
    {"optimizer": "adam", "clipnorm": 0.1},
]


@pytest.mark.soak
@pytest.mark.parametrize(
    "optimizer",
    [*ON_MANY_ROWS, *ALSO_ON_FEWER],
    ids=lambda arguments: "-".join(map(str, arguments.values())),
)
def test_optimizers_on_many_rows(ending_short, optimizer):
    trials = suggestions(
        {**optimizer, "learning_rate": 0.003, "epochs": 2, "batch_size": 100},
        {**optimizer, "learning_rate": 0.01, "epochs": 1, "batch_size": 100},
    )
    assert_as_fit(make_spec(), ending_short, trials)


def test_a_constraint_holds(ending_short):
    trials = suggestions({"optimizer": "adam", "learning_rate": 0.05, "epochs": 2, "batch_size": 100})
    assert_as_fit(user_spec("constrained"), ending_short, trials)


def test_one_trial_on_fashion_mnist_is_the_lessons():
    """`fit` on JAX: Dense(10), RMSprop 0.001, seed 42, one epoch; the figures are those of Keras 3.15.1."""
    from keras_sweep.data.catalog import load_search_data

    spec = make_spec(name="fashion_mnist", data=replace(make_spec().data, source="fashion_mnist"))
    data: SearchData = load_search_data(spec)
    assert_as_fit(spec, data, suggestions({"optimizer": "rmsprop", "learning_rate": 0.001, "epochs": 1}))
