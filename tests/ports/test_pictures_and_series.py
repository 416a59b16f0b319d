"""Public cases of a folder of pictures, and of windows of a weather series."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_sweep as ks
from tests.helpers.data_specs import write_pictures


def cnn(filters: int, input_shape: tuple[int, ...], classes: int) -> Any:
    """As keras.io's image classification from scratch, smaller."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(filters, 3, strides=2, activation="relu"),
            layers.GlobalMaxPooling2D(),
            layers.Dense(classes, activation="softmax"),
        ]
    )


def lstm(units: int, input_shape: tuple[int, ...]) -> Any:
    """As keras.io's weather forecasting."""
    return keras.Sequential([keras.Input(input_shape), keras.layers.LSTM(units), keras.layers.Dense(1)])


def assert_it_ends_and_changes_are_seen(spec: ks.Spec, folder: Path, change: Any) -> ks.Sweep:
    """The winner replays, its file is verified, its page is written; the same call goes on, but not on other rows."""
    ks.run(spec, name="it", sweeps_dir=folder, trials=1)
    sweep = ks.run(spec, name="it", sweeps_dir=folder, trials=2)
    assert sweep.replay().matches
    assert ks.verify(sweep.export(folder / "best.keras"), sweeps_dir=folder, trust=True).matches
    assert sweep.report(folder / "page").is_file()
    change()
    with pytest.raises(ks.UsageError, match="rows"):
        ks.run(spec, name="it", sweeps_dir=folder, trials=9)
    return sweep


@pytest.mark.soak
def test_a_folder_of_pictures_trains_a_small_cnn(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for part, rows in (("train", 40), ("val", 20), ("test", 12)):
        write_pictures(photos / part, rows)
    spec = ks.Spec(
        data={"images": photos, "size": [12, 12], "color": "grayscale"},
        model=cnn,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        maximize="val_accuracy",
        parameters={"learning_rate": ks.Float(1e-2, 1e-1, log=True), "epochs": 5, "model.filters": [4, 8]},
        search=ks.Optuna("random", trials=3),
    )
    other = photos / "train" / "cat" / "more.png"
    black = np.zeros((12, 12, 3), np.float32)
    sweep = assert_it_ends_and_changes_are_seen(spec, tmp_path, lambda: keras.utils.save_img(other, black, scale=False))
    assert sweep.best.value > 0.5


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore:weather.csv is split in time:UserWarning")
def test_windows_of_a_weather_series_train_an_lstm(tmp_path: Path) -> None:
    hours, rng, file = np.arange(300), np.random.default_rng(0), tmp_path / "weather.csv"
    warmth = 10 + 8 * np.sin(hours / 12) + rng.normal(0, 0.3, 300)
    lines = [f"{hour},{warmth[hour]:.3f},{50 - 3 * warmth[hour]:.2f}" for hour in hours]
    file.write_text("hour,temperature,humidity\n" + "\n".join(lines) + "\n")
    spec = ks.Spec(
        data={"series": file, "target": "temperature", "window": 12, "horizon": 3},
        model=lstm,
        loss="mean_squared_error",
        metrics=["mean_absolute_error"],
        minimize="val_mean_absolute_error",
        parameters={"learning_rate": ks.Float(1e-2, 1e-1, log=True), "epochs": 8, "model.units": 8},
        search=ks.Optuna("random", trials=3),
        finish={"refit": True},
    )
    sweep = assert_it_ends_and_changes_are_seen(
        spec, tmp_path, lambda: file.write_text(file.read_text() + "300,9,20\n")
    )
    assert sweep.best.value < 5 and sweep.best.stderr > 0
    opened = keras.models.load_model(tmp_path / "best.keras")
    raw = np.array([[row, warmth[row], 50 - 3 * warmth[row]] for row in range(200, 212)], np.float32)
    assert abs(opened.predict(raw[None], verbose=0).item() - warmth[214]) < 8
