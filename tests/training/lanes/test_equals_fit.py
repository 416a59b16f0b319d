from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_sweep.data.search_data import SearchData
from keras_sweep.models.inspect_model import inspect_model
from keras_sweep.space.search_space import Goal, Objective
from tests.helpers import user_models
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import assert_as_fit, fitted, lanes, suggestions, user_spec, with_labels
from tests.helpers.plain_fit import plain_fit

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


def test_a_constraint_holds(ending_short):
    trials = suggestions({"optimizer": "adam", "learning_rate": 0.05, "epochs": 2, "batch_size": 100})
    assert_as_fit(user_spec("constrained"), ending_short, trials)


def test_one_trial_on_fashion_mnist_is_the_lessons():
    """`fit` on JAX: Dense(10), RMSprop 0.001, seed 42, one epoch; the figures are those of Keras 3.15.1."""
    from keras_sweep.data.catalog import load_search_data

    spec = make_spec(name="fashion_mnist", data=replace(make_spec().data, source="fashion_mnist"))
    data: SearchData = load_search_data(spec)
    assert_as_fit(spec, data, suggestions({"optimizer": "rmsprop", "learning_rate": 0.001, "epochs": 1}))


@pytest.mark.soak
def test_a_scaled_loss_of_half_precision_has_the_numbers_of_fit():
    data = digits(200, 60)
    trials = suggestions(
        {"optimizer": "sgd", "learning_rate": 0.1, "epochs": 2},
        {"optimizer": "adam", "learning_rate": 0.01, "epochs": 3},
    )
    each = [plain_fit(lambda: user_models.half_precision((64,), 10), data, trial.params) for trial in trials]
    for runner in (lanes, fitted):
        results = runner(user_spec("half_precision"), data, trials)
        for number, expected in enumerate(each):
            for name, curve in expected.history.items():  # float16 has eleven bits
                np.testing.assert_allclose(results[number].curve[name], curve, rtol=5e-3, atol=0.02)


@pytest.mark.soak
def test_a_policy_that_the_users_module_set_holds_for_every_trial():
    data = digits(200, 60)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        trials = suggestions(*({"optimizer": "sgd", "learning_rate": 0.1, "epochs": 1} for _ in range(2)))
        first, second = fitted(user_spec("regularized"), data, trials).values()
        assert keras.config.dtype_policy().name == "mixed_float16"
        assert dict(first.curve) == dict(second.curve)
        laned = lanes(user_spec("regularized"), data, trials)[1]
        np.testing.assert_allclose(laned.curve["val_loss"], second.curve["val_loss"], rtol=5e-3)
    finally:
        keras.config.set_dtype_policy(before)
