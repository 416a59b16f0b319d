import numpy as np
import pytest

from keras_sweep.training.fit.runner import FitRunner
from tests.helpers.factory import make_spec
from tests.helpers.lane_trials import Watching, fitted, suggestions, train
from tests.helpers.plain_fit import dense, plain_fit

ADAM = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 3}


def test_a_trial_has_the_numbers_of_fit_and_evaluate(data):
    result, expected = fitted(make_spec(), data, suggestions(ADAM))[0], plain_fit(dense, data, ADAM)
    assert dict(result.curve) == {name: tuple(values) for name, values in expected.history.items()}
    assert result.value == expected.scores["accuracy"]
    assert result.stderr == pytest.approx((result.value * (1 - result.value) / 100) ** 0.5)
    for kept, trained in zip(result.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(kept, trained)


def test_the_same_trial_has_the_same_numbers_whatever_ran_before(data):
    results = fitted(make_spec(), data, suggestions(ADAM, {**ADAM, "optimizer": "sgd"}, ADAM))
    assert results[0].curve == results[2].curve


def test_only_wanted_trials_are_trained(data):
    watch = Watching()
    trials = suggestions(*3 * [{**ADAM, "epochs": 1}])
    assert list(train(FitRunner(make_spec(), data), trials, watch, wanted={1})) == [1]
    assert watch.epochs == [(1, 1)]


def test_a_request_to_stop_ends_after_the_epoch(data):
    watch = Watching(stop_after=1)
    assert fitted(make_spec(), data, suggestions(ADAM, ADAM), watch) == {}
    assert watch.epochs == [(0, 1)]
