"""Public cases with several inputs or outputs: what is searched there goes into a space, the data stay as they are."""

import csv
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sweep as ks
from tests.helpers.factory import digits
from tests.helpers.ran import ran_as
from tests.helpers.space_texts import small

RATES = {"optimizer": ["adam", "rmsprop"], "learning_rate": ks.Float(1e-3, 1e-2, log=True), "epochs": 2}
HEART = ("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca", "thal")


def tickets() -> tuple[dict[str, Any], dict[str, Any]]:
    """As the functional guide's: words of title and body, tags; how urgent a ticket is, and whose it is."""
    random = np.random.default_rng(0)
    title, body = random.integers(1, 20, (200, 6)), random.integers(1, 20, (200, 9))
    tags = random.integers(0, 2, (200, 4)).astype("float32")
    x = {"title": title, "body": body, "tags": tags}
    return x, {"priority": tags.mean(axis=1), "department": title[:, 0] % 3}


def sorter(units: int) -> Any:
    """Its model, smaller."""
    title, body, tags = (
        keras.Input((None,), name="title"),
        keras.Input((None,), name="body"),
        keras.Input((4,), name="tags"),
    )
    words = [layers.GlobalAveragePooling1D()(layers.Embedding(20, 4)(one)) for one in (title, body)]
    x = layers.Dense(units, activation="relu")(layers.concatenate([*words, tags]))
    outputs = {"priority": layers.Dense(1)(x), "department": layers.Dense(3, activation="softmax")(x)}
    return keras.Model([title, body, tags], outputs)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")
def test_three_inputs_and_two_outputs_train_with_loss_weights(search: Any, tmp_path: Path) -> None:
    x, y = tickets()
    sweep = search(
        {"x": x, "y": y},
        model=sorter,
        loss={"priority": "mean_squared_error", "department": "sparse_categorical_crossentropy"},
        metrics={"priority": ["mae"], "department": ["accuracy"]},
        loss_weights={"priority": 1.0, "department": 0.2},
        minimize="val_priority_mae",
        parameters={**RATES, "model.units": [4, 8]},
        finalists={"top": 2, "seeds": 1},
    )
    best, held = sweep.best, sweep.validation()
    assert best.stderr > 0 and sweep.estimate is not None and best.seeds is not None
    scores = sweep.load_model().evaluate(held.x, held.y, verbose=0, return_dict=True)
    assert scores["priority_mae"] == pytest.approx(best.value, abs=1e-6)
    summed = scores["priority_loss"] + 0.2 * scores["department_loss"]
    assert scores["loss"] == pytest.approx(summed, abs=1e-5)
    opened = keras.models.load_model(sweep.export(tmp_path / "best.keras"))
    assert set(opened.predict(held.x, verbose=0)) == set(y)
    assert ks.verify(tmp_path / "best.keras", sweeps_dir=tmp_path, test=True).matches
    assert "department_accuracy" in sweep.evaluate().scores


def distance(pair: Any) -> Any:
    return ops.sqrt(ops.maximum(ops.sum(ops.square(pair[0] - pair[1]), axis=1, keepdims=True), 1e-7))


def contrastive(y_true: Any, y_pred: Any) -> Any:
    """Hadsell, Chopra and LeCun 2006, with a margin of 1."""
    unlike = ops.square(ops.maximum(1 - y_pred, 0))
    return ops.mean((1 - y_true) * ops.square(y_pred) + y_true * unlike, axis=-1)


def siamese(units: int) -> Any:
    """keras.io's siamese_contrastive, smaller."""
    tower = keras.Sequential([keras.Input((8, 8)), layers.Flatten(), layers.Dense(units, activation="tanh")])
    left, right = keras.Input((8, 8)), keras.Input((8, 8))
    apart = layers.Lambda(distance, output_shape=(1,))([tower(left), tower(right)])
    return keras.Model([left, right], layers.Dense(1, activation="sigmoid")(layers.BatchNormalization()(apart)))


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")
def test_a_siamese_model_learns_from_pairs(search: Any) -> None:
    pictures, labels = digits(400).train.x.reshape(-1, 8, 8), digits(400).train.y
    pairs = (pictures[:200], pictures[200:]), (labels[:200] != labels[200:]).astype("float32")
    parameters = {**RATES, "model.units": [4, 8]}
    sweep = search(pairs, model=siamese, loss=contrastive, minimize="val_loss", parameters=parameters)
    assert sweep.best.stderr > 0 and sweep.best.runner.startswith("compiled")


def patients(path: Path) -> None:
    """As the heart disease table of keras.io's structured data example: whole numbers, a real one, and a target."""
    random = np.random.default_rng(0)
    rows = random.integers(0, [80, 2, 5, 200, 400, 2, 3, 200, 2, 6, 4, 4, 3], (120, 13))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*HEART, "target"])
        writer.writerows([*row[:9], row[9] / 10, *row[10:], int(row[0] > 40)] for row in rows.tolist())


HEART_MODEL = f"""
import keras
from keras import layers

def build(units):
    inputs = {{name: keras.Input((1,), name=name, dtype="int32" if name == "cp" else None) for name in {HEART}}}
    kind = layers.CategoryEncoding(5, output_mode="one_hot")(inputs["cp"])
    x = layers.concatenate([layers.Rescaling(0.01)(inputs["age"]), kind, *(inputs[name] for name in {HEART[3:]})])
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.Dense(units, activation="relu")(x)))
"""


def test_thirteen_columns_of_a_table_go_to_inputs_by_name(tmp_path: Path) -> None:
    patients(tmp_path / "heart.csv")
    (tmp_path / "heart.py").write_text(HEART_MODEL)
    text = small(
        data="{csv: heart.csv, target: target}",
        model="{python: heart:build}",
        loss="binary_crossentropy",
        parameters="{learning_rate: {min: 1e-3, max: 1e-2, log: true}, epochs: 2, model.units: {values: [4, 8]}}",
        finalists="none",
    )
    sweep = ran_as(tmp_path, "heart", text)
    held = sweep.validation().x
    assert set(held) == set(HEART) and held["chol"].shape[1:] == (1,) and held["chol"].max() > 100  # as in the file
    assert sweep.best.runner.startswith("compiled")
    assert sweep.replay().matches
    opened = keras.models.load_model(sweep.export(tmp_path / "best.keras"))
    assert opened.predict({name: column[:3] for name, column in held.items()}, verbose=0).shape == (3, 1)
    assert ks.verify(tmp_path / "best.keras", sweeps_dir=tmp_path / "sweeps", test=True).matches
