"""Where trials part from `fit` by more than a rounding, `fit` parts as far from itself once its sums are reordered."""

import numpy as np
import pytest

from tests.helpers import user_models
from tests.helpers.factory import digits
from tests.helpers.lane_trials import lanes, suggestions, user_spec, with_labels
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
