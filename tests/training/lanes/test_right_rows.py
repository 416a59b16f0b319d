"""Right and wrong out of the validation program: the rows that the model itself gets right."""

from __future__ import annotations

import pytest

from keras_sweep.trial.row_scores import Kind
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import fitted, lanes, suggestions, user_spec

PARAMS = tuple({"optimizer": "adam", "learning_rate": rate, "epochs": 3, "batch_size": 32} for rate in (0.003, 0.05))


@pytest.fixture(scope="module")
def data():
    return digits(150, 70)


def bits(results):
    assert all(one.scores.kind is Kind.BITS for one in results.values())
    return {number: one.scores.values() for number, one in results.items()}


@pytest.mark.parametrize("model", ["dense", "regularized", "constrained"])
def test_lanes_and_fit_get_the_same_rows_right(data, model):
    spec = make_spec() if model == "dense" else user_spec(model)
    ours, theirs = lanes(spec, data, suggestions(*PARAMS)), fitted(spec, data, suggestions(*PARAMS))
    for number, each in bits(ours).items():
        assert each.mean() == pytest.approx(ours[number].value, abs=1e-6)
        assert (each != bits(theirs)[number]).sum() <= 1  # a row on the border


def test_they_are_of_the_epoch_that_is_scored(data):
    spec = make_spec(take_best=True)
    jumping = [{**PARAMS[0], "learning_rate": rate, "epochs": 6} for rate in (0.3, 0.5, 0.7, 0.9)]
    results = lanes(spec, data, suggestions(*jumping))
    for number, each in bits(results).items():
        assert each.mean() == pytest.approx(results[number].value, abs=1e-6)
    assert any(result.epoch < 6 for result in results.values())
