"""Scores of rows: their mean is what Keras reports of all rows together."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.data.search_data import Rows
from keras_sweep.honest.scores import METRICS
from keras_sweep.record.candidates import stack_scores
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.sweep_spec import Output
from keras_sweep.training.logged_metric import LoggedMetric
from keras_sweep.training.row_values import (
    LOSSES,
    MEAN,
    TOP_K,
    WEIGHTED_MEAN,
    contribute,
    find_pooled_metrics,
    is_mean_over_rows,
    is_row_by_row,
    right_rows,
    row_values,
    score_all_rows,
)
from keras_sweep.trial.row_scores import Kind
from tests.helpers.factory import make_spec

ROWS, CLASSES = 60, 7
RANDOM = np.random.default_rng(0)
SHARES = RANDOM.dirichlet(np.ones(CLASSES), ROWS).astype(np.float32)
INDICES = RANDOM.integers(0, CLASSES, ROWS)
ONE_HOT = np.eye(CLASSES, dtype=np.float32)[INDICES]
LIKELY = RANDOM.random((ROWS, 1)).astype(np.float32)
BINARY = RANDOM.integers(0, 2, ROWS)
BY_CLASS = {
    *("categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge", "kl_divergence", "kld"),
    "cosine_similarity",
}


def labels_and_outputs(name):
    if name.startswith("sparse"):
        return INDICES, SHARES
    return (ONE_HOT, SHARES) if name in BY_CLASS or name.startswith("top_k") else (BINARY, LIKELY)


def scores_of(metric, loss, value, y, outputs):
    return LoggedMetric(metric, loss, value, Rows(y, y), lambda: outputs).row_scores()[0]


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_a_loss_is_the_mean_of_its_rows(loss):
    y, outputs = labels_and_outputs(loss)
    model = keras.Sequential([keras.Input(outputs.shape[1:]), keras.layers.Identity()])
    model.compile(loss=loss)
    expected = model.evaluate(outputs, y, verbose=0)
    values = row_values("val_loss", loss, Rows(y, y), lambda: outputs)
    assert values.shape == (ROWS,)
    assert values.mean() == pytest.approx(expected, rel=1e-5)
    scores = scores_of("val_loss", loss, expected, y, outputs)
    assert scores.values().mean() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "y", "outputs"),
    [
        ("accuracy", INDICES, SHARES),
        ("accuracy", INDICES[:, None], SHARES),
        ("acc", ONE_HOT, SHARES),
        ("accuracy", BINARY, LIKELY),
        ("sparse_categorical_accuracy", INDICES, SHARES),
        ("binary_accuracy", BINARY[:, None], LIKELY),
        *((name, *labels_and_outputs(name)) for name in sorted(TOP_K)),
    ],
)
def test_an_accuracy_is_the_share_of_its_bits(name, y, outputs):
    model = keras.Sequential([keras.Input(outputs.shape[1:]), keras.layers.Identity()])
    model.compile(loss="mse", metrics=[name])
    whole = y.reshape(-1, 1) if outputs.shape[1] == 1 else y
    model.compute_loss = lambda *_, **__: keras.ops.zeros(())  # the metric alone
    expected = model.evaluate(outputs, whole, verbose=0, return_dict=True)[name]
    scores = scores_of(f"val_{name}", "mse", expected, y, outputs)
    assert scores.kind is Kind.BITS
    assert scores.values().mean() == pytest.approx(expected, abs=1e-6)


WEIGHTS = RANDOM.integers(0, 5, ROWS).astype(np.float32)


@given(
    st.lists(st.tuples(st.floats(-100, 100), st.integers(0, 9)), min_size=2, max_size=30).filter(
        lambda rows: sum(weight for _, weight in rows) > 0
    )
)
def test_rows_of_whole_weights_mean_what_so_many_rows_would(rows):
    values, weights = map(np.array, zip(*rows, strict=True))
    many = np.repeat(values, weights)
    as_metric, as_loss = (contribute(values, weights, reduction=name) for name in (WEIGHTED_MEAN, MEAN))
    assert as_metric.mean() == pytest.approx(many.mean(), rel=1e-9, abs=1e-9)
    assert as_loss.mean() == pytest.approx(many.sum() / len(rows), rel=1e-9, abs=1e-9)
    squares = (weights * (values - many.mean())) ** 2
    error = np.sqrt(len(rows) / (len(rows) - 1) * squares.sum()) / weights.sum()  # Gatz and Smith 1995
    assert as_metric.std(ddof=1) / np.sqrt(len(rows)) == pytest.approx(error, rel=1e-6, abs=1e-9)


def batch_means(values, weights, mask, reduction, size):
    """What `evaluate` logs: the loss of each batch by Keras's own reduction, and batches count by their rows."""
    total = 0.0
    for start in range(0, len(values), size):
        rows = slice(start, start + size)
        weight = np.ones_like(values[rows]) if weights is None else np.ones_like(values[rows]) * weights[rows, None]
        count = float(mask[rows].sum()) if mask is not None else values[rows].size
        above = float((values[rows] * weight * (1 if mask is None else mask[rows])).sum())
        below = {"sum": 1.0, MEAN: count, WEIGHTED_MEAN: float((weight * (1 if mask is None else mask[rows])).sum())}
        total += above / below[reduction] * len(values[rows]) if below[reduction] else 0.0
    return total / len(values)


@given(
    st.sampled_from(["sum", MEAN, WEIGHTED_MEAN]),
    st.integers(1, 9),
    st.integers(1, 12),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_contributions_mean_what_evaluate_logs_by_any_reduction_with_weights_masks_and_a_short_last_batch(
    reduction, size, rows, is_weighted, is_masked, seed
):
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(rows, 3))
    weights = draw.integers(0, 4, rows).astype(float) if is_weighted else None
    mask = draw.random((rows, 3)) < 0.6 if is_masked else None
    batches = np.arange(rows) // size
    found = contribute(values, weights, reduction=reduction, batches=batches, mask=mask)
    expected = batch_means(values, weights, mask, reduction, size)
    assert found.shape == (rows,) and found.mean() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("reduction", ["sum", MEAN, WEIGHTED_MEAN])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_contributions_of_a_batch_mean_the_loss_of_keras(reduction, is_weighted):
    weights = WEIGHTS if is_weighted else None
    shape = (ROWS, 6) if is_weighted else (ROWS, 3, 2)  # Keras takes a weight for each label alone
    steps, labels = SHARES[:, :6].reshape(shape), ONE_HOT[:, :6].reshape(shape)
    loss = keras.losses.MeanSquaredError(reduction=reduction)
    expected = float(loss(labels, steps, sample_weight=weights))
    per_label = ((steps - labels) ** 2).mean(-1)
    found = contribute(per_label, weights, reduction=reduction)
    assert found.mean() == pytest.approx(expected, rel=1e-5)


def test_weights_times_ten_change_no_contribution_to_a_weighted_mean():
    values, weights = RANDOM.normal(size=ROWS), RANDOM.random(ROWS)
    found, tenfold = (contribute(values, factor * weights, reduction=WEIGHTED_MEAN) for factor in (1, 10))
    np.testing.assert_allclose(found, tenfold)
    np.testing.assert_allclose(contribute(values, 10 * weights), 10 * contribute(values, weights))


def test_a_sum_of_a_batch_of_sixteen_is_sixteen_times_as_uncertain_as_the_mean():
    values, batches = RANDOM.normal(size=48), np.arange(48) // 16
    sums, means = (contribute(values, reduction=name, batches=batches) for name in ("sum", MEAN))
    np.testing.assert_allclose(sums, 16 * means)
    assert sums.mean() == pytest.approx(np.mean([values[batches == batch].sum() for batch in range(3)]))


def test_labels_that_are_masked_are_in_no_sum_and_no_number():
    values, mask = np.array([[1.0, 9.0], [2.0, 4.0]]), np.array([[True, False], [True, True]])
    assert contribute(values, mask=mask).mean() == pytest.approx(7 / 3)
    wide = np.stack([values, values], -1)  # a mask of the first axes holds for the others
    np.testing.assert_allclose(contribute(wide, mask=mask), contribute(values, mask=mask))
    empty = contribute(values, mask=np.zeros((2, 2), bool))
    assert empty.tolist() == [0.0, 0.0]


def test_their_standard_error_is_that_of_bags_of_rows():
    draw = np.random.default_rng(1)
    values, weights = (draw.random(400) < 0.8).astype(float), draw.gamma(1.0, 1.0, 400).astype(np.float32)
    bags = draw.integers(0, 400, (4000, 400))
    means = (values * weights)[bags].sum(1) / weights[bags].sum(1)
    rows = Rows(values, np.ones((400, 1)), weights)
    average = float(np.average(values, weights=weights))
    found = LoggedMetric("val_accuracy", "mse", average, rows, lambda: values).standard_error()
    assert found == pytest.approx(means.std(), rel=0.06)
    alike = math.sqrt(0.8 * 0.2 / 400)
    assert found > 1.3 * alike  # as if there were half as many rows


def test_a_perfect_share_of_rows_that_weigh_unlike_is_as_uncertain_as_that_of_fewer():
    one = np.ones(100)
    weights = np.where(np.arange(100) < 10, 1, 1e-6).astype(np.float32)
    found = LoggedMetric("val_accuracy", "mse", 1.0, Rows(one, one[:, None], weights), lambda: one).standard_error()
    assert found == pytest.approx(0.5 / 11, rel=1e-3)


@pytest.mark.parametrize("name", [*sorted(METRICS), "binary_accuracy", "mean_absolute_error"])
def test_of_rows_that_weigh_unlike_a_metric_comes_out_as_keras_has_it(name):
    metric = keras.metrics.get(name)
    metric = metric if isinstance(metric, keras.metrics.Metric) else keras.metrics.MeanMetricWrapper(metric)
    metric.update_state(BINARY[:, None], LIKELY, sample_weight=WEIGHTS)
    expected = float(metric.result())
    rows = Rows(LIKELY, BINARY, WEIGHTS)
    scores, parted = LoggedMetric(f"val_{name}", "binary_crossentropy", expected, rows, lambda: LIKELY).row_scores()
    assert parted is None
    goal = Goal.MINIMIZE if "error" in name else Goal.MAXIMIZE
    found = stack_scores([[scores]], Objective(f"val_{name}", goal)).evaluate(np.ones((1, ROWS), np.float32))
    expected = -expected if goal is Goal.MINIMIZE else expected  # more of what is compared is better
    assert found[0, 0] == pytest.approx(expected, rel=1e-4)


def test_a_cosine_similarity_is_maximized_as_a_metric_and_minimized_as_a_loss():
    metric = keras.metrics.CosineSimilarity()
    metric.update_state(ONE_HOT, SHARES)
    scores = scores_of("val_cosine_similarity", "mse", float(metric.result()), ONE_HOT, SHARES)
    assert scores.values().mean() == pytest.approx(float(metric.result()), rel=1e-5)
    as_loss = row_values("val_loss", "cosine_similarity", Rows(ONE_HOT, ONE_HOT), lambda: SHARES)
    np.testing.assert_allclose(as_loss, -scores.values(), rtol=1e-5)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_of_a_metric_of_all_rows_the_outputs_are_kept_whether_labels_are_in_a_column_or_not(name):
    kept = [scores_of(f"val_{name}", "binary_crossentropy", 0.5, y, LIKELY) for y in (BINARY, BINARY[:, None])]
    assert kept[0].kind is Kind.OUTPUTS and kept[0].digest == kept[1].digest


def test_a_mean_over_rows_is_known_by_its_name_or_by_the_loss_that_it_is():
    assert is_row_by_row("val_accuracy", "own") and is_row_by_row("val_loss", "mse") and is_row_by_row("loss", "mse")
    assert not is_row_by_row("val_loss", "own") and not is_row_by_row("val_auc", "mse")
    outputs = {"a": Output("mse", metrics=("mae", "auc")), "b": Output("own")}
    several = make_spec(outputs=outputs)
    asked = ("val_a_loss", "val_a_mae", "val_a_auc", "val_b_loss", "val_loss")
    assert [is_mean_over_rows(several, name) for name in asked] == [True, True, False, False, False]
    assert is_mean_over_rows(make_spec(outputs={"a": Output("mse"), "b": Output("mae")}), "val_loss")
    assert is_mean_over_rows(make_spec(loss="mse"), "val_loss") and not is_mean_over_rows(make_spec(loss="x"), "loss")


def test_metrics_that_are_no_means_are_told_where_one_of_them_ranks():
    def told(name, **changes):
        return find_pooled_metrics(
            make_spec(metrics=("accuracy", "auc", "recall"), objective=Objective(name, Goal.MAXIMIZE), **changes)
        )

    assert told("val_auc") == ("auc", "recall") and told("val_accuracy") == () == told("auc")
    assert told("val_auc", own=("metrics",)) == () == told("val_auc", outputs={"a": Output("mse")})
    labels = BINARY.astype(np.float32)
    expected = keras.metrics.AUC()
    expected.update_state(labels[:, None], LIKELY, sample_weight=WEIGHTS)
    found = score_all_rows("auc", Rows(LIKELY, labels, WEIGHTS), LIKELY)
    assert found == pytest.approx(float(expected.result())) and type(found) is float


def test_a_function_of_the_users_gives_rows_or_none_and_keras_own_has_to():
    rows, shapes = Rows(LIKELY, LIKELY), []

    def raises(y, outputs):
        shapes.append((y.shape, outputs.shape))
        raise ValueError("of batches alone")

    assert row_values("val_own", "mse", rows, lambda: LIKELY, raises) is None
    assert shapes == [((ROWS, 1), (ROWS, 1))]  # labels as they are
    assert row_values("val_own", "mse", rows, lambda: LIKELY, lambda y, outputs: outputs.mean()) is None
    pixels = np.zeros((3, 2, 2), np.float32)
    square = row_values("val_own", "mse", Rows(pixels, pixels + 2), lambda: pixels, lambda y, outputs: y - outputs)
    assert square.tolist() == [2.0] * 3 and square.dtype == np.float64  # a row's mean
    flat = row_values("val_mse", "own", Rows(LIKELY, np.zeros(ROWS)), lambda: LIKELY[:, 0].astype(np.float16))
    np.testing.assert_allclose(flat, LIKELY[:, 0] ** 2, rtol=1e-2)
    with pytest.raises(ValueError):
        row_values("val_loss", "categorical_crossentropy", Rows(SHARES, ONE_HOT[:, :3]), lambda: SHARES)


def test_right_rows_are_told_where_the_objective_is_their_share():
    right = SHARES.argmax(axis=1) == INDICES
    for name, y in (("val_accuracy", INDICES), ("val_accuracy", INDICES[:, None]), ("val_acc", ONE_HOT)):
        np.testing.assert_array_equal(right_rows(name, y, SHARES), right)
    for name, y, outputs in (
        ("accuracy", INDICES, SHARES),  # of training rows
        ("val_loss", INDICES, SHARES),
        ("val_auc", INDICES, SHARES),
        ("val_accuracy", INDICES, SHARES[None]),
        ("val_accuracy", INDICES, {"a": SHARES}),
        ("val_binary_accuracy", ONE_HOT, SHARES),  # a share of many outputs is no bit
    ):
        assert right_rows(name, y, outputs) is None
