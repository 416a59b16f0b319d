"""Metrics of all rows together, on weighted rows: what Keras reports with the same `sample_weight`."""

import numpy as np
import pytest

from keras_sweep.honest.scores import METRICS, MeanScores, MetricScores, draw_bags
from keras_sweep.trial.row_scores import OF_ALL_ROWS
from keras_sweep.trial.units import Units

ROWS = 300
RANDOM = np.random.default_rng(0)
LABELS = (RANDOM.random((ROWS, 1)) < 0.4).astype(np.float32)
OUTPUTS = np.clip(0.3 * LABELS + 0.7 * RANDOM.random((ROWS, 1)), 0, 1).astype(np.float32)
BAG = next(draw_bags(RANDOM, ROWS, 2))


@pytest.mark.parametrize("name", METRICS)
def test_it_is_what_keras_reports(name):
    import keras

    weights = np.concatenate([np.ones((1, ROWS), np.float32), BAG])
    ours = MetricScores([[METRICS[name](OUTPUTS, LABELS)]], Units.from_rows(ROWS)).evaluate(weights)[:, 0]
    for value, each in zip(ours, weights, strict=True):
        metric = keras.metrics.get(name)
        if name == "root_mean_squared_error":  # its weights scale the outputs; rows that are repeated do not
            metric.update_state(np.repeat(LABELS, each.astype(int), 0), np.repeat(OUTPUTS, each.astype(int), 0))
        else:
            metric.update_state(LABELS, OUTPUTS, sample_weight=each)
        assert value == pytest.approx(float(metric.result()), abs=2e-6)


@pytest.mark.parametrize("name", METRICS)
def test_outputs_on_a_threshold_and_several_columns_count_as_keras_counts_them(name):
    import keras

    steps = np.arange(200, dtype=np.float32) / np.float32(199)
    outputs = np.stack([np.concatenate([steps, [0, 1, 0.5, 0.5]]), np.concatenate([steps[::-1], [1, 0, 0.5, 1]])], 1)
    labels = (RANDOM.random(outputs.shape) < 0.2 + 0.6 * outputs).astype(np.float32)
    metric = keras.metrics.get(name)
    metric.update_state(labels, outputs)
    ours = MetricScores([[METRICS[name](outputs.astype(np.float32), labels)]], Units.from_rows(204)).evaluate(
        np.ones((1, 204), np.float32)
    )
    assert ours[0, 0] == pytest.approx(float(metric.result()), abs=2e-6)


@pytest.mark.parametrize(
    ("right", "wrong", "value"),
    [(0.008, 0.001, 1), (0.004, 0.001, 0.5), (0.0, 0.001, 0.5), (1.0, 0.996, 0.5), (1.0, 0.99, 1), (0.001, 0.5, 0)],
)
def test_outputs_between_two_neighbours_of_200_thresholds_rank_alike(right, wrong, value):
    metric = METRICS["auc"](np.float32([[right], [wrong]]), np.float32([[1], [0]]))
    assert metric(np.ones((1, 2), np.float32)) == pytest.approx(value)


def test_a_model_of_several_trainings_has_the_mean_of_their_values_and_less_is_better_by_its_sign():
    parts = [lambda weights: weights @ np.arange(4.0), lambda weights: weights.sum(1) * 10]
    weights = np.array([[1, 0, 0, 2], [0, 1, 1, 0]], np.float32)
    assert MetricScores([parts, parts[:1]], Units.from_rows(4), sign=-1.0).evaluate(weights).tolist() == [
        [-18, -6],
        [-11.5, -3],
    ]
    assert MetricScores([parts], Units.from_rows(4)).shape == (1, 4)


def test_a_mean_over_rows_is_weighted_and_has_no_value_where_all_weights_are_zero():
    scores = MeanScores(np.array([[1, 2, 3], [0, 0, 6]], np.float32))
    with np.errstate(all="raise"):
        values = scores.evaluate(np.array([[1, 1, 2], [0, 0, 0]], np.float32))
    assert values[0].tolist() == [2.25, 3.0] and np.isnan(values[1]).all()
    assert scores.shape == (2, 3)


def test_a_mean_over_rows_of_groups_is_the_mean_of_the_rows_that_a_bag_has():
    groups, rows = np.array([0, 0, 0, 1, 2, 2]), np.float32([[1, 2, 3, 4, 5, 9], [0, 1, 0, 1, 1, 1]])
    scores = MeanScores.from_rows(rows, Units.from_groups(groups))
    assert scores.shape == (2, 3) and not scores.are_binary
    assert scores.values == pytest.approx(rows.mean(1))
    weights = np.float32([[1, 1, 1], [2, 0, 1], [0, 3, 0]])
    expected = [np.average(rows, axis=1, weights=bag[groups]) for bag in weights]
    assert scores.evaluate(weights) == pytest.approx(np.array(expected))
    assert scores.take(np.array([1])).evaluate(weights) == pytest.approx(np.array(expected)[:, 1:])


def test_a_metric_of_all_rows_weighs_the_rows_of_a_group_as_the_bag_has_the_group():
    groups = RANDOM.integers(0, 9, ROWS)
    scores = MetricScores([[METRICS["auc"](OUTPUTS, LABELS)]], Units.from_groups(groups))
    bag = np.float32([[0, 1, 2, 0, 1, 1, 3, 0, 1]])
    copies = np.concatenate([np.flatnonzero(groups == group) for group in range(9) for _ in range(int(bag[0, group]))])
    expected = METRICS["auc"](OUTPUTS[copies], LABELS[copies])(np.ones((1, len(copies)), np.float32))
    assert scores.shape == (1, 9)
    assert scores.evaluate(bag)[0] == pytest.approx(expected)
    assert scores.values == pytest.approx(METRICS["auc"](OUTPUTS, LABELS)(np.ones((1, ROWS), np.float32)))


@pytest.mark.parametrize(
    ("rows", "units", "are_binary"),
    [
        ([[1, 0, 1]], Units.from_rows(3), True),
        ([[1, 0.5, 1]], Units.from_rows(3), False),
        ([[1, 0, 1]], Units.from_groups(np.array([0, 0, 1])), False),  # a group has a sum of several rows
        ([[-1, 0, 1]], Units.from_rows(3), False),
    ],
)
def test_rows_are_right_or_wrong_if_each_is_a_unit(rows, units, are_binary):
    assert MeanScores.from_rows(np.float32(rows), units).are_binary is are_binary


@pytest.mark.parametrize(("rounds", "draws"), [(250, None), (100, 7), (1, 90)])
def test_bags_are_drawn_with_replacement_each_row_as_often_as_another(rounds, draws, monkeypatch):
    blocks = list(draw_bags(np.random.default_rng(4), 30, rounds, draws))
    assert [len(block) for block in blocks] == [100] * (rounds // 100) + [rounds % 100] * (rounds % 100 > 0)
    every = np.concatenate(blocks)
    size = draws or 30
    assert every.shape == (rounds, 30) and every.dtype == np.float32
    assert (every.sum(1) == size).all()
    assert every.mean(0) == pytest.approx(size / 30, abs=5 * np.sqrt(size / 30 / rounds))
    with monkeypatch.context() as patch:  # blocks of less memory have the same bags
        patch.setattr("keras_sweep.honest.scores.BLOCK_BYTES", 7 * 30 * 4)
        fewer = list(draw_bags(np.random.default_rng(4), 30, rounds, draws))
    assert max(map(len, fewer)) <= 7 and (np.concatenate(fewer) == every).all()
    if rounds == 250:  # the variance of a binomial
        assert every.var(0).mean() == pytest.approx(29 / 30, rel=0.05)


def test_r2_keeps_its_digits_where_labels_lie_far_from_zero():
    labels = (1e4 + np.arange(50.0)).astype(np.float32)
    outputs = labels + np.where(np.arange(50) % 2, 1.0, -1.0).astype(np.float32)
    value = METRICS["r2_score"](outputs, labels)(np.ones((1, 50), np.float32))[0]
    assert value == pytest.approx(1 - 50 / (np.var(np.arange(50.0)) * 50), abs=1e-9)


@pytest.mark.parametrize(("name", "value"), [("auc", np.nan), ("precision", 0.0), ("recall", 0.0)])
def test_without_what_is_asked_for_an_area_has_no_value_and_a_share_is_zero_as_in_keras(name, value):
    import keras

    none = np.zeros((ROWS, 1), np.float32)
    outputs = none if name == "precision" else OUTPUTS
    with np.errstate(all="raise"):
        scores = MetricScores([[METRICS[name](outputs, none)]], Units.from_rows(ROWS))
        assert scores.evaluate(np.ones((1, ROWS), np.float32))[0] == pytest.approx([value], nan_ok=True)
    if name != "auc":  # Keras's AUC is 0, which would say that the model ranks all pairs wrongly
        metric = keras.metrics.get(name)
        metric.update_state(none, outputs)
        assert float(metric.result()) == value


def test_each_metric_of_all_rows_has_its_function():
    assert set(METRICS) == OF_ALL_ROWS
