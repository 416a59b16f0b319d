"""Public cases whose targets are pictures, and a metric of one's own: what is searched there goes into a space."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import keras_sweep as ks
from tests.helpers.factory import digits


def pictures() -> Any:
    """As MNIST in keras.io's denoising autoencoder: [N, 8, 8, 1] in [0, 1]."""
    data = digits()
    return data.train.x.reshape(-1, 8, 8, 1), data.validation.x.reshape(-1, 8, 8, 1)


def noisy(array: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=array.shape, scale=0.4)
    return np.clip(array + noise, 0.0, 1.0).astype("float32")


def autoencoder(filters: int) -> Any:
    """Its model, smaller."""
    layers = keras.layers
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(filters, 3, activation="relu", padding="same")(inputs)
    x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.Conv2DTranspose(filters, 3, strides=2, activation="relu", padding="same")(x)
    return keras.Model(inputs, layers.Conv2D(1, 3, activation="sigmoid", padding="same")(x))


def assert_it_is_what_a_script_trains(
    sweep: ks.Sweep, data: dict[str, Any], build: Any, folder: Path, **compiled: Any
) -> None:
    """The winner's value, by plain Keras; and its file still gives it."""
    best = sweep.best
    keras.utils.set_random_seed(42)
    model = build(**{name.removeprefix("model."): value for name, value in best.params.items() if "model." in name})
    model.compile(keras.optimizers.Adam(best.params["learning_rate"]), **compiled)
    log = model.fit(
        data["x_train"],
        data["y_train"],
        epochs=best.params["epochs"],
        batch_size=32,
        verbose=0,
        validation_data=(data["x_validation"], data["y_validation"]),
    )
    assert best.value == pytest.approx(log.history[sweep.objective.name][-1], abs=2e-4)
    assert sweep.replay().matches
    opened = keras.models.load_model(sweep.export(folder / "best.keras"), compile=False)
    opened.compile(**compiled)
    scores = opened.evaluate(data["x_validation"], data["y_validation"], verbose=0, return_dict=True)
    assert scores[sweep.objective.name.removeprefix("val_")] == pytest.approx(best.value, abs=1e-5)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")
def test_an_image_autoencoder_learns_its_own_rows(tmp_path: Path) -> None:
    train, held = pictures()
    data = {"x_train": noisy(train), "y_train": train, "x_validation": noisy(held), "y_validation": held}
    spec = ks.Spec(
        data=data,
        model=autoencoder,
        loss="binary_crossentropy",
        minimize="val_loss",
        parameters={
            "optimizer": "adam",
            "learning_rate": ks.Float(1e-3, 1e-2, log=True),
            "epochs": 3,
            "model.filters": [4, 8],
        },
        search=ks.Optuna("random", trials=3),
    )
    sweep = ks.run(spec, name="autoencoder", sweeps_dir=tmp_path)
    assert sweep.best.value < 0.6 and sweep.best.stderr > 0
    assert_it_is_what_a_script_trains(sweep, data, autoencoder, tmp_path, loss="binary_crossentropy")


def segmenter(filters: int) -> Any:
    """As keras.io's image segmentation with a U-Net: a class for each pixel."""
    layers = keras.layers
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(filters, 3, activation="relu", padding="same")(inputs)
    x = layers.add([x, layers.Conv2D(filters, 3, activation="relu", padding="same")(x)])
    return keras.Model(inputs, layers.Conv2D(3, 3, activation="softmax", padding="same")(x))


def share_of_ink(y_true: Any, y_pred: Any) -> Any:
    """[N] the intersection over the union of what is no background, of each picture."""
    true, found = ops.squeeze(y_true, -1) > 0, ops.argmax(y_pred, axis=-1) > 0
    both = ops.sum(ops.cast(true & found, "float32"), axis=(1, 2))
    either = ops.sum(ops.cast(true | found, "float32"), axis=(1, 2))
    return (both + 1.0) / (either + 1.0)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")
def test_masks_are_learned_and_a_metric_of_ones_own_ranks(tmp_path: Path) -> None:
    train, held = pictures()
    x, masks = {"train": noisy(train), "validation": noisy(held)}, {"train": train, "validation": held}
    data = {f"x_{name}": one for name, one in x.items()}
    data |= {f"y_{name}": ((one > 0.3) + (one > 0.7)).astype("uint8") for name, one in masks.items()}
    spec = ks.Spec(
        data=data,
        model=segmenter,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy", share_of_ink],
        maximize="val_share_of_ink",
        parameters={
            "optimizer": "adam",
            "learning_rate": ks.Float(1e-3, 1e-2, log=True),
            "epochs": 3,
            "model.filters": [4, 8],
        },
        search=ks.Optuna("random", trials=3),
    )
    sweep = ks.run(spec, name="masks", sweeps_dir=tmp_path)
    assert sweep.best.value > 0.3 and sweep.best.stderr > 0 and sweep.estimate is not None
    compiled = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy", share_of_ink]}
    assert_it_is_what_a_script_trains(sweep, data, segmenter, tmp_path, **compiled)
