"""Lanes validate many rows at once only where that gives what `evaluate` gives in the trial's own batches."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.training.lanes.programs import Programs
from keras_sweep.training.lanes.signature import make_signature
from keras_sweep.training.lanes.validation import has_independent_layers
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.row_scores import Kind
from tests.helpers import user_models
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import (
    assert_as_fit,
    assert_weights_close,
    fitted,
    lanes,
    suggestions,
    user_spec,
    with_labels,
)
from tests.helpers.plain_fit import plain_fit

TRIAL = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 3}
PAIR = ({**TRIAL, "epochs": 3}, {**TRIAL, "learning_rate": 0.003, "epochs": 2})
BY_LOSS = {"metrics": (), "objective": Objective("val_loss", Goal.MINIMIZE)}


@pytest.fixture(scope="module")
def data():
    return digits(150, 70)


def built(name, **arguments):
    return lambda: getattr(user_models, name)((64,), 10, **arguments)


def with_model(name, **arguments):
    return replace(user_spec(name), model=ModelSpec("python", f"user_models:{name}", arguments))


def row_by_row(spec, data, **params):
    return Programs(spec, data).can_use_any_batch_size(make_signature(training_plan(spec, {**TRIAL, **params})))


def assert_as_plain_fit(spec, data, build, **arguments):
    result, expected = lanes(spec, data, suggestions(*PAIR))[0], plain_fit(build, data, PAIR[0], **arguments)
    for name, curve in expected.history.items():
        np.testing.assert_allclose(result.curve[name], curve, rtol=1e-5, atol=1e-7, err_msg=name)
    assert_weights_close(result, expected)


@pytest.mark.parametrize(
    "layer", ["Counting", *(pytest.param(one, marks=pytest.mark.soak) for one in ("Centered", "Noise"))]
)
def test_a_layer_that_looks_at_the_batch_or_keeps_a_count_has_the_numbers_of_fit(data, layer):
    spec = with_model("with_own_layer", layer=layer)
    assert not row_by_row(spec, data)
    assert_as_plain_fit(spec, data, built("with_own_layer", layer=layer))


@pytest.mark.soak
@pytest.mark.parametrize("layer", ["LSTM", "GRU"])
def test_recurrent_dropout_draws_on_after_validation_as_in_fit(layer):
    whole_batches = digits(96, 64)  # half the programs: they compile slowly
    assert_as_plain_fit(with_model("recurrent", layer=layer), whole_batches, built("recurrent", layer=layer))


@pytest.mark.parametrize("spec", [make_spec(), user_spec("convolutional"), user_spec("regularized")])
def test_rows_of_ordinary_layers_stand_alone(data, spec):
    assert row_by_row(spec, data)


@pytest.mark.parametrize("axis", [0, -2, [0, 1]])
def test_a_layer_that_looks_along_the_rows_is_seen_inside_another_model_too(axis):
    inner = keras.Sequential([keras.Input((8, 64)), keras.layers.Softmax(axis=axis)])
    assert not has_independent_layers(keras.Sequential([keras.Input((8, 64)), inner, keras.layers.Flatten()]))


def test_an_axis_of_a_constraint_is_none_of_the_rows():
    layer = keras.layers.Dense(10, kernel_constraint=keras.constraints.MaxNorm(2, axis=0))
    assert has_independent_layers(keras.Sequential([keras.Input((64,)), layer, keras.layers.BatchNormalization()]))


def test_metrics_made_of_counts_stand_alone(data):
    halves = with_labels(data, lambda y: (y % 2).astype(np.float32), classes=2)
    changes = {**BY_LOSS, "loss": "binary_crossentropy", "metrics": ("auc", "precision", "recall")}
    assert row_by_row(make_spec(**changes), halves)
    assert row_by_row(user_spec("one_output", **changes), halves)


@pytest.fixture(scope="module")
def numbers(data):
    """One column of labels, which is no class."""
    return with_labels(data, lambda y: y.astype(np.float32), classes=None)


@pytest.mark.parametrize(("loss", "alone"), [("mse", True), ("log_cosh", True), ("hinge", False)])
def test_a_loss_that_converts_a_batch_of_only_zeros_and_ones_sees_the_batches_of_fit(numbers, loss, alone):
    assert row_by_row(user_spec("one_output", loss=loss, **BY_LOSS), numbers) == alone


def test_a_metric_that_sets_each_label_against_each_output_sees_the_batches_of_fit(numbers):
    metrics = ("poisson", "kl_divergence", "hinge")  # of Keras, on labels [N] and outputs [N, 1]
    spec = user_spec("one_output", **{**BY_LOSS, "metrics": metrics, "loss": "mse"})
    spec = replace(spec, model=replace(spec.model, arguments={"activation": "sigmoid"}))
    assert not row_by_row(spec, numbers)
    assert_as_fit(spec, numbers, suggestions(TRIAL))


def bits(results):
    assert all(one.scores.kind is Kind.BITS for one in results.values())
    return {number: one.scores.values() for number, one in results.items()}


@pytest.mark.parametrize("model", ["dense", "constrained"])  # flat and stacked
def test_lanes_and_fit_get_the_same_rows_right(data, model):
    spec = make_spec() if model == "dense" else user_spec(model)
    ours, theirs = lanes(spec, data, suggestions(*PAIR)), fitted(spec, data, suggestions(TRIAL))
    for number, each in bits(ours).items():
        assert each.mean() == pytest.approx(ours[number].value, abs=1e-6)
    assert (bits(ours)[0] != bits(theirs)[0]).sum() <= 1  # a row on the border


def test_they_are_of_the_epoch_that_is_scored(data):
    spec = make_spec(take_best=True)
    jumping = [{**TRIAL, "learning_rate": rate, "epochs": 6} for rate in (0.3, 0.5, 0.7, 0.9)]
    results = lanes(spec, data, suggestions(*jumping))
    for number, each in bits(results).items():
        assert each.mean() == pytest.approx(results[number].value, abs=1e-6)
    assert any(result.epoch < 6 for result in results.values())
