"""Rows are loaded by a name, a baseline is fitted on them, and trials are imported, from Python as by the command."""

from pathlib import Path

import numpy as np
import optuna
import pytest

import keras_sweep as ks
from keras_sweep.errors import SweepWarning
from tests.api.conftest import digits_spec

TABLE = Path(__file__).parents[2] / "search_spaces" / "plants.yaml"


def test_rows_have_a_name_and_are_saved(tmp_path: Path) -> None:
    rows = ks.load_data(TABLE, set={"split.seed": 7}, save=tmp_path / "rows.npz")
    with np.load(tmp_path / "rows.npz") as saved:
        assert len(saved["y_train"]) == len(rows.train) and len(saved["y_validation"]) == len(rows.validation)
    assert ks.load_data("digits", picture=tmp_path / "digits.png").image_shape == (8, 8)
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ks.UsageError, match="`set` needs a space file, but got digits"):
        ks.load_data("digits", set={"a": 1})


def test_a_baseline_is_put_into_the_record_of_the_same_rows_alone(finished: ks.Sweep) -> None:
    folder = finished.path.parent
    fitted = ks.baseline(digits_spec(), name="mine", sweeps_dir=folder)
    assert 0.8 < fitted.mean_score < 1 and finished.facts.baseline == fitted
    with pytest.warns(SweepWarning, match="sweep 'mine' has other data"):
        ks.baseline(digits_spec(data="wine"), name="mine", sweeps_dir=folder)
    assert finished.facts.baseline == fitted


def test_trials_of_a_storage_become_a_sweep(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    study = optuna.create_study(storage=storage, study_name="theirs", direction="maximize")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    sweep = ks.import_optuna(tmp_path / "study.db", sweeps_dir=tmp_path)
    assert (sweep.name, [trial.value for trial in sweep.trials]) == ("theirs", [one.value for one in study.trials])
    with pytest.raises(ks.UsageError, match="Choose another name with `name`"):
        ks.import_optuna(tmp_path / "study.db", sweeps_dir=tmp_path)
