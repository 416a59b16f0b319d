"""Losses and metrics with arguments: lanes and `fit` have the numbers of a script with Keras's own objects."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_sweep.data.split import left_out
from keras_sweep.errors import ModelError
from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Goal, Objective, Parameter
from keras_sweep.space.sweep_spec import Split
from keras_sweep.space_file.keras_tables import LOSS_ARGUMENTS, LOSSES
from keras_sweep.training.losses import loss_of, metric_of
from tests.helpers.factory import EPOCHS, LEARNING_RATE, digits, make_spec
from tests.helpers.lane_trials import fitted, lanes, suggestions, with_labels
from tests.helpers.plain_fit import plain_fit
from tests.helpers.walk import assert_same

RUNNERS = {"lanes": lanes, "fit": fitted}
PAIR = suggestions(
    *({"optimizer": "adam", "learning_rate": rate, "epochs": 3, "batch_size": 32} for rate in (0.01, 0.1))
)
BY_LOSS = Objective("val_loss", Goal.MINIMIZE)


def one_hot(data):
    return with_labels(data, lambda y: np.eye(10, dtype=np.float32)[y])


def halves(data):
    return with_labels(data, lambda y: (y > 6).astype(np.float32)[:, None], classes=2)


def numbers(data):
    return with_labels(data, lambda y: (y / 3).astype(np.float32), classes=None)


def model(units, activation):
    return lambda: keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(units, activation=activation)])


SMOOTH = {"label_smoothing": 0.1}
RECALL = {"recall": 0.7}
CASES = {
    "smoothed labels": (one_hot, "categorical_crossentropy", SMOOTH, {}, model(10, "softmax")),
    "logits": (one_hot, "categorical_crossentropy", {"from_logits": True}, {}, model(10, "linear")),
    "logits of class indices": (
        lambda data: data,
        "sparse_categorical_crossentropy",
        {"from_logits": True},
        {"sparse_top_k_categorical_accuracy": {"k": 2}},
        model(10, "linear"),
    ),
    "rare rows": (
        halves,
        "binary_focal_crossentropy",
        {"gamma": 3.0, "alpha": 0.4, "apply_class_balancing": True},
        {"precision_at_recall": RECALL, "auc": {"curve": "PR"}, "f1_score": {"average": "macro", "threshold": 0.5}},
        model(1, "sigmoid"),
    ),
    "errors": (numbers, "huber", {"delta": 0.3}, {"r2_score": {"num_regressors": 0}}, model(1, "linear")),
}


def of_keras(loss, arguments, metrics):
    """As a script makes them."""
    kinds = {
        "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
        "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
        "binary_focal_crossentropy": keras.losses.BinaryFocalCrossentropy,
        "huber": keras.losses.Huber,
        "precision_at_recall": keras.metrics.PrecisionAtRecall,
        "sparse_top_k_categorical_accuracy": keras.metrics.SparseTopKCategoricalAccuracy,
        "auc": keras.metrics.AUC,
        "f1_score": keras.metrics.F1Score,
        "r2_score": keras.metrics.R2Score,
    }
    made = [kinds[name](**given, name=name) for name, given in metrics.items()]
    return {"loss": kinds[loss](**arguments), "metrics": made}


def spec_of(loss, arguments, metrics, **changes):
    usual = {"metrics": tuple(metrics), "objective": BY_LOSS}
    return make_spec(loss=loss, loss_arguments=arguments, metric_arguments=metrics, **{**usual, **changes})


@pytest.mark.parametrize("run", RUNNERS.values(), ids=RUNNERS)
@pytest.mark.parametrize(("labels", "loss", "arguments", "metrics", "build"), CASES.values(), ids=CASES)
def test_it_has_the_numbers_of_a_script_with_keras_own_objects(data, labels, loss, arguments, metrics, build, run):
    rows, spec = labels(data), spec_of(loss, arguments, metrics)
    results = run(spec, rows, PAIR)
    for number, trial in enumerate(PAIR):
        expected = plain_fit(build, rows, trial.params, **of_keras(loss, arguments, metrics))
        assert set(results[number].curve) == set(expected.history)
        assert_same(results[number], expected, trial.params)
        # What each row contributes adds up, so that trials are compared row by row.
        assert results[number].scores.values().mean() == pytest.approx(results[number].value, rel=1e-4)
        assert results[number].stderr > 0


def test_an_argument_of_the_loss_may_be_a_parameter(data):
    space = (LEARNING_RATE, EPOCHS, Parameter("loss.label_smoothing", Categorical((0.0, 0.3))))
    spec = spec_of("categorical_crossentropy", {}, {}, space=make_spec(space).space)
    trials = suggestions(*({**PAIR[0].params, "loss.label_smoothing": share} for share in (0.0, 0.3)))
    for run in RUNNERS.values():
        results = run(spec, one_hot(data), trials)
        for number, share in enumerate((0.0, 0.3)):
            compiled = of_keras("categorical_crossentropy", {"label_smoothing": share}, {})
            expected = plain_fit(model(10, "softmax"), one_hot(data), PAIR[0].params, **compiled)
            assert_same(results[number], expected, share)


def test_a_metric_with_arguments_ranks_and_no_part_of_a_row_is_made_up(data):
    top = {"sparse_top_k_categorical_accuracy": {"k": 2}}
    name = "val_sparse_top_k_categorical_accuracy"
    spec = spec_of("sparse_categorical_crossentropy", {}, top, objective=Objective(name, Goal.MAXIMIZE))
    for run in RUNNERS.values():
        result = run(spec, data, PAIR)[0]
        assert result.value == result.curve[name][-1]
        assert (result.scores, result.stderr) == (None, None)


def test_folds_join_a_metric_with_arguments_over_all_rows():
    rows = halves(digits(192, 0))
    folds = tuple(left_out(rows.train.y[:, 0], Split(folds=2), classes=True))
    data = replace(rows, validation=rows.train, folds=folds)
    metrics, goal = {"precision_at_recall": RECALL}, Objective("val_precision_at_recall", Goal.MAXIMIZE)
    result = fitted(spec_of("binary_crossentropy", {}, metrics, objective=goal), data, PAIR)[0]
    assert 0 < result.value <= 1


@pytest.mark.parametrize("name", [name for name in LOSSES if LOSS_ARGUMENTS[name]])
def test_keras_takes_every_argument_that_is_listed(name):
    import inspect

    kind = type(loss_of(name, {LOSS_ARGUMENTS[name][0]: 0.5}))
    given = {key: inspect.signature(kind).parameters[key].default for key in LOSS_ARGUMENTS[name]}
    assert loss_of(name, given) is loss_of(name, dict(reversed(given.items())))  # one object, so that it is traced once


@pytest.mark.parametrize(
    ("make", "name", "arguments"),
    [(loss_of, "huber", {"slope": 1.0}), (metric_of, "auc", {"curve": "ABC"}), (loss_of, "hinge", {"delta": 1.0})],
)
def test_what_keras_does_not_take_is_said(make, name, arguments):
    with pytest.raises(ModelError, match=f"'{name}' does not take "):
        make(name, arguments)
