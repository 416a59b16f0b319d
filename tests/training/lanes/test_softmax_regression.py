from dataclasses import replace

import keras
import pytest

from keras_sweep.data.search_data import Rows
from keras_sweep.training.lanes.flat import is_softmax_regression
from keras_sweep.training.lanes.signature import make_signature
from keras_sweep.training.lanes.template import Template
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import TrialState
from tests.helpers.factory import make_spec
from tests.helpers.lane_trials import assert_as_fit, fitted, lanes, suggestions, user_spec

ADAM = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 3}
PAIR = suggestions(ADAM, {"optimizer": "sgd", "learning_rate": 0.1, "epochs": 2})


def changed(data, x=lambda rows: rows, y=lambda labels: labels):
    rows = {part: Rows(x(getattr(data, part).x), y(getattr(data, part).y)) for part in ("train", "validation")}
    return replace(data, **rows)


def recognized(spec, data, params=ADAM):
    return is_softmax_regression(Template(spec, make_signature(training_plan(spec, params)), data))


@pytest.mark.parametrize(
    ("params", "metrics", "pictures"),
    [
        ({}, ("accuracy",), False),
        ({"model.use_bias": False}, ("sparse_categorical_accuracy",), False),
        ({"model.units": 10}, (), True),  # they are made flat, and their labels are a column
    ],
)
def test_one_layer_has_the_numbers_of_fit(data, params, metrics, pictures):
    if pictures:
        data = changed(data, lambda rows: rows.reshape(-1, 8, 8), lambda labels: labels.reshape(-1, 1))
    spec = make_spec(metrics=metrics)
    spec = replace(spec, objective=replace(spec.objective, name="val_loss"))
    trials = [replace(trial, params={**trial.params, **params}) for trial in PAIR]
    assert recognized(spec, data, trials[0].params)
    assert_as_fit(spec, data, trials)


def test_a_lane_that_overflows_diverges_as_by_fit_and_its_neighbour_does_not(data):
    trials = suggestions({**ADAM, "optimizer": "sgd", "learning_rate": 3e38}, ADAM)
    ours, theirs = lanes(make_spec(), data, trials), fitted(make_spec(), data, trials)
    assert [ours[number].state for number in (0, 1)] == [TrialState.FAIL, TrialState.COMPLETE]
    assert (ours[0].reason, ours[0].epoch) == (theirs[0].reason, theirs[0].epoch)


@pytest.mark.parametrize(
    ("spec", "params"),
    [
        *((make_spec(), {"model.hidden": 4}), (make_spec(), {"model.l2": 0.1}), (make_spec(), {"model.dropout": 0.5})),
        (make_spec(), {"model.activation": "sigmoid"}),
        *((user_spec(name), {}) for name in ("convolutional", "regularized")),
        (make_spec(metrics=("accuracy", "sparse_top_k_categorical_accuracy")), {}),
    ],
)
def test_any_other_model_or_metric_is_left_to_keras(data, spec, params):
    assert not recognized(spec, data, {**ADAM, **params})


def test_another_loss_is_left_to_keras(data):
    whole = changed(data, y=lambda labels: keras.utils.to_categorical(labels, 10))
    assert not recognized(make_spec(loss="categorical_crossentropy"), whole)


def test_half_precision_is_left_to_keras(data):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert not recognized(make_spec(), data)
    finally:
        keras.config.set_dtype_policy(before)
