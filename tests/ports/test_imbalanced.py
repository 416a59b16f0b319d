"""Public cases of rare classes: what is searched there goes into a space as it stands."""

from pathlib import Path
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
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")
def test_frauds_are_found_with_class_weights_and_auc(tmp_path: Path) -> None:
    data = transactions()
    counts = np.bincount(data["y_train"].astype(int))
    weights = {0: 1.0 / counts[0] * 100, 1: 1.0 / counts[1] * 100}  # as the example has them
    spec = ks.Spec(
        data=data,
        model=build,
        loss="binary_crossentropy",
        metrics=["auc", "recall", "precision"],
        maximize="val_auc",
        training={"class_weight": weights, "early_stopping": {"patience": 2, "restore_best_weights": True}},
        parameters={
            "optimizer": "adam",
            "learning_rate": ks.Float(1e-3, 1e-1, log=True),
            "epochs": 8,
            "batch_size": 64,
            "model.units": [8, 16],
        },
        search=ks.Optuna("random", trials=4),
    )
    sweep = ks.run(spec, name="fraud", sweeps_dir=tmp_path)
    assert sweep.best.value > 0.8
    assert sweep.replay().matches
    best = sweep.best
    keras.utils.set_random_seed(42)
    model = build(best.params["model.units"], (8,))
    optimizer = keras.optimizers.Adam(best.params["learning_rate"])
    model.compile(optimizer, loss="binary_crossentropy", metrics=["auc", "recall", "precision"])
    log = model.fit(
        data["x_train"],
        data["y_train"],
        epochs=8,
        batch_size=64,
        verbose=0,
        validation_data=(data["x_validation"], data["y_validation"]),
        class_weight=weights,
        callbacks=[keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)],
    )
    np.testing.assert_allclose(best.curve["val_auc"], log.history["val_auc"], atol=2e-3)
    np.testing.assert_allclose(best.curve["loss"], log.history["loss"], rtol=1e-4)


@pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")
def test_precision_at_recall_ranks_trials_with_balanced_classes_and_a_warmup(tmp_path: Path) -> None:
    """As tutorials do it where a share of the rare class has to be found: how precise a model is there."""
    data = transactions()
    sweep = ks.run(
        ks.Spec(
            data=data,
            model=build,
            loss="binary_crossentropy",
            metrics=[{"name": "precision_at_recall", "recall": 0.5}, "recall"],
            maximize="val_precision_at_recall",
            training={"class_weight": "balanced"},
            parameters={
                "optimizer": "adam",
                "learning_rate": ks.Float(1e-3, 1e-1, log=True),
                "schedule": ["cosine", "linear"],
                "warmup": 0.1,
                "epochs": 5,
                "batch_size": 64,
                "model.units": 8,
            },
            search=ks.Optuna("random", trials=3),
            finalists="none",
        ),
        name="rare",
        sweeps_dir=tmp_path,
    )
    best = sweep.best
    assert best.value > 0.2 and best.stderr is None  # three times the share of frauds; rows alone have no precision
    assert sweep.replay().matches
    counts = np.bincount(data["y_train"].astype(int))
    first, steps = 5, 50  # ten batches an epoch
    rates: Any = keras.optimizers.schedules
    after = {"cosine": rates.CosineDecay, "linear": lambda *given: rates.PolynomialDecay(*given, 0.0)}
    rest = after[best.params["schedule"]](best.params["learning_rate"], steps - first)

    class WarmUp(rates.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            step = keras.ops.cast(step, "float32")
            return keras.ops.where(step < first, best.params["learning_rate"] * step / first, rest(step - first))

    keras.utils.set_random_seed(42)
    model = build(8, (8,))
    metrics = [keras.metrics.PrecisionAtRecall(0.5, name="precision_at_recall"), "recall"]
    model.compile(keras.optimizers.Adam(WarmUp()), loss="binary_crossentropy", metrics=metrics)
    log = model.fit(
        data["x_train"],
        data["y_train"],
        epochs=5,
        batch_size=64,
        verbose=0,
        validation_data=(data["x_validation"], data["y_validation"]),
        class_weight={label: 640 / (2 * count) for label, count in enumerate(counts)},
    )
    np.testing.assert_allclose(best.curve["loss"], log.history["loss"], rtol=1e-4)
    np.testing.assert_allclose(best.curve["val_recall"], log.history["val_recall"], atol=2e-2)
    np.testing.assert_allclose(best.curve["val_precision_at_recall"], log.history["val_precision_at_recall"], atol=2e-2)
