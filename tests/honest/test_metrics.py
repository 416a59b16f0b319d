"""Metrics of all rows together, on weighted rows: what Keras reports with the same `sample_weight`."""

import numpy as np
import pytest

from keras_sweep.honest.scores import METRICS, MetricScores, bags
from keras_sweep.trial.row_scores import OF_ALL_ROWS

ROWS = 300
RANDOM = np.random.default_rng(0)
LABELS = (RANDOM.random((ROWS, 1)) < 0.4).astype(np.float32)
OUTPUTS = np.clip(0.3 * LABELS + 0.7 * RANDOM.random((ROWS, 1)), 0, 1).astype(np.float32)
BAG = next(bags(RANDOM, ROWS, 2))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("weights", [np.ones((1, ROWS), np.float32), BAG], ids=["all rows", "bags"])
def test_it_is_what_keras_reports(name, weights):
    import keras

    ours = MetricScores([[METRICS[name](OUTPUTS, LABELS)]], ROWS).on(weights)[:, 0]
    for value, each in zip(ours, weights, strict=True):
        metric = keras.metrics.get(name)
        if name == "root_mean_squared_error":  # its weights scale the outputs; rows that are repeated do not
            metric.update_state(np.repeat(LABELS, each.astype(int), 0), np.repeat(OUTPUTS, each.astype(int), 0))
        else:
            metric.update_state(LABELS, OUTPUTS, sample_weight=each)
        assert value == pytest.approx(float(metric.result()), abs=2e-6)


@pytest.mark.parametrize("name", ["auc", "precision", "recall"])
def test_a_bag_without_what_is_asked_for_has_no_value(name):
    none = np.zeros((ROWS, 1), np.float32)
    outputs = none if name == "precision" else OUTPUTS
    with np.errstate(all="raise"):
        scores = MetricScores([[METRICS[name](outputs, none)]], ROWS)
        assert np.isnan(scores.on(np.ones((1, ROWS), np.float32)))


def test_each_metric_of_all_rows_has_its_function():
    assert set(METRICS) == OF_ALL_ROWS
