"""Public cases of rare classes: what is searched there goes into a space as it stands."""

from typing import Any

import keras
import numpy as np
import pytest

import keras_sweep as ks


def transactions() -> dict[str, Any]:
    """As the credit card transactions of keras.io's example: scaled features, of 30 rows about one is a fraud."""
    draw = np.random.default_rng(0)
    y = (draw.random(960) < 0.06).astype("float32")
    x = draw.normal(size=(960, 8)).astype("float32") + y[:, None]
    x = (x - x[:640].mean(axis=0)) / x[:640].std(axis=0)
    return {"x_train": x[:640], "y_train": y[:640], "x_validation": x[640:], "y_validation": y[640:]}


def build(units: int, input_shape: tuple[int, ...]) -> Any:
    """Its model, smaller."""
    layers = keras.layers
    hidden = [layers.Dense(units, activation="relu"), layers.Dropout(0.3)]
    return keras.Sequential([keras.Input(input_shape), *hidden, layers.Dense(1, activation="sigmoid")])


@pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")
def test_precision_at_recall_ranks_trials_with_balanced_classes_that_stop_early(search: Any) -> None:
    """As tutorials do it where a share of the rare class has to be found: how precise a model is there."""
    data = transactions()
    best = search(
        data,
        model=build,
        loss="binary_crossentropy",
        metrics=[{"name": "precision_at_recall", "recall": 0.5}, "auc"],
        maximize="val_precision_at_recall",
        training={"class_weight": "balanced", "early_stopping": {"patience": 2, "restore_best_weights": True}},
        parameters={
            "optimizer": "adam",
            "learning_rate": ks.Float(1e-3, 1e-1, log=True),
            "epochs": 5,
            "batch_size": 64,
            "model.units": [8, 16],
        },
    ).best
    assert best.value > 0.2 and best.stderr is None  # three times the share of frauds; rows alone have no precision
    keras.utils.set_random_seed(42)
    model = build(best.params["model.units"], (8,))
    metrics = [keras.metrics.PrecisionAtRecall(0.5, name="precision_at_recall"), "auc"]
    model.compile(keras.optimizers.Adam(best.params["learning_rate"]), loss="binary_crossentropy", metrics=metrics)
    counts = np.bincount(data["y_train"].astype(int))
    log = model.fit(
        data["x_train"],
        data["y_train"],
        epochs=5,
        batch_size=64,
        verbose=0,
        validation_data=(data["x_validation"], data["y_validation"]),
        class_weight={label: 640 / (2 * count) for label, count in enumerate(counts)},
        callbacks=[keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)],
    )
    np.testing.assert_allclose(best.curve["loss"], log.history["loss"], rtol=1e-4)
    np.testing.assert_allclose(best.curve["val_auc"], log.history["val_auc"], atol=2e-3)
    np.testing.assert_allclose(best.curve["val_precision_at_recall"], log.history["val_precision_at_recall"], atol=2e-2)
