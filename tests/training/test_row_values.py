"""Scores of rows: their mean is what Keras reports of all rows together."""

import numpy as np
import pytest

from keras_sweep.data.search_data import Rows
from keras_sweep.honest.metrics import METRICS
from keras_sweep.training.row_values import LOSSES, TOP_K, row_scores, row_values
from keras_sweep.trial.row_scores import Kind

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
    return row_scores(metric, loss, value, Rows(y, y), lambda: outputs)[0]


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_a_loss_is_the_mean_of_its_rows(loss):
    import keras

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
    import keras

    model = keras.Sequential([keras.Input(outputs.shape[1:]), keras.layers.Identity()])
    model.compile(loss="mse", metrics=[name])
    whole = y.reshape(-1, 1) if outputs.shape[1] == 1 else y
    model.compute_loss = lambda *_, **__: keras.ops.zeros(())  # the metric alone
    expected = model.evaluate(outputs, whole, verbose=0, return_dict=True)[name]
    scores = scores_of(f"val_{name}", "mse", expected, y, outputs)
    assert scores.kind is Kind.BITS
    assert scores.values().mean() == pytest.approx(expected, abs=1e-6)


def test_a_penalty_on_the_weights_is_the_same_for_every_row():
    values = row_values("val_loss", "mse", Rows(BINARY, BINARY), lambda: LIKELY)
    scores = scores_of("val_loss", "mse", float(values.mean()) + 0.25, BINARY, LIKELY)
    np.testing.assert_allclose(scores.values(), values + 0.25, rtol=1e-5)


def test_rows_that_do_not_add_up_to_the_metric_are_not_kept():
    assert scores_of("val_accuracy", "mse", 0.99, INDICES, SHARES) is None
    assert scores_of("val_mse", "mse", 99.0, BINARY, LIKELY) is None
    assert scores_of("val_cosine_similarity", "mse", 0.5, ONE_HOT, SHARES) is None


def test_a_cosine_similarity_is_maximized_as_a_metric_and_minimized_as_a_loss():
    import keras

    metric = keras.metrics.CosineSimilarity()
    metric.update_state(ONE_HOT, SHARES)
    scores = scores_of("val_cosine_similarity", "mse", float(metric.result()), ONE_HOT, SHARES)
    assert scores.values().mean() == pytest.approx(float(metric.result()), rel=1e-5)
    as_loss = row_values("val_loss", "cosine_similarity", Rows(ONE_HOT, ONE_HOT), lambda: SHARES)
    np.testing.assert_allclose(as_loss, -scores.values(), rtol=1e-5)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_of_a_metric_of_all_rows_the_outputs_are_kept(name):
    scores = scores_of(f"val_{name}", "binary_crossentropy", 0.5, BINARY, LIKELY)
    assert scores.kind is Kind.OUTPUTS
    assert METRICS[name](*scores.arrays)(np.ones((1, ROWS), np.float32)).shape == (1,)
