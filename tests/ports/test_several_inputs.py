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
from tests.helpers.ran import quiet

RATES = {"optimizer": ["adam", "rmsprop"], "learning_rate": ks.Float(1e-3, 1e-2, log=True), "epochs": 2}
HEART = ("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca", "thal")


def tickets() -> tuple[dict[str, Any], dict[str, Any]]:
    """As the functional guide's: words of title and body, tags; how urgent a ticket is, and whose it is."""
    random = np.random.default_rng(0)
    title, body = random.integers(1, 20, (200, 6)), random.integers(1, 20, (200, 9))
    tags = random.integers(0, 2, (200, 4)).astype("float32")
    x = {"title": title, "body": body, "tags": tags}
    return x, {"priority": tags.mean(axis=1), "department": title[:, 0] % 3}


def sorter(units: int, *, listed: bool = False) -> Any:
    """Its model, smaller."""
    title, body, tags = (
        keras.Input((None,), name="title"),
        keras.Input((None,), name="body"),
        keras.Input((4,), name="tags"),
    )
    words = [layers.GlobalAveragePooling1D()(layers.Embedding(20, 4)(one)) for one in (title, body)]
    x = layers.Dense(units, activation="relu")(layers.concatenate([*words, tags]))
    priority = layers.Dense(1, name="priority" if listed else None)(x)  # a dict names its outputs itself
    department = layers.Dense(3, activation="softmax", name="department")(x)
    outputs = [priority, department] if listed else {"priority": priority, "department": department}
    return keras.Model([title, body, tags], outputs)


LOSSES = {"priority": "mean_squared_error", "department": "sparse_categorical_crossentropy"}
WEIGHTS = {"priority": 1.0, "department": 0.2}


def compiled_sorter(units: int) -> Any:
    """As the guide compiles it where it passes losses in a list."""
    model = sorter(units, listed=True)
    metrics = [["mae"], [keras.metrics.SparseCategoricalAccuracy(name="right")]]
    model.compile("rmsprop", [LOSSES["priority"], LOSSES["department"]], loss_weights=[1.0, 0.2], metrics=metrics)
    return model


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")
def test_three_inputs_and_two_outputs_train_with_loss_weights(tmp_path: Path) -> None:
    x, y = tickets()
    spec = ks.Spec(
        data={"x": x, "y": y},
        model=sorter,
        loss=LOSSES,
        metrics={"priority": ["mae"], "department": ["accuracy"]},
        loss_weights=WEIGHTS,
        minimize="val_priority_mae",
        parameters={**RATES, "model.units": [4, 8]},
        search=ks.Optuna("random", trials=2),
        finalists={"top": 2, "seeds": 1},
    )
    sweep = ks.run(spec, name="tickets", sweeps_dir=tmp_path, listener=quiet)
    best, held = sweep.best, sweep.validation()
    assert best.stderr > 0 and sweep.estimate is not None and best.seeds is not None
    assert sweep.replay().matches
    scores = sweep.load_model().evaluate(held.x, held.y, verbose=0, return_dict=True)
    assert scores["priority_mae"] == pytest.approx(best.value, abs=1e-6)
    summed = scores["priority_loss"] + 0.2 * scores["department_loss"]
    assert scores["loss"] == pytest.approx(summed, abs=1e-5)
    opened = keras.models.load_model(sweep.export(tmp_path / "best.keras"))
    assert set(opened.predict(held.x, verbose=0)) == set(y)
    assert ks.verify(tmp_path / "best.keras", sweeps_dir=tmp_path, test=True).matches
    assert "department_accuracy" in sweep.evaluate().scores


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")
def test_a_model_that_compiles_itself_with_several_outputs_trains_as_it_is(tmp_path: Path) -> None:
    x, y = tickets()
    spec = ks.Spec(
        data={"x": list(x.values()), "y": tuple(y.values())},
        model=compiled_sorter,
        maximize="val_department_right",
        parameters={"learning_rate": ks.Float(1e-3, 1e-2, log=True), "epochs": 2, "model.units": [4, 8]},
        search=ks.Optuna("random", trials=2),
        finalists="none",
    )
    sweep = ks.run(spec, name="listed", sweeps_dir=tmp_path, listener=quiet)
    assert {"val_loss", "val_priority_mae", "val_department_right"} <= set(sweep.best.metrics)
    assert sweep.replay().matches
    sweep.export(tmp_path / "best.keras")
    assert ks.verify(tmp_path / "best.keras", sweeps_dir=tmp_path).matches


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
@pytest.mark.parametrize("runner", ["compiled", "fit"])
def test_a_siamese_model_learns_from_pairs(tmp_path: Path, runner: str) -> None:
    pictures, labels = digits(400).train.x.reshape(-1, 8, 8), digits(400).train.y
    left, right = pictures[:200], pictures[200:]
    spec = ks.Spec(
        data=((left, right), (labels[:200] != labels[200:]).astype("float32")),
        model=siamese,
        loss=contrastive,
        minimize="val_loss",
        parameters={**RATES, "model.units": [4, 8]},
        search=ks.Optuna("random", trials=2),
        finalists="none",
    )
    sweep = ks.run(spec, name="pairs", sweeps_dir=tmp_path, runner=runner, listener=quiet)
    assert sweep.best.stderr > 0
    assert sweep.replay().matches


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


@pytest.mark.parametrize("split", ["validation: 0.25", pytest.param("folds: 2", marks=pytest.mark.soak)])
def test_thirteen_columns_of_a_table_go_to_inputs_by_name(tmp_path: Path, split: str) -> None:
    patients(tmp_path / "heart.csv")
    (tmp_path / f"heart_{split[:5]}.py").write_text(HEART_MODEL)
    (tmp_path / "heart.yaml").write_text(
        f"""
data: {{csv: heart.csv, target: target}}
split: {{{split}}}
model: {{python: heart_{split[:5]}:build}}
loss: binary_crossentropy
metrics: [accuracy]
metric: {{name: val_accuracy, goal: maximize}}
parameters: {{learning_rate: {{min: 1e-3, max: 1e-2, log: true}}, epochs: 2, model.units: {{values: [4, 8]}}}}
search: {{trials: 2, sampler: random}}
finalists: none
"""
    )
    sweep = ks.run(tmp_path / "heart.yaml", sweeps_dir=tmp_path / "sweeps", listener=quiet)
    held = sweep.validation().x
    assert set(held) == set(HEART) and held["chol"].shape[1:] == (1,) and held["chol"].max() > 100  # as in the file
    assert sweep.best.runner.startswith("compiled")
    assert sweep.replay().matches
    opened = keras.models.load_model(sweep.export(tmp_path / "best.keras"))
    assert opened.predict({name: column[:3] for name, column in held.items()}, verbose=0).shape == (3, 1)
    assert ks.verify(tmp_path / "best.keras", sweeps_dir=tmp_path / "sweeps", test=True).matches


@pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")
def test_a_dataset_of_dicts_of_features_trains(tmp_path: Path) -> None:
    from torch.utils import data as torch_data

    x, y = tickets()
    rows = [({name: one[row] for name, one in x.items()}, y["department"][row]) for row in range(200)]
    spec = ks.Spec(
        data=torch_data.DataLoader(rows, batch_size=32),
        model=sort_departments,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        maximize="val_accuracy",
        parameters={**RATES, "model.units": 4},
        search=ks.Optuna("random", trials=1),
        finalists="none",
    )
    sweep = ks.run(spec, name="loader", sweeps_dir=tmp_path, listener=quiet)
    assert set(sweep.validation().x) == set(x) and sweep.best.runner.startswith("compiled")


def sort_departments(units: int) -> Any:
    model = sorter(units)
    return keras.Model(model.inputs, model.output["department"])
