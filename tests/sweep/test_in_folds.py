"""A sweep whose trials are trained once a fold: what is ranked, shown, exported and asked of it afterwards."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.raw_rows import save_rows
from keras_sweep.errors import DataError
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.saved import load_scores_of, scores_file
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep.named_data import fit_baseline
from keras_sweep.sweep.verify import verify_model
from tests.helpers.ran import finished, quiet
from tests.helpers.space_texts import small

BEST_OF_3 = "epochs: {max: 3, take: best}"
SPACE = small(
    split="{folds: 3}",
    parameters=f"{{optimizer: adam, learning_rate: {{values: [0.001, 0.01, 0.03]}}, batch_size: 479, {BEST_OF_3}}}",
    search="{trials: 3, seed: 42, sampler: grid}",
    finalists="{top: 2, seeds: 1}",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folds")
    finished(folder, SPACE)
    return folder


@pytest.fixture(scope="module")
def sweep(folder: Path) -> ks.Sweep:
    return ks.open("plain", sweeps_dir=folder / "sweeps")


@pytest.fixture(scope="module")
def spec(folder: Path) -> SweepSpec:
    return read_space_file(folder / "plain.yaml")


def test_value_error_and_estimate_are_of_all_rows(sweep: ks.Sweep) -> None:
    best = sweep.best
    assert (best.value * 1437) == pytest.approx(round(best.value * 1437), abs=1e-6)
    assert best.stderr == pytest.approx(np.sqrt(best.value * (1 - best.value) / 1437), rel=0.05)
    assert sweep.estimate is not None
    assert best.seeds.count == 2  # each seed was trained on all folds


def test_the_winner_is_exported_as_trained_on_all_rows(folder: Path, sweep: ks.Sweep) -> None:
    sweep.export(folder / "best.keras")
    card = json.loads((folder / "best.card.json").read_text())
    assert (card["data"]["folds"], card["refit"]["rows"]) == (3, 1437)
    assert verify_model(folder / "best.keras", quiet, sweeps=folder / "sweeps", test=True).matches


def test_any_other_trial_is_trained_on_all_rows_for_its_export(folder: Path, sweep: ks.Sweep) -> None:
    (other,) = [trial.number for trial in sweep.trials if not trial.finalists]
    with pytest.warns(UserWarning, match=f"trial {other} is trained on all 1,437 rows, since with folds it has"):
        sweep.export(folder / "other.keras", other)
    card = json.loads((folder / "other.card.json").read_text())
    assert (card["trial"], card["refit"]["rows"], card["test"]) == (other, 1437, None)
    assert verify_model(folder / "other.keras", quiet, sweeps=folder / "sweeps").matches


def test_the_page_has_what_the_winner_confuses_out_of_fold(folder: Path, sweep: ks.Sweep) -> None:
    page = sweep.report(folder / "page").read_text()
    assert "trained again on all 1,437 rows" in page
    assert "over 1,437 validation rows" in page


def test_damaged_scores_are_computed_again_from_the_weights_of_all_folds(folder: Path) -> None:
    part = SweepFolder(folder / "sweeps" / "plain")
    result = next(one for one in RecordedSweep.read(part).results if one.scores_digest)
    scores_file(part, result.number).write_bytes(b"damaged")
    finished(folder, SPACE)
    assert load_scores_of(part, result).rows == 1437


def test_saved_rows_bear_the_fold_that_leaves_them_out(spec: SweepSpec, tmp_path: Path) -> None:
    data = load_search_data(spec)
    save_rows(tmp_path / "rows.npz", spec, data)
    saved = np.load(tmp_path / "rows.npz")
    assert sorted(saved) == ["fold", "x_train", "y_train"]
    for index, fold in enumerate(data.folds):
        np.testing.assert_array_equal(np.flatnonzero(saved["fold"] == index), np.sort(fold.held))


@pytest.mark.filterwarnings("ignore:Maximum number of iteration")  # five passes do not converge
def test_the_baseline_predicts_each_row_by_the_fit_that_left_it_out(spec: SweepSpec) -> None:
    from sklearn.linear_model import SGDClassifier

    data = load_search_data(spec)
    right = 0
    for index in range(3):
        fold = data.fold(index)
        model = SGDClassifier(loss="log_loss", max_iter=5, random_state=42).fit(fold.train.x, fold.train.y)
        right += int((model.predict(fold.validation.x) == fold.validation.y).sum())
    assert fit_baseline(spec, data).validation["val_accuracy"] == right / 1437


def test_what_folds_can_not_do_is_said(spec: SweepSpec, tmp_path: Path) -> None:
    data = load_search_data(spec)
    x, y = data.train.x[:90], data.train.y[:90]
    np.savez(tmp_path / "split.npz", x_train=x, y_train=y, x_validation=x[:9], y_validation=y[:9])
    brought = replace(spec, folder=tmp_path, data=replace(spec.data, kind="npz", source="split.npz"))
    with pytest.raises(DataError, match="brings its own validation rows, so it can't be cut into folds"):
        load_search_data(brought)
    np.savez(tmp_path / "split.npz", x_train=x[:2], y_train=y[:2])
    with pytest.raises(DataError, match="2 rows can't be cut into 3 folds"):
        load_search_data(brought)
