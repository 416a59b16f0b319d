"""Tables as Kaggle gives them, with no edit of the file: what is odd in one is told, with the line that mends it."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import keras_sweep as ks
from keras_sweep.data.table_preprocessing import model_inputs
from keras_sweep.process.backend import without_tensorflow
from keras_sweep.sweep.verify import verify_model

pytestmark = pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")
SEARCH = {"optimizer": "adam", "learning_rate": ks.Float(1e-2, 1e-1, log=True), "epochs": 4}
DRAW = np.random.default_rng(0)


def titanic(rows: int = 240) -> pd.DataFrame:
    """As the train.csv of Kaggle's first competition."""
    sex, place = DRAW.choice(["male", "female"], rows), DRAW.integers(1, 4, rows)
    number = np.arange(1, rows + 1)
    return pd.DataFrame(
        {
            "PassengerId": number,
            "Survived": ((sex == "female") + (place == 1) + DRAW.normal(0, 0.4, rows) > 1).astype(int),
            "Pclass": place,
            "Name": [f"Owen, Mr. {one}" for one in number],
            "Sex": sex,
            "Age": np.where(DRAW.random(rows) < 0.2, np.nan, DRAW.integers(1, 80, rows)),
            "SibSp": DRAW.integers(0, 4, rows),
            "Parch": DRAW.integers(0, 3, rows),
            "Ticket": [f"PC {one * 7 % 191}" for one in number],
            "Fare": DRAW.lognormal(3, 1, rows).round(4),
            "Cabin": [f"C{one}" if one % 2 else None for one in number],
            "Embarked": DRAW.choice(["S", "C", "Q", None], rows, p=[0.7, 0.15, 0.13, 0.02]),
        }
    )


def houses(rows: int = 240) -> pd.DataFrame:
    """As the train.csv of house prices, where `NA` stands for no value, and in some columns for "has none"."""
    area, there = DRAW.integers(500, 4000, rows), DRAW.random((3, rows))
    return pd.DataFrame(
        {
            "Id": np.arange(1, rows + 1),
            "MSSubClass": DRAW.choice([20, 60, 120], rows),
            "LotFrontage": np.where(there[0] < 0.2, "NA", DRAW.integers(20, 120, rows).astype(str)),
            "Alley": np.where(there[1] < 0.9, "NA", "Grvl"),
            "GarageYrBlt": np.where(there[2] < 0.6, "NA", DRAW.integers(1900, 2010, rows).astype(str)),
            "GrLivArea": area,
            "SalePrice": np.exp(11 + area / 2500 + DRAW.normal(0, 0.1, rows)).round().astype(int),
        }
    )


def spec(data: Any, loss: str, metric: str, **more: Any) -> ks.Spec:
    search = ks.Optuna("random", trials=2)
    goal = {"maximize" if metric in ("accuracy", "auc") else "minimize": f"val_{metric}"}
    return ks.Spec(data=data, loss=loss, metrics=[metric], parameters=SEARCH, search=search, **goal, **more)


def opened(sweep: ks.Sweep) -> tuple[Any, dict[str, Any]]:
    """The winner's file as a program without keras-sweep opens it, and what its card says of the data."""
    card = json.loads((sweep.path / "card.json").read_text())
    with without_tensorflow():
        return eval(card["open"], {"keras": keras, "path": str(sweep.path / "best.keras")}), card["data"]


def inputs_of(card: dict[str, Any], path: Path) -> Any:
    """What the card's own code makes of a file."""
    known: dict[str, Any] = {"path": path}
    exec(card["inputs"], known)
    return known["x"]


def test_titanic_as_it_is_is_told_what_to_drop_and_goes_through_with_that(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    table = titanic()
    table.to_csv(path, index=False)
    run = {"sweeps_dir": tmp_path, "name": "titanic"}
    with pytest.raises(ks.UsageError, match=r"`drop: \[PassengerId, Name, Ticket, Cabin\]` leaves out ids") as caught:
        ks.run(spec(ks.Csv(path, "Survived"), "binary_crossentropy", "accuracy"), **run)
    assert all(f"column {name!r} has" in str(caught.value) for name in ("Name", "Ticket"))
    data = ks.Csv(path, "Survived", drop=["PassengerId", "Name", "Ticket", "Cabin"], categories=["Pclass"])
    sweep = ks.run(spec(data, "binary_crossentropy", "accuracy"), **run)
    assert sweep.best.value > 0.7 and sweep.replay().matches
    model, card = opened(sweep)
    table.drop(columns="Survived").tail(20).to_csv(tmp_path / "test.csv", index=False)
    given = inputs_of(card, tmp_path / "test.csv")
    assert set(given) == {"Pclass", "Sex", "Age", "SibSp", "Parch", "Fare", "Embarked"}
    for name, values in model_inputs(model, pd.read_csv(tmp_path / "test.csv")).items():
        np.testing.assert_array_equal(given[name], values)
    outputs = model.predict(given, verbose=0)[:, 0]
    assert ((outputs > 0.5) == table["Survived"].tail(20)).mean() > 0.6


@pytest.mark.soak
@pytest.mark.parametrize("transform", ["log", "standard"])
def test_house_prices_learn_another_form_of_the_price_and_predict_prices(tmp_path: Path, transform: str) -> None:
    path = tmp_path / "train.csv"
    table = houses()
    table.to_csv(path, index=False)
    target = {"column": "SalePrice", "transform": transform}
    run = {"sweeps_dir": tmp_path, "name": "houses"}
    with pytest.raises(ks.UsageError, match=r"`drop: \[Id\]` and `missing: \[NA\]` leaves out"):
        ks.run(spec(ks.Csv(path, target), "mean_squared_error", "mean_absolute_error"), **run)
    data = ks.Csv(path, target, drop=["Id"], missing=["NA"])
    sweep = ks.run(spec(data, "mean_squared_error", "mean_absolute_error"), **run)
    spread = table["SalePrice"].std()
    assert spread / 100 < sweep.best.value < spread and sweep.replay().matches
    assert sweep.best.curve["val_loss"][-1] < 1  # of logarithms, or of standard deviations
    held, best = sweep.validation(), sweep.load_model()
    errors = np.abs(best.predict(held.x, verbose=0)[:, 0] - held.y)
    assert sweep.best.value == pytest.approx(errors.mean(), rel=1e-5)
    error = errors.std(ddof=1) / np.sqrt(len(errors))
    assert sweep.best.stderr == pytest.approx(error, rel=1e-4)
    model, card = opened(sweep)
    said = model.predict(inputs_of(card, path), verbose=0)[:, 0]
    assert np.corrcoef(said, table["SalePrice"])[0, 1] > 0.8
    assert np.abs(said - table["SalePrice"]).mean() < spread


@pytest.mark.soak
@pytest.mark.parametrize("backend", ["lanes", "fit"])
def test_an_own_model_that_compiles_itself_learns_logarithms_too(tmp_path: Path, backend: str) -> None:
    houses(120).to_csv(tmp_path / "train.csv", index=False)

    def build(input_shape: tuple[int, ...]) -> Any:
        given = keras.Input(input_shape)
        wide, deep = keras.layers.Dense(4)(given), keras.layers.Dense(8, activation="relu")(given)
        model = keras.Model(given, keras.layers.Dense(1)(keras.layers.Concatenate()([wide, deep])))
        model.compile("adam", "mse", metrics=["mae"])
        return model

    def subclassed() -> Any:
        class Own(keras.Model):
            def call(self, rows: Any) -> Any:
                return rows[:, :1]

        return Own()

    data = ks.Csv(tmp_path / "train.csv", {"column": "SalePrice", "transform": "log"}, drop=["Id"], missing=["NA"])
    parameters = {"learning_rate": 0.05, "epochs": 4}
    search = {"search": ks.Optuna("random", trials=1), "finalists": "none", "minimize": "val_mae"}
    own = ks.Spec(data=data, model=build, loss="mae", parameters=parameters, **search)
    sweep = ks.run(own, name="own", sweeps_dir=tmp_path, runner="fit" if backend == "fit" else None)
    assert sweep.best.value > 1000 and sweep.best.curve["val_loss"][-1] < 1 and sweep.replay().matches
    with pytest.raises(ks.UsageError, match="subclassed is a class of yours, whose end can't undo `transform`"):
        ks.run(
            ks.Spec(data=data, model=subclassed, loss="mae", metrics=["mae"], parameters=parameters, **search),
            name="no",
            sweeps_dir=tmp_path,
        )
    with pytest.raises(ks.UsageError, match=r"data\.target: needs `loss` in this file"):
        ks.run(ks.Spec(data=data, model=build, parameters=parameters, **search), name="no", sweeps_dir=tmp_path)


def test_digit_recognizer_reshapes_all_pixels_the_constant_ones_too(tmp_path: Path) -> None:
    pixels = np.zeros((120, 64), int)
    labels = DRAW.integers(0, 3, 120)
    pixels[np.arange(120), 20 + labels * 5] = DRAW.integers(100, 256, 120)  # all others are 0 in each row
    table = pd.DataFrame(pixels, columns=[f"pixel{one}" for one in range(64)])
    table.insert(0, "label", labels)
    table.to_csv(tmp_path / "train.csv", index=False)

    def build(input_shape: tuple[int, ...], classes: int) -> Any:
        return keras.Sequential(
            [
                keras.Input(input_shape),
                keras.layers.Reshape((8, 8, 1)),
                keras.layers.Conv2D(4, 3, activation="relu"),
                keras.layers.Flatten(),
                keras.layers.Dense(classes, activation="softmax"),
            ]
        )

    data = ks.Csv(tmp_path / "train.csv", "label")
    sweep = ks.run(
        spec(data, "sparse_categorical_crossentropy", "accuracy", model=build, finalists="none"),
        name="digits",
        sweeps_dir=tmp_path,
    )
    assert sweep.best.value > 0.9 and sweep.validation().x.shape[1] == 64
    model, card = opened(sweep)
    given = inputs_of(card, tmp_path / "train.csv")
    assert given.shape == (120, 64) and (model.predict(given, verbose=0).argmax(axis=1) == labels).mean() > 0.9


@pytest.mark.soak
def test_a_file_with_semicolons_dates_ids_gaps_and_free_text_goes_to_predictions_on_raw_rows(tmp_path: Path) -> None:
    rows = 300
    day = pd.Timestamp("2023-01-01 08:00") + pd.to_timedelta(DRAW.integers(0, 10_000, rows), unit="h")
    amount = DRAW.lognormal(3, 1, rows).round(2)
    late = (day.month > 10) | (amount > 80)
    table = pd.DataFrame(
        {
            "order_id": np.arange(rows) + 1000,
            "created": day.strftime("%Y-%m-%d %H:%M:%S"),
            "shipped": [one.strftime("%d.%m.%Y") if number % 9 else "?" for number, one in enumerate(day)],
            "amount": np.where(DRAW.random(rows) < 0.1, "?", amount.astype(str)),
            "region": DRAW.choice([3, 7, 11], rows),
            "channel": DRAW.choice(["web", "shop", "?"], rows),
            "note": [f"please call {one}" for one in range(rows)],
            "returned": np.where(DRAW.random(rows) < 0.02, "", np.where(late, "yes", "no")),
        }
    )
    table.to_csv(tmp_path / "orders.csv", sep=";", index=False)
    (tmp_path / "orders.yaml").write_text(
        """
data:
  csv: orders.csv
  target: returned
  separator: ";"
  missing: ["?"]
  missing_target: drop
  drop: [order_id, note]
  categories: [region]
split: {stratify: true}
model: {dense: {hidden: [8]}}
loss: binary_crossentropy
metrics: [auc]
metric: {name: val_auc, goal: maximize}
parameters:
  optimizer: adam
  learning_rate: {min: 1e-2, max: 1e-1, log: true}
  epochs: {max: 8, take: best}
training: {class_weight: balanced}
search: {sampler: random, trials: 2}
"""
    )
    sweep = ks.run(tmp_path / "orders.yaml", sweeps_dir=tmp_path)
    assert sweep.best.value > 0.8 and sweep.replay().matches
    assert verify_model(sweep.path / "best.keras", print, sweeps=tmp_path).matches
    model, card = opened(sweep)
    new = table.drop(columns="returned").head(50)
    new.to_csv(tmp_path / "new.csv", sep=";", index=False)
    given = inputs_of(card, tmp_path / "new.csv")
    read = pd.read_csv(tmp_path / "new.csv", sep=";", na_values=["?"])
    for name, values in model_inputs(model, read).items():
        np.testing.assert_array_equal(given[name], values)
    outputs = model.predict(given, verbose=0)[:, 0]
    assert outputs[late[:50]].mean() > outputs[~late[:50]].mean() + 0.2
