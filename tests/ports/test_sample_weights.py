"""Keras's guide on training with its built-in methods, whose rows weigh unlike: its `fit` becomes a search."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_sweep as ks

pytestmark = pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")

ROWS = 192  # whole batches


def digits() -> tuple[Any, Any, Any]:
    """The guide has a class that matters more weigh twice as much."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    sample_weight = np.ones(shape=(len(y),))
    sample_weight[y == 5] = 2.0
    return (x / 16).astype("float32"), y, sample_weight


def compiled(units: int, rate: float) -> Any:
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(units, activation="relu"), keras.layers.Dense(10, activation="softmax")]
    )
    model.compile(
        optimizer=keras.optimizers.RMSprop(rate),
        loss="sparse_categorical_crossentropy",
        weighted_metrics=["sparse_categorical_accuracy"],
    )
    return model


def by_keras(units: int, rate: float) -> dict[str, list[float]]:
    """The guide's own lines."""
    x, y, sample_weight = digits()
    keras.utils.set_random_seed(42)
    log = compiled(units, rate).fit(
        x[:ROWS],
        y[:ROWS],
        sample_weight=sample_weight[:ROWS],
        batch_size=64,
        epochs=2,
        validation_data=(x[ROWS : 2 * ROWS], y[ROWS : 2 * ROWS], sample_weight[ROWS : 2 * ROWS]),
        verbose=0,
    )
    history: dict[str, list[float]] = log.history
    return history


def assert_as_keras(curve: Any, history: dict[str, list[float]]) -> None:
    assert set(curve) == set(history)
    for name, values in history.items():
        np.testing.assert_allclose(curve[name], values, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.soak
def test_a_tuner_searches_with_the_arguments_of_fit(tmp_path: Path) -> None:
    x, y, sample_weight = digits()
    tuner = ks.Tuner(
        lambda hp: compiled(hp.Choice("units", [8, 16]), hp.Float("rate", 1e-3, 1e-2, sampling="log")),
        objective="val_sparse_categorical_accuracy",
        max_trials=2,
        directory=tmp_path,
    )
    tuner.search(
        x[:ROWS],
        y[:ROWS],
        sample_weight=sample_weight[:ROWS],
        batch_size=64,
        epochs=2,
        validation_data=(x[ROWS : 2 * ROWS], y[ROWS : 2 * ROWS], sample_weight[ROWS : 2 * ROWS]),
    )
    best = tuner.sweep.best
    assert_as_keras(best.curve, by_keras(best.params["model.units"], best.params["model.rate"]))
    scores = tuner.get_best_models()[0].evaluate(
        x[ROWS : 2 * ROWS], y[ROWS : 2 * ROWS], sample_weight=sample_weight[ROWS : 2 * ROWS], verbose=0
    )
    assert scores[1] == pytest.approx(best.value, abs=1e-6)


def build(units: int, input_shape: tuple[int, ...]) -> Any:
    layers = [keras.layers.Dense(units, activation="relu"), keras.layers.Dense(10, activation="softmax")]
    return keras.Sequential([keras.Input(input_shape), *layers])


def test_a_search_takes_pairs_with_a_third_array(tmp_path: Path) -> None:
    x, y, sample_weight = digits()
    parts = (slice(0, ROWS), slice(ROWS, 2 * ROWS), slice(2 * ROWS, 3 * ROWS))
    spec = ks.Spec(
        data=[(x[part], y[part], sample_weight[part]) for part in parts],
        model=build,
        loss="sparse_categorical_crossentropy",
        metrics=["sparse_categorical_accuracy"],
        maximize="val_sparse_categorical_accuracy",
        parameters={
            "optimizer": "rmsprop",
            "learning_rate": [0.003, 0.01],
            "batch_size": 64,
            "epochs": 2,
            "model.units": 16,
        },
        search=ks.Optuna("grid", trials=2),
        finalists="none",
    )
    sweep = ks.run(spec, name="guide", sweeps_dir=tmp_path)
    best = sweep.best
    assert best.runner.startswith("compiled")
    assert_as_keras(best.curve, by_keras(16, best.params["learning_rate"]))
    assert sweep.replay().matches
    rows = sweep.validation()
    scores = sweep.load_model().evaluate(rows.x, rows.y, sample_weight=rows.weights, verbose=0)
    assert scores[1] == pytest.approx(best.value, abs=1e-6)
