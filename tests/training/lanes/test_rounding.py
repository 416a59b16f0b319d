"""Where trials part from `fit` by more than a rounding, `fit` parts as far from itself once its sums are reordered.

Of half precision a rounding is larger.
"""

import keras
import numpy as np
import pytest

from tests.helpers import user_models
from tests.helpers.factory import digits
from tests.helpers.lane_trials import fitted, lanes, suggestions, user_spec, with_labels
from tests.helpers.plain_fit import plain_fit

pytestmark = pytest.mark.full_effort

ADAM = {"optimizer": "adam", "epochs": 4, "batch_size": 32}
LEAST = 2e-5  # what weights may part by in any case
COSINE = 1e-4  # quickly compiled code for the same sums moves them by 4e-5 there, and the loss by 3e-7


def apart(ours, theirs):
    return max(np.abs(one - other).max() for one, other in zip(ours, theirs, strict=True))


@pytest.fixture(scope="module")
def data():
    return digits(200, 60)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("model", "loss", "arguments"),
    [
        ("regularized", "sparse_categorical_crossentropy", {"learning_rate": 0.5, "beta_2": 0.5}),
        ("regularized", "cosine_similarity", {"learning_rate": 0.1}),
        ("embedded", "sparse_categorical_crossentropy", {"learning_rate": 0.1, "epsilon": 1e-12}),
    ],
)
def test_lanes_part_from_fit_no_further_than_fit_from_itself(data, model, loss, arguments):
    if loss == "cosine_similarity":
        data = with_labels(data, lambda y: np.eye(10, dtype=np.float32)[y])
    least = COSINE if loss == "cosine_similarity" else LEAST
    trials = suggestions({**ADAM, **arguments}, {**ADAM, **arguments, "learning_rate": 0.01})
    result = lanes(user_spec(model, loss=loss), data, trials)[0]

    def build():
        return getattr(user_models, model)((64,), 10)

    fit, reordered = (plain_fit(build, data, trials[0].params, loss=loss, reverse=turned) for turned in (False, True))
    assert apart(result.weights, fit.weights) <= max(5 * apart(reordered.weights, fit.weights), least)
    np.testing.assert_allclose(result.curve["val_loss"], fit.history["val_loss"], rtol=1e-5)


@pytest.mark.soak
def test_a_scaled_loss_of_half_precision_has_the_numbers_of_fit(data):
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
