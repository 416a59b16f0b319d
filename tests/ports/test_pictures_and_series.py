"""Public cases whose targets are pictures, with a metric of one's own, and of windows of a weather series."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sweep as ks
from tests.helpers.factory import digits


def segmenter(filters: int) -> Any:
    """As keras.io's image segmentation with a U-Net: a class for each pixel."""
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
def test_masks_are_learned_and_a_metric_of_ones_own_ranks(search: Any, tmp_path: Path) -> None:
    data = {}
    for name, x in (("train", digits().train.x), ("validation", digits().validation.x)):
        data[f"x_{name}"] = pictures = x.reshape(-1, 8, 8, 1)
        data[f"y_{name}"] = ((pictures > 0.3) + (pictures > 0.7)).astype("uint8")
    known: dict[str, Any] = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy", share_of_ink]}
    rates = {"optimizer": "adam", "learning_rate": ks.Float(1e-3, 1e-2, log=True)}
    parameters = {**rates, "epochs": 3, "model.filters": [4, 8]}
    sweep = search(data, model=segmenter, maximize="val_share_of_ink", parameters=parameters, **known)
    best = sweep.best
    assert best.value > 0.3 and best.stderr > 0 and sweep.estimate is not None
    keras.utils.set_random_seed(42)
    model = segmenter(best.params["model.filters"])
    model.compile(keras.optimizers.Adam(best.params["learning_rate"]), **known)
    held = data["x_validation"], data["y_validation"]
    log = model.fit(data["x_train"], data["y_train"], epochs=3, validation_data=held, verbose=0)
    assert best.value == pytest.approx(log.history["val_share_of_ink"][-1], abs=2e-4)
    opened = keras.models.load_model(sweep.export(tmp_path / "best.keras"), compile=False)
    opened.compile(**known)
    scores = opened.evaluate(*held, verbose=0, return_dict=True)
    assert scores["share_of_ink"] == pytest.approx(best.value, abs=1e-5)


def lstm(units: int, input_shape: tuple[int, ...]) -> Any:
    """As keras.io's weather forecasting."""
    return keras.Sequential([keras.Input(input_shape), layers.LSTM(units), layers.Dense(1)])


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore:weather.csv is split in time:UserWarning")
def test_windows_of_a_weather_series_train_an_lstm(search: Any, tmp_path: Path) -> None:
    hours, rng, file = np.arange(300), np.random.default_rng(0), tmp_path / "weather.csv"
    warmth = 10 + 8 * np.sin(hours / 12) + rng.normal(0, 0.3, 300)
    lines = [f"{hour},{warmth[hour]:.3f},{50 - 3 * warmth[hour]:.2f}" for hour in hours]
    file.write_text("hour,temperature,humidity\n" + "\n".join(lines) + "\n")
    sweep = search(
        {"series": file, "target": "temperature", "window": 12, "horizon": 3},
        model=lstm,
        loss="mean_squared_error",
        metrics=["mean_absolute_error"],
        minimize="val_mean_absolute_error",
        parameters={"learning_rate": ks.Float(1e-2, 1e-1, log=True), "epochs": 8, "model.units": 8},
        finish={"refit": True},
    )
    assert sweep.best.value < 5 and sweep.best.stderr > 0
    path = sweep.export(tmp_path / "best.keras")
    assert ks.verify(path, sweeps_dir=tmp_path, trust=True).matches
    raw = np.array([[row, warmth[row], 50 - 3 * warmth[row]] for row in range(200, 212)], np.float32)
    assert abs(keras.models.load_model(path).predict(raw[None], verbose=0).item() - warmth[214]) < 8
