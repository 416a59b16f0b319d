"""`fit` on the same batches, their rows in another order: the same training but for its rounding."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np

from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.training.fit.disturbed import disturb, draws_at_random
from keras_sweep.training.fit.runner import FitRunner
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import suggestions, train

DATA = digits(100, 50)
TRIAL = suggestions({"optimizer": "adam", "learning_rate": 0.003, "epochs": 2, "batch_size": 32})


def kernel(spec, order):
    """The first weights of the trained model; as it is where the order is 0."""
    prepare = partial(disturb, order=order) if order else None
    return train(FitRunner(spec, DATA, prepare=prepare), TRIAL)[0].weights[0]


def test_other_orders_move_the_last_digits_and_nothing_else():
    plain, *others = (kernel(make_spec(), order) for order in (0, 1, 2))
    for other in others:
        assert (other != plain).any()
        np.testing.assert_allclose(other, plain, atol=2e-5)


def test_a_model_that_draws_at_random_keeps_its_rows_where_they_are():
    dropping = make_spec(model=ModelSpec("dense", "dense", {"hidden": 8, "dropout": 0.2}))
    plain, moved = (kernel(dropping, order) for order in (0, 1))
    assert (moved != plain).any()
    np.testing.assert_allclose(moved, plain, atol=1e-3)


def test_dropout_draws_at_random():
    inputs = keras.layers.Input((8,))
    assert draws_at_random(keras.Sequential([inputs, keras.layers.Dropout(0.5), keras.layers.Dense(1)]))
    assert not draws_at_random(keras.Sequential([inputs, keras.layers.Dense(1)]))
