"""Models of half precision: Keras scales their loss."""

import keras
import numpy as np
import pytest

from tests.helpers import user_models
from tests.helpers.factory import digits
from tests.helpers.lane_trials import fitted, lanes, suggestions, user_spec
from tests.helpers.plain_fit import plain_fit

pytestmark = pytest.mark.full_effort


@pytest.fixture(scope="module")
def data():
    return digits(150, 60)


@pytest.mark.parametrize("runner", [lanes, fitted])
def test_a_scaled_loss_has_the_numbers_of_fit(data, runner):
    trials = suggestions(
        {"optimizer": "sgd", "learning_rate": 0.1, "epochs": 2},
        {"optimizer": "adam", "learning_rate": 0.01, "epochs": 3},
        {"optimizer": "adam", "learning_rate": 0.003, "epochs": 2},
        {"optimizer": "sgd", "learning_rate": 0.03, "epochs": 2, "momentum": 0.9},
    )
    results = runner(user_spec("half_precision"), data, trials)
    for trial in trials:
        expected = plain_fit(lambda: user_models.half_precision((64,), 10), data, trial.params)
        for name, curve in expected.history.items():  # float16 has eleven bits
            np.testing.assert_allclose(results[trial.number].curve[name], curve, rtol=5e-3, atol=0.02)


def test_a_policy_that_the_users_module_set_holds_for_every_trial(data):
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
