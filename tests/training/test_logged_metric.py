"""A logged metric: its score of each row, and its standard error over units, for every kind of loss and metric."""

import math
from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_sweep.data.search_data import Fold, Rows
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.sweep_spec import Output
from keras_sweep.training.logged_metric import LoggedMetric, number_batches
from keras_sweep.training.row_values import MEAN, WEIGHTED_MEAN
from keras_sweep.trial.row_scores import Kind
from keras_sweep.trial.units import Units
from tests.helpers.factory import accuracy_error, digits, make_spec
from tests.helpers.lane_trials import fitted, lanes, suggestions, with_labels

RANDOM = np.random.default_rng(0)
LIKELY = RANDOM.random((60, 1)).astype(np.float32)
BINARY = RANDOM.integers(0, 2, 60)
SQUARES = (LIKELY[:, 0].astype(float) - BINARY) ** 2


def mse(value, rows=None, **more):
    """The logged loss "mse" of LIKELY and BINARY."""
    return LoggedMetric("val_loss", "mse", value, rows or Rows(LIKELY, BINARY), lambda: LIKELY, **more)


def plain_error(values):
    return np.std(values, ddof=1) / math.sqrt(len(values))


@pytest.mark.parametrize("rows", [24, 128, 12_000])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_perfect_share_is_as_uncertain_as_its_rows_are_few(share, rows):
    assert accuracy_error(share, rows) == pytest.approx(0.5 / (rows + 1))  # half of Wilson's interval


@pytest.mark.parametrize("share", [0.2, 0.8458])
def test_away_from_the_ends_it_is_the_binomial_error(share):
    assert accuracy_error(share, 12_000) == pytest.approx(math.sqrt(share * (1 - share) / 12_000), rel=1e-4)


def test_an_unknown_metric_has_no_error_and_no_scores():
    unknown = LoggedMetric("val_unknown", "mse", 1.0, Rows(LIKELY, BINARY), pytest.fail)
    assert unknown.standard_error() is None and unknown.row_scores() == (None, None)
    auc = LoggedMetric("val_auc", "binary_crossentropy", 0.5, Rows(LIKELY, BINARY), pytest.fail)
    assert auc.standard_error() is None
    none = LoggedMetric("val_loss", "mse", 1.0, Rows(LIKELY[:0], BINARY[:0]), lambda: LIKELY[:0])
    assert none.standard_error() is None


def test_a_metric_with_arguments_of_one_of_several_outputs_is_not_looked_for_in_its_rows():
    name = "sparse_top_k_categorical_accuracy"
    output = Output("sparse_categorical_crossentropy", metrics=(name,), metric_arguments={name: {"k": 2}})
    spec = make_spec(loss="", outputs={"a": output, "b": Output("mse")})
    rows = Rows(LIKELY, {"a": BINARY, "b": BINARY})
    of_output = LoggedMetric.from_spec(spec, {}, f"val_a_{name}", 0.5, rows, pytest.fail)
    assert of_output.row_scores() == (None, None) and of_output.standard_error() is None
    of_all = LoggedMetric.from_spec(spec, {}, "val_loss", 0.5, rows, pytest.fail)
    assert of_all.row_scores() == (None, None) and of_all.standard_error() is None


def test_the_loss_of_an_output_is_of_its_own_labels_and_its_own_prediction():
    spec = make_spec(loss="", outputs={"a": Output("mae"), "b": Output("mse", metrics=("mae",))})
    rows = Rows(LIKELY, {"a": np.zeros(60), "b": BINARY})
    logged = LoggedMetric.from_spec(spec, {}, "val_b_loss", SQUARES.mean(), rows, lambda: (LIKELY * 9, LIKELY))
    np.testing.assert_allclose(logged.row_scores()[0].values(), SQUARES, rtol=1e-5)
    assert logged.standard_error() == pytest.approx(plain_error(SQUARES), rel=1e-5)


def test_a_penalty_on_weights_is_equal_for_all_rows_and_adds_no_error():
    penalized = mse(SQUARES.mean() + 0.25)
    np.testing.assert_allclose(penalized.row_scores()[0].values(), SQUARES + 0.25, rtol=1e-5)
    assert penalized.standard_error() == pytest.approx(plain_error(SQUARES), rel=1e-5)
    assert mse(SQUARES.mean() - 0.1).row_scores() == (None, pytest.approx(SQUARES.mean()))
    own = mse(SQUARES.mean() - 0.1, row_function=lambda y, outputs: keras.ops.square(y - outputs))
    assert own.row_scores() == (None, None) and own.standard_error() is None
    metric = LoggedMetric("val_mse", "mae", SQUARES.mean() + 0.25, Rows(LIKELY, BINARY), lambda: LIKELY)
    assert metric.row_scores() == (None, pytest.approx(SQUARES.mean()))  # a metric has no penalty


def test_losses_that_layers_add_for_each_row_are_part_of_its_score_and_of_the_error():
    added = RANDOM.random(60)
    logged = mse(SQUARES.mean() + added.mean(), added=lambda: added)
    np.testing.assert_allclose(logged.row_scores()[0].values(), SQUARES + added, rtol=1e-5)
    assert logged.standard_error() == pytest.approx(plain_error(SQUARES + added), rel=1e-5)


def test_a_sum_of_added_losses_counts_a_batchs_rows():
    """A loss that is summed over a batch's rows: each row adds it as many times as its batch has rows."""
    added, batches = RANDOM.random(60), np.arange(60) // 16
    times = np.bincount(batches)[batches]
    logged = mse(SQUARES.mean() + (added * times).mean(), added=lambda: added, batches=lambda: batches)
    np.testing.assert_allclose(logged.row_scores()[0].values(), SQUARES + added * times, rtol=1e-5)


def test_added_losses_that_do_not_explain_the_value_leave_no_scores():
    assert mse(SQUARES.mean() + 0.5, added=lambda: np.full(60, 0.1)).row_scores()[0] is None


def test_rows_say_another_value_only_where_they_are_further_off_than_rounding():
    def mae(value, of_row=None):
        return LoggedMetric("val_mae", "mse", value, Rows(LIKELY, BINARY), lambda: LIKELY, of_row).row_scores()

    mean = float(np.abs(LIKELY[:, 0] - BINARY).mean())
    assert mae(mean * 1.0005)[0] is not None
    assert mae(mean * 1.005) == (None, None)
    assert mae(mean * 1.02) == (None, pytest.approx(mean)) == mae(mean / 1.02)
    assert mae(mean * 1.02, lambda y, outputs: keras.ops.abs(y - outputs)) == (None, None)


def test_a_sum_has_the_error_of_sums_of_batches():
    batches = np.arange(60) // 16
    sums = SQUARES * np.bincount(batches)[batches]
    logged = mse(sums.mean(), reduction="sum", batches=lambda: batches)
    assert logged.standard_error() == pytest.approx(plain_error(sums), rel=1e-5)
    np.testing.assert_allclose(logged.row_scores()[0].values(), sums, rtol=1e-5)


@pytest.mark.parametrize("factor", [1, 10])
def test_a_mean_with_weights_does_not_depend_on_their_scale(factor):
    weights = np.random.default_rng(1).random(60).astype(np.float32)
    mean = float(np.average(SQUARES, weights=weights))
    logged = mse(mean, Rows(LIKELY, BINARY, factor * weights), reduction=WEIGHTED_MEAN)
    error = np.sqrt(60 / 59 * ((weights * (SQUARES - mean)) ** 2).sum()) / weights.sum()
    assert logged.standard_error() == pytest.approx(error, rel=1e-4)
    assert logged.row_scores()[0].values().mean() == pytest.approx(mean, rel=1e-5)


def test_the_labels_of_a_row_are_a_single_unit():
    """Pixels of a picture are alike: the error is of means of pictures, not of pixels."""
    hard = RANDOM.random((50, 1)) < 0.7
    right = np.repeat(hard, 144, 1) ^ (RANDOM.random((50, 144)) < 0.1)
    outputs, labels = right.astype(np.float32)[..., None], np.ones((50, 144, 1), np.float32)
    logged = LoggedMetric("val_binary_accuracy", "mse", right.mean(), Rows(outputs, labels), lambda: outputs)
    error = plain_error(right.mean(1))
    assert logged.standard_error() == pytest.approx(error, rel=1e-5)
    assert error > 5 * math.sqrt(right.mean() * (1 - right.mean()) / right.size)
    alike = RANDOM.random((50, 144)) < 0.7  # pixels that have nothing in common
    logged = LoggedMetric(
        "val_binary_accuracy", "mse", alike.mean(), Rows(outputs, labels), lambda: alike.astype(np.float32)[..., None]
    )
    assert logged.standard_error() == pytest.approx(plain_error(alike.mean(1)), rel=0.03)


def test_masked_labels_count_in_no_score():
    mask = np.array([[True, True], [True, False], [True, True]])
    y, outputs = np.zeros((3, 2, 1)), np.array([[1.0, 3.0], [2.0, 9.0], [0.0, 2.0]])[..., None]
    squares = outputs[..., 0] ** 2
    value = squares[mask].mean()
    logged = LoggedMetric("val_loss", "mse", value, Rows(y, y), lambda: outputs, mask=lambda: mask)
    scores = logged.row_scores()[0].values()
    assert scores.mean() == pytest.approx(value)
    total, number = (squares * mask).sum(1), mask.sum(1)
    np.testing.assert_allclose(scores, value + (total - number * value) * 3 / 5, rtol=1e-5)
    auc = LoggedMetric("val_auc", "mse", 0.5, Rows(y, y), pytest.fail, mask=lambda: mask)
    assert auc.row_scores() == (None, None)


def test_the_rows_of_a_group_are_a_unit_of_each_error():
    groups = np.repeat(np.arange(12), 5)
    units = Units.from_groups(groups)
    rows = Rows(LIKELY, BINARY, units=units)
    sums = np.bincount(groups, SQUARES - SQUARES.mean())
    error = math.sqrt(12 / 11 * (sums**2).sum()) / 60  # of the mean of clusters
    assert mse(SQUARES.mean(), rows).standard_error() == pytest.approx(error, rel=1e-5)
    assert mse(SQUARES.mean(), rows).row_scores()[0].units is units
    right = (LIKELY[:, 0] > 0.5) == BINARY
    logged = LoggedMetric("val_accuracy", "mse", right.mean(), rows, lambda: LIKELY)
    sums = np.bincount(groups, right - right.mean())
    assert logged.standard_error() == pytest.approx(math.sqrt(12 / 11 * (sums**2).sum()) / 60, rel=0.3)
    assert logged.standard_error() != pytest.approx(accuracy_error(right.mean(), 60), rel=1e-3)


def test_a_loss_of_few_rows_has_the_error_of_its_rows():
    y, outputs = np.array([0.0, 1.0, 2.0]), np.array([[0.5], [1.0], [4.0]])
    rows = np.array([0.25, 0.0, 4.0])
    error = plain_error(rows)
    assert LoggedMetric("val_loss", "mse", 99.0, Rows(y, y), lambda: outputs).standard_error() == pytest.approx(error)
    alone = LoggedMetric("val_loss", "mse", 1.0, Rows(y[:1], y[:1]), lambda: outputs[:1])
    assert alone.standard_error() is None

    def squares(y_true, y_pred):
        return (y_true - y_pred) ** 2

    for value, expected in ((rows.mean(), error), (rows.mean() + 1, error), (rows.mean() - 1, None)):
        own = LoggedMetric("val_loss", "own", value, Rows(y, y[:, None]), lambda: outputs, squares)
        assert own.standard_error() == (None if expected is None else pytest.approx(expected, rel=1e-5))
    right = Rows(y, np.array([[0.0], [1.0], [1.0]]))
    bits = LoggedMetric("val_own", "own", 2 / 3, right, lambda: np.ones((3, 1)), lambda y, o: 1.0 * (y == o))
    spread = plain_error(np.array([0, 1, 1]))
    assert bits.standard_error() == pytest.approx(max(spread, accuracy_error(2 / 3, 3)))


def test_what_the_runner_knows_of_each_row_needs_no_outputs():
    right = np.array([True] * 30 + [False] * 30)
    known = LoggedMetric("val_accuracy", "mse", 0.5, Rows(LIKELY, BINARY), pytest.fail, right=right)
    assert known.has_right_rows and known.row_scores()[0].kind is Kind.BITS
    assert not replace(known, value=0.52).has_right_rows  # of another epoch
    assert not replace(known, rows=Rows(LIKELY, BINARY, np.ones(60))).has_right_rows


def test_batches_are_numbered_as_evaluate_cuts_them_and_anew_in_each_fold():
    data = digits(64, 20)
    assert number_batches(data, 8).tolist() == [0] * 8 + [1] * 8 + [2] * 4
    folds = (Fold(np.arange(3), np.array([0, 2, 4])), Fold(np.arange(3), np.array([1, 3])))
    assert number_batches(replace(data, folds=folds), 2).tolist() == [0, 2, 0, 2, 1]


@pytest.mark.parametrize("train", [lanes, fitted])
@pytest.mark.parametrize("reduction", ["sum", WEIGHTED_MEAN, MEAN])
def test_a_trial_has_the_error_of_what_evaluate_logs(train, reduction):
    data = with_labels(digits(96, 50), lambda y: y.astype(np.float32) / 9, classes=None)
    weights = np.random.default_rng(0).random(50).astype(np.float32) * 10
    data = replace(data, validation=replace(data.validation, weights=weights))
    spec = make_spec(
        loss="mean_squared_error",
        loss_arguments={"reduction": reduction},
        metrics=("mae",),
        objective=Objective("val_loss", Goal.MINIMIZE),
    )
    params = {"optimizer": "sgd", "learning_rate": 1e-3, "epochs": 1, "batch_size": 16}
    (result,) = train(spec, data, suggestions(params)).values()
    assert result.scores is not None
    scores = result.scores.values()
    assert scores.mean() == pytest.approx(result.value, rel=1e-4)
    assert result.stderr == pytest.approx(plain_error(scores), rel=1e-3)
