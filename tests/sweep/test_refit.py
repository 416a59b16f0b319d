"""The winner trained once more on all rows of training and validation, before it is tested and exported."""

import json
from pathlib import Path

import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.sweep.events import WinnerRefitted
from keras_sweep.sweep.verify import verify_model
from tests.helpers.ran import finished, quiet
from tests.helpers.space_texts import small

PARAMETERS = "{optimizer: adam, learning_rate: {values: [0.01, 0.02]}, batch_size: 128, epochs: {max: 3, take: best}}"
SPACE = small(parameters=PARAMETERS, finalists="none")
REFIT = "finish: {refit: true}\n"
TABLE = small(
    data="{csv: plants.csv, target: species}",
    model="dense",
    parameters="{optimizer: adam, learning_rate: 0.05, batch_size: 16, epochs: 3}",
    search="{trials: 1, sampler: random}",
)


def refits(folder: Path, text: str) -> list[WinnerRefitted]:
    return finished(folder, text).of(WinnerRefitted)


def scored_epoch(sweep: ks.Sweep) -> int:
    values = sweep.best.curve["val_accuracy"]
    return values.index(max(values)) + 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refit")
    finished(folder, SPACE + REFIT)
    return folder


@pytest.fixture(scope="module")
def sweep(folder: Path) -> ks.Sweep:
    return ks.open("plain", sweeps_dir=folder / "sweeps")


def test_it_is_what_plain_fit_makes_of_all_rows_in_as_many_epochs_as_the_value_is_of(sweep: ks.Sweep) -> None:
    import keras

    from keras_sweep.data.catalog import load_search_data, make_set_spec

    data, best = load_search_data(make_set_spec("digits")), sweep.best
    x, y = (np.concatenate([getattr(rows, name) for rows in (data.train, data.validation)]) for name in "xy")
    keras.utils.set_random_seed(42)
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(10, activation="softmax")])
    rate = best.params["learning_rate"]
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=scored_epoch(sweep), batch_size=128, verbose=0)
    for mine, plain in zip(sweep.load_model().get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, plain, atol=2e-6)


@pytest.mark.soak
def test_a_schedule_goes_over_the_epochs_of_the_trial_though_its_value_is_of_an_earlier_one(tmp_path: Path) -> None:
    import keras

    from keras_sweep.data.catalog import load_search_data, make_set_spec

    parameters = "{optimizer: adam, learning_rate: 0.02, schedule: linear, batch_size: 128, epochs: 9}"
    search, stops = "{trials: 1, sampler: random}", "{early_stopping: {patience: 1, min_delta: 0.2}}"
    text = small(parameters=parameters, search=search, finalists="none", training=stops)
    (done,) = refits(tmp_path, text + REFIT)
    data = load_search_data(make_set_spec("digits"))
    x, y = (np.concatenate([getattr(rows, name) for rows in (data.train, data.validation)]) for name in "xy")
    keras.utils.set_random_seed(42)
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(10, activation="softmax")])
    rates = keras.optimizers.schedules.PolynomialDecay(0.02, 12 * 9, 0.0)  # 1,437 rows in batches of 128
    model.compile(optimizer=keras.optimizers.Adam(rates), loss="sparse_categorical_crossentropy")
    assert done.refit.epochs < 9
    model.fit(x, y, epochs=done.refit.epochs, batch_size=128, verbose=0)
    sweep = ks.open("plain", sweeps_dir=tmp_path / "sweeps")
    for mine, plain in zip(sweep.load_model().get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, plain, atol=2e-6)
    exported = keras.models.load_model(sweep.export(tmp_path / "model.keras"))
    assert float(exported.optimizer.learning_rate) == pytest.approx(0.02)  # its schedule is over
    assert sweep.replay().matches


def test_it_is_tested_and_exported_and_the_card_says_so(folder: Path, sweep: ks.Sweep) -> None:
    import keras

    card = json.loads((folder / "sweeps" / "plain" / "card.json").read_text())
    assert (card["refit"]["rows"], card["refit"]["epochs"]) == (1437, scored_epoch(sweep))
    assert (sweep.refit.rows, sweep.refit.trial) == (1437, card["trial"])
    assert card["validation"]["value"] == sweep.best.value  # of the trial, which has seen no validation row
    exported = keras.models.load_model(sweep.export(folder / "model.keras"))
    for mine, kept in zip(exported.get_weights(), sweep.load_model().get_weights(), strict=True):
        np.testing.assert_array_equal(mine, kept)
    assert sweep.evaluate().scores["accuracy"] == pytest.approx(card["test"]["accuracy"])
    verified = verify_model(folder / "model.keras", quiet, sweeps=folder / "sweeps", test=True)
    assert verified.matches
    assert {check.name for check in verified.checks} >= {"refit accuracy", "refit loss", "test accuracy"}


@pytest.mark.soak
def test_the_columns_of_a_table_are_encoded_by_all_of_its_rows(tmp_path: Path) -> None:
    import polars as pl

    random = np.random.default_rng(0)
    kinds = np.arange(120) % 3
    table = {"size": kinds + random.normal(0, 0.5, 120), "species": [f"kind {kind}" for kind in kinds]}
    pl.DataFrame(table).write_csv(tmp_path / "plants.csv")
    finished(tmp_path, TABLE + REFIT)
    sweep = ks.open("plain", sweeps_dir=tmp_path / "sweeps")
    model = tmp_path / "model.keras"
    sweep.export(model)
    card = json.loads(model.with_name("model.card.json").read_text())
    assert verify_model(model, quiet, sweeps=tmp_path / "sweeps", test=True).matches
    assert sweep.evaluate().scores["accuracy"] == card["test"]["accuracy"]
