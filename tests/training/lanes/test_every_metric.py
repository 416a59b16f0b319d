"""Each loss and each metric of Keras has the numbers of `fit` in lanes."""

import inspect
from dataclasses import replace
from functools import partial

import keras
import pytest

from keras_sweep.training.fit.runner import FitRunner
from tests.helpers import keras_catalogue as catalogue
from tests.helpers.lane_trials import suggestions, train
from tests.helpers.plain_fit import outputs, plain_fit
from tests.helpers.walk import SHORT, assert_same, rows, spec_of, trained

# some of Keras's metrics ask JAX for whole numbers of 64 bits, by `fit` as in lanes
pytestmark = pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")

MODELS = {  # of labels: units and activation of the last layer, and the usual loss
    catalogue.SPARSE: (catalogue.CLASSES, "softmax", "sparse_categorical_crossentropy"),
    catalogue.ONE_HOT: (catalogue.CLASSES, "softmax", "categorical_crossentropy"),
    catalogue.BINARY: (1, "sigmoid", "binary_crossentropy"),
    catalogue.NUMBERS: (1, "softplus", "mean_squared_error"),
}
TRIALS = tuple({"optimizer": "sgd", "learning_rate": rate, "epochs": 2, "batch_size": 8} for rate in (0.05, 0.02))
WHOLE_IN_TRAINING = (50, 32)  # a short batch in validation alone
IN_SHORT = {"circle", "dice"} | {losses[-1] for losses in catalogue.LOSSES.values()}
LABELS = {loss: labels for labels, losses in catalogue.LOSSES.items() for loss in losses}


def compared(labels, loss, metrics, *, alone):
    data, (units, activation, _) = rows(8, labels, SHORT if loss in IN_SHORT else WHOLE_IN_TRAINING), MODELS[labels]
    spec = spec_of("plain_fit:outputs", {"units": units, "activation": activation}, loss=loss, metrics=metrics)
    results, how = trained(spec, data, TRIALS)
    assert how == (False, True, alone)
    expected = plain_fit(lambda: outputs(units, activation), data, TRIALS[0], loss=loss, metrics=metrics)
    assert_same(results[0], expected, (loss, *metrics))


def test_every_loss_is_walked_through_or_left_out_with_a_reason():
    functions = {name for name, _ in inspect.getmembers(keras.losses, inspect.isroutine)}
    assert functions == set(LABELS) | catalogue.named(catalogue.LOSSES_LEFT_OUT)


def test_every_metric_is_walked_through_or_left_out_with_a_reason():
    names = {
        name for group in (*catalogue.METRICS.values(), *catalogue.METRICS_OF_A_BATCH.values()) for name in group
    } - {"accuracy"}
    classes = {type(keras.metrics.get(name)).__name__ for name in names} | {"Accuracy"}
    assert set(catalogue.public("metrics")) == classes | catalogue.named(catalogue.METRICS_LEFT_OUT)


@pytest.mark.parametrize(
    "loss", [each if each in IN_SHORT else pytest.param(each, marks=pytest.mark.soak) for each in LABELS]
)
def test_a_loss_has_the_numbers_of_fit(loss):
    compared(LABELS[loss], loss, (), alone=loss not in catalogue.LOOK_AT_THE_BATCH)


@pytest.mark.parametrize(
    "labels", [pytest.param(one, marks=[pytest.mark.soak] * (one != "numbers")) for one in catalogue.METRICS]
)
def test_metrics_have_the_numbers_of_fit(labels):
    compared(labels, MODELS[labels][-1], catalogue.METRICS[labels], alone=True)


@pytest.mark.parametrize("labels", catalogue.METRICS_OF_A_BATCH)
def test_metrics_of_a_batch_have_the_numbers_of_fit(labels):
    compared(labels, MODELS[labels][-1], catalogue.METRICS_OF_A_BATCH[labels], alone=False)


def test_a_metric_by_class_of_two_classes_in_a_column_is_one_number_as_by_fit():
    data = rows(8, catalogue.BINARY, WHOLE_IN_TRAINING)
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
