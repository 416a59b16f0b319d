"""A sweep whose rows weigh unlike: what is ranked, exported, verified, trained again and scored are weighted rows."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.sealed_test import open_test
from keras_sweep.data.search_data import SearchData
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.saved import load_scores_of
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep.named_data import fit_baseline
from keras_sweep.sweep.verify import verify_model
from tests.helpers.ran import finished, quiet
from tests.helpers.space_texts import small

SPACE = small(
    data="{csv: loans.csv, target: paid, weights: weight}",
    model="{dense: {hidden: [4]}}",
    loss="binary_crossentropy",
    metrics="[accuracy, auc]",
    parameters="{optimizer: adam, learning_rate: {min: 0.01, max: 0.1}, batch_size: 32, epochs: {min: 2, max: 3}}",
    search="{trials: 4, seed: 42}",
    finalists="{top: 2, seeds: 1}",
)


def write_loans(folder: Path) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(400, 3))
    paid = x[:, 0] + 0.5 * x[:, 1] + draw.normal(0, 0.8, 400) > 0
    weights = np.where(paid, 3, draw.uniform(0, 1, 400))
    columns = zip(x.tolist(), weights, paid, strict=True)
    lines = [f"{a},{b},{c},{weight},{'yes' if one else 'no'}" for (a, b, c), weight, one in columns]
    (folder / "loans.csv").write_text("\n".join(["income,debt,age,weight,paid", *lines]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("weighed")
    write_loans(folder)
    finished(folder, SPACE)
    return folder


@pytest.fixture(scope="module")
def sweep(folder: Path) -> ks.Sweep:
    return ks.open("plain", sweeps_dir=folder / "sweeps")


@pytest.fixture(scope="module")
def data(folder: Path) -> SearchData:
    return load_search_data(read_space_file(folder / "plain.yaml"))


def evaluated(model: Any, rows: Any) -> dict[str, float]:
    scores: dict[str, float] = model.evaluate(
        rows.x, rows.y, sample_weight=rows.weights, verbose=0, return_dict=True, batch_size=32
    )
    return scores


def test_the_value_is_what_keras_gives_for_weighted_rows(sweep: ks.Sweep) -> None:
    rows, trial = sweep.validation(), sweep.best.number
    scores = evaluated(sweep.load_model(trial), rows)
    assert sweep.best.value == pytest.approx(scores["accuracy"], abs=1e-6)
    assert sweep.best.metrics["val_auc"] == pytest.approx(scores["auc"], abs=1e-5)
    right = (sweep.load_model(trial).predict(rows.x, verbose=0)[:, 0] > 0.5) == rows.y
    assert sweep.best.value == pytest.approx(np.average(right, weights=rows.weights), abs=1e-6)
    assert sweep.best.value != pytest.approx(right.mean(), abs=1e-3)  # else this shows nothing
    assert sweep.estimate.low < sweep.best.value < sweep.estimate.high
    assert any(row.tie for row in sweep.leaderboard())


def test_the_test_rows_weigh_unlike_too(folder: Path, sweep: ks.Sweep, data: SearchData) -> None:
    rows = open_test(read_space_file(folder / "plain.yaml"), data)
    test = json.loads((folder / "sweeps" / "plain" / "card.json").read_text())["test"]
    for name, value in evaluated(sweep.load_model(), rows).items():
        assert test[name] == pytest.approx(value, abs=1e-6)


def test_a_model_that_is_exported_keeps_its_weighted_metrics_and_is_verified(folder: Path, sweep: ks.Sweep) -> None:
    sweep.export(folder / "best.keras")
    card = json.loads((folder / "best.card.json").read_text())
    assert card["data"]["source"]["weights"] == "weight"
    assert keras.models.load_model(folder / "best.keras").input_shape == (None, 3)
    done = verify_model(folder / "best.keras", quiet, sweeps=folder / "sweeps", test=True)
    assert done.matches
    assert {"val_accuracy", "val_auc", "val_loss", "stderr", "test accuracy"} <= {check.name for check in done.checks}


@pytest.mark.filterwarnings("ignore:Maximum number of iteration")  # five passes do not converge
def test_the_baseline_weighs_rows(folder: Path, data: SearchData) -> None:
    from sklearn.linear_model import SGDClassifier

    found = fit_baseline(read_space_file(folder / "plain.yaml"), data)
    model = SGDClassifier(loss="log_loss", max_iter=5, random_state=42)
    model.fit(data.train.x, data.train.y, sample_weight=data.train.weights)
    score = model.score(data.validation.x, data.validation.y, sample_weight=data.validation.weights)
    assert found.validation["val_accuracy"] == pytest.approx(score)
    assert len(found.fold_scores) == 5


def test_other_weights_are_other_rows(tmp_path: Path, data: SearchData) -> None:
    write_loans(tmp_path)
    (tmp_path / "loans.csv").write_text((tmp_path / "loans.csv").read_text().replace(",3.0,yes", ",2.0,yes"))
    (tmp_path / "plain.yaml").write_text(SPACE)
    other = load_search_data(read_space_file(tmp_path / "plain.yaml"))
    np.testing.assert_array_equal(other.train.x, data.train.x)
    assert other.fingerprint != data.fingerprint


@pytest.mark.soak
def test_a_metric_of_all_rows_is_ranked_and_estimated_by_weighted_rows_of_folds(tmp_path: Path) -> None:
    write_loans(tmp_path)
    text = (
        SPACE.replace("{top: 2, seeds: 1}", "none").replace("trials: 4", "trials: 2").replace("val_accuracy", "val_auc")
    )
    finished(tmp_path, text + "split: {folds: 2}\n")
    sweep = ks.open("plain", sweeps_dir=tmp_path / "sweeps")
    (result, *_) = RecordedSweep.read(SweepFolder(tmp_path / "sweeps" / "plain")).results
    outputs, labels, weights = load_scores_of(SweepFolder(tmp_path / "sweeps" / "plain"), result).arrays
    of_all = keras.metrics.AUC()
    of_all.update_state(labels[:, None], outputs, sample_weight=weights)
    assert result.value == pytest.approx(float(of_all.result()), abs=1e-6)
    assert sweep.estimate.low < sweep.best.value < sweep.estimate.high
