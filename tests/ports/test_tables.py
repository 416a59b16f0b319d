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

pytestmark = pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")
RATES = {"optimizer": "adam", "learning_rate": ks.Float(1e-2, 1e-1, log=True), "epochs": 4}
CLASSES: dict[str, Any] = {
    "loss": "binary_crossentropy",
    "metrics": ["accuracy"],
    "maximize": "val_accuracy",
    "parameters": RATES,
}
ERRORS: dict[str, Any] = {
    "loss": "mean_squared_error",
    "metrics": ["mean_absolute_error"],
    "minimize": "val_mean_absolute_error",
    "parameters": RATES,
}
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


def test_titanic_as_it_is_is_told_what_to_drop_and_goes_through_with_that(search: Any, tmp_path: Path) -> None:
    path, table = tmp_path / "train.csv", titanic()
    table.to_csv(path, index=False)
    with pytest.raises(
        ks.UsageError,
        match=r"`drop: \[PassengerId, Name, Ticket, Cabin\]` beside the file in `data` would leave out ids",
    ) as caught:
        search(ks.Csv(path, "Survived"), **CLASSES)
    assert all(f"column {name!r} must have" in str(caught.value) for name in ("Name", "Ticket"))
    data = ks.Csv(path, "Survived", drop=["PassengerId", "Name", "Ticket", "Cabin"], categories=["Pclass"])
    sweep = search(data, **CLASSES)
    assert sweep.best.value > 0.7
    model, card = opened(sweep)
    table.drop(columns="Survived").tail(20).to_csv(tmp_path / "test.csv", index=False)
    given = inputs_of(card, tmp_path / "test.csv")
    assert set(given) == {"Pclass", "Sex", "Age", "SibSp", "Parch", "Fare", "Embarked"}
    for name, values in model_inputs(model, pd.read_csv(tmp_path / "test.csv")).items():
        np.testing.assert_array_equal(given[name], values)
    outputs = model.predict(given, verbose=0)[:, 0]
    assert ((outputs > 0.5) == table["Survived"].tail(20)).mean() > 0.6


@pytest.mark.soak
def test_house_prices_learn_logarithms_of_the_price_and_predict_prices(search: Any, tmp_path: Path) -> None:
    path, table = tmp_path / "train.csv", houses()
    table.to_csv(path, index=False)
    target = {"column": "SalePrice", "transform": "log"}
    with pytest.raises(ks.UsageError, match=r"and `missing: \[NA\]` beside the file in `data` would leave out"):
        search(ks.Csv(path, target), **ERRORS)
    sweep = search(ks.Csv(path, target, drop=["Id"], missing=["NA"]), **ERRORS)
    spread = table["SalePrice"].std()
    assert spread / 100 < sweep.best.value < spread
    assert sweep.best.curve["val_loss"][-1] < 1  # of logarithms
    held, best = sweep.validation(), sweep.load_model()
    errors = np.abs(best.predict(held.x, verbose=0)[:, 0] - held.y)
    assert sweep.best.value == pytest.approx(errors.mean(), rel=1e-5)
    error = errors.std(ddof=1) / np.sqrt(len(errors))
    assert sweep.best.stderr == pytest.approx(error, rel=1e-4)
    model, card = opened(sweep)
    said = model.predict(inputs_of(card, path), verbose=0)[:, 0]
    assert np.corrcoef(said, table["SalePrice"])[0, 1] > 0.8
    assert np.abs(said - table["SalePrice"]).mean() < spread


def compiled_regressor(input_shape: tuple[int, ...]) -> Any:
    given = keras.Input(input_shape)
    hidden = keras.layers.Concatenate()([given, keras.layers.Dense(8, activation="relu")(given)])
    model = keras.Model(given, keras.layers.Dense(1)(hidden))
    model.compile("adam", "mse", metrics=["mae"])
    return model


class FirstColumn(keras.Model):
    def call(self, rows: Any) -> Any:
        return rows[:, :1]


def subclassed() -> Any:
    return FirstColumn()


@pytest.mark.soak
def test_a_model_of_ones_own_learns_logarithms_unless_its_end_can_not_undo_them(search: Any, tmp_path: Path) -> None:
    houses(120).to_csv(tmp_path / "train.csv", index=False)
    data = ks.Csv(tmp_path / "train.csv", {"column": "SalePrice", "transform": "log"}, drop=["Id"], missing=["NA"])
    known: dict[str, Any] = {"parameters": {"learning_rate": 0.05, "epochs": 4}, "minimize": "val_mae"}
    sweep = search(data, model=compiled_regressor, loss="mae", **known)
    assert sweep.best.value > 1000 and sweep.best.curve["val_loss"][-1] < 1
    with pytest.raises(ks.UsageError, match="`transform` needs a functional model, but subclassed returns a subclass"):
        search(data, name="no", model=subclassed, loss="mae", metrics=["mae"], **known)
    with pytest.raises(ks.UsageError, match=r"data\.target: `transform` needs `loss` in this file"):
        search(data, name="no", model=compiled_regressor, **known)
