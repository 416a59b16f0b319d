"""Each loss and each metric of Keras has the numbers of `fit` in lanes."""

import inspect
from dataclasses import replace
from functools import partial

import keras
import pytest

from keras_sweep.training.fit.runner import FitRunner
from tests.helpers.keras_catalogue import (
    BINARY,
    CLASSES,
    LOOK_AT_THE_BATCH,
    LOSSES,
    LOSSES_LEFT_OUT,
    METRICS,
    METRICS_LEFT_OUT,
    METRICS_OF_A_BATCH,
    NUMBERS,
    ONE_HOT,
    SPARSE,
    named,
    public,
)
from tests.helpers.lane_trials import suggestions, train
from tests.helpers.plain_fit import outputs, plain_fit
from tests.helpers.walk import SHORT, assert_same, rows, spec_of, trained

# some of Keras's metrics ask JAX for whole numbers of 64 bits, by `fit` as in lanes
pytestmark = pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")

MODELS = {SPARSE: (CLASSES, "softmax"), ONE_HOT: (CLASSES, "softmax"), BINARY: (1, "sigmoid"), NUMBERS: (1, "softplus")}
TRIALS = tuple({"optimizer": "sgd", "learning_rate": rate, "epochs": 2, "batch_size": 8} for rate in (0.05, 0.02))
WHOLE_IN_TRAINING = (50, 32)  # a short batch in validation alone
USUAL = {
    SPARSE: "sparse_categorical_crossentropy",
    ONE_HOT: "categorical_crossentropy",
    BINARY: "binary_crossentropy",
    NUMBERS: "mean_squared_error",
}

IN_SHORT = {"circle", "dice"} | {losses[-1] for losses in LOSSES.values()}
LABELS = {loss: labels for labels, losses in LOSSES.items() for loss in losses}


def compared(labels, loss, metrics, *, alone):
    data, (units, activation) = rows(8, labels, SHORT if loss in IN_SHORT else WHOLE_IN_TRAINING), MODELS[labels]
    spec = spec_of("plain_fit:outputs", {"units": units, "activation": activation}, loss=loss, metrics=metrics)
    results, how = trained(spec, data, TRIALS)
    assert how == (False, True, alone)
    expected = plain_fit(lambda: outputs(units, activation), data, TRIALS[0], loss=loss, metrics=metrics)
    assert_same(results[0], expected, (loss, *metrics))


def test_every_loss_is_walked_through_or_left_out_with_a_reason():
    functions = {name for name, _ in inspect.getmembers(keras.losses, inspect.isroutine)}
    assert functions == set(LABELS) | named(LOSSES_LEFT_OUT)


def test_every_metric_is_walked_through_or_left_out_with_a_reason():
    names = {name for group in (*METRICS.values(), *METRICS_OF_A_BATCH.values()) for name in group} - {"accuracy"}
    classes = {type(keras.metrics.get(name)).__name__ for name in names} | {"Accuracy"}
    assert set(public("metrics")) == classes | named(METRICS_LEFT_OUT)


@pytest.mark.parametrize(
    "loss", [each if each in IN_SHORT else pytest.param(each, marks=pytest.mark.soak) for each in LABELS]
)
def test_a_loss_has_the_numbers_of_fit(loss):
    compared(LABELS[loss], loss, (), alone=loss not in LOOK_AT_THE_BATCH)


@pytest.mark.parametrize(
    "labels", [pytest.param(one, marks=[pytest.mark.soak] * (one != "numbers")) for one in METRICS]
)
def test_metrics_have_the_numbers_of_fit(labels):
    compared(labels, USUAL[labels], METRICS[labels], alone=True)


@pytest.mark.parametrize("labels", METRICS_OF_A_BATCH)
def test_metrics_of_a_batch_have_the_numbers_of_fit(labels):
    compared(labels, USUAL[labels], METRICS_OF_A_BATCH[labels], alone=False)


def test_a_metric_by_class_of_two_classes_in_a_column_is_one_number_as_by_fit():
    data = rows(8, BINARY, WHOLE_IN_TRAINING)
    parts = {part: replace(getattr(data, part), y=getattr(data, part).y[:, None]) for part in ("train", "validation")}
    data = replace(data, **parts)
    given = {"f1_score": {"threshold": 0.5}}
    spec = spec_of("plain_fit:outputs", {"units": 1, "activation": "sigmoid"}, loss="binary_crossentropy")
    spec = replace(spec, metrics=("f1_score", "precision"), metric_arguments=given)
    found, _ = trained(spec, data, TRIALS)
    metrics = (keras.metrics.F1Score(threshold=0.5), "precision")
    build = partial(outputs, 1, "sigmoid")
    expected = plain_fit(build, data, TRIALS[0], loss="binary_crossentropy", metrics=metrics)
    by_fit = train(FitRunner(spec, data), suggestions(TRIALS[0]))[0]
    assert {"f1_score", "val_f1_score"} <= found[0].curve.keys() == by_fit.curve.keys()
    curve = [value.item() for value in expected.history["val_f1_score"]]
    assert found[0].curve["val_f1_score"] == by_fit.curve["val_f1_score"] == pytest.approx(curve)
    assert 0 < curve[-1] < 1
