"""Each loss and each metric of Keras has the numbers of `fit` in lanes."""

import inspect

import keras
import pytest

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
