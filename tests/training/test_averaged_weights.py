"""With `use_ema` a trial is scored by what `fit` leaves: the averages of the weights."""

from functools import cache

import keras
import numpy as np
import pytest

from keras_sweep.errors import SweepError
from keras_sweep.training.averaged_weights import get_average_weights
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.trial.result import Suggestion
from tests.helpers.factory import make_spec
from tests.helpers.lane_trials import assert_weights_close, suggestions, train
from tests.helpers.plain_fit import assert_scored_by_its_weights, dense, plain_fit

EMA = {"optimizer": "adam", "learning_rate": 0.02, "epochs": 3, "use_ema": True, "ema_momentum": 0.9}
OVERWRITING = {**EMA, "ema_overwrite_frequency": 7}
RUNNERS = {"lanes": CompiledRunner, "fit": FitRunner}


@pytest.fixture(scope="module")
def plain(data):
    """What a script of the user's comes to; each trained once for all tests."""
    return cache(lambda **params: plain_fit(dense, data, params))


@pytest.mark.parametrize("runner", RUNNERS)
def test_value_and_weights_are_those_that_fit_and_evaluate_end_with(data, plain, runner):
    trials = suggestions(EMA, OVERWRITING)
    results = train(RUNNERS[runner](make_spec(), data), trials)
    for trial in trials:
        expected, result = plain(**trial.params), results[trial.number]
        assert result.value == pytest.approx(expected.scores["accuracy"])
        assert result.metrics["val_loss"] == pytest.approx(expected.scores["loss"], rel=1e-5)
        np.testing.assert_allclose(result.curve["loss"], expected.history["loss"], rtol=1e-5)
        assert_weights_close(result, expected)
    assert abs(expected.history["val_loss"][-1] - expected.scores["loss"]) > 1e-3  # of the weights themselves


@pytest.mark.parametrize("runner", RUNNERS)
def test_every_epoch_is_scored_as_if_fit_ended_there(data, plain, runner):
    (result,) = train(RUNNERS[runner](make_spec(), data), suggestions(EMA)).values()
    shorter = plain(**{**EMA, "epochs": 2})
    assert result.curve["val_loss"][1] == pytest.approx(shorter.scores["loss"], rel=1e-5)


def test_a_trial_that_is_continued_goes_on_from_the_weights_themselves(data, plain):
    runner = CompiledRunner(make_spec(), data, keep_states=True)
    train(runner, [Suggestion(0, {**EMA, "epochs": 1}), Suggestion(1, {**EMA, "epochs": 1, "learning_rate": 0.01})])
    continued = train(runner, [Suggestion(2, EMA, 1, continues=0)])[2]
    expected = plain(**EMA)
    assert continued.metrics["val_loss"] == pytest.approx(expected.scores["loss"], rel=1e-5)
    assert_scored_by_its_weights(data, continued)


def test_a_keras_that_keeps_the_averages_elsewhere_is_named(data, monkeypatch):
    model = dense()
    model.compile(optimizer=keras.optimizers.SGD(use_ema=True), loss="sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    monkeypatch.delattr(model.optimizer, "_model_variables_moving_average")
    with pytest.raises(SweepError, match="can't read the averages of `use_ema` in this Keras"):
        get_average_weights(model)
