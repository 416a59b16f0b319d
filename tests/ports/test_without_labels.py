"""A variational autoencoder, as in keras.io's example: it learns from pictures alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.data.array_sources import read_npz
from keras_sweep.space.data_spec import DataSpec
from keras_sweep.trial.events import Noticed
from tests.helpers import without_labels
from tests.helpers.factory import digits

pytestmark = pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")
X = digits().train.x
ROWS = {"x_train": X[:96], "x_validation": X[96:192], "x_test": X[192:224]}
SEARCH: dict[str, Any] = {"search": ks.Optuna("grid", trials=2), "finalists": {"top": 2, "seeds": 1}}


@pytest.mark.soak
def test_a_vae_is_searched_evaluated_and_verified(tmp_path: Path) -> None:
    spec = ks.Spec(ROWS, model=without_labels.vae, minimize="val_loss", parameters={"model.units": [4, 8]}, **SEARCH)
    sweep = ks.run(spec, name="vae", sweeps_dir=tmp_path)
    best = sweep.best
    assert best.value == pytest.approx(best.curve["val_loss"][-1]) and best.seeds is not None
    assert best.stderr is None and sweep.estimate is None
    keras_model = sweep.load_model()
    assert keras_model.evaluate(ROWS["x_validation"], verbose=0) == pytest.approx(best.curve["val_loss"][-1], rel=1e-5)
    assert sweep.evaluate().scores.keys() == {"loss"}
    assert sweep.replay().matches
    sweep.export(tmp_path / "vae.keras")
    verified = ks.verify(tmp_path / "vae.keras", sweeps_dir=tmp_path, trust=True, test=True)
    assert verified.matches and [check.name for check in verified.checks] == ["val_loss", "test loss"]
    assert "vae" in sweep.report().read_text()


def test_steps_of_its_own_rank_by_what_they_record(tmp_path: Path) -> None:
    tuner = ks.Tuner(own_steps, "val_reconstruction", max_trials=2, directory=tmp_path, project_name="steps")
    tuner.search(ROWS["x_train"], epochs=2, validation_data=(ROWS["x_validation"], None))
    best = tuner.sweep.best
    assert best.curve.keys() == {"reconstruction", "val_reconstruction"}
    assert best.value == min(trial.value for trial in tuner.sweep.trials)
    assert tuner.sweep.replay().matches
    tuner.sweep.export(tmp_path / "steps.keras")
    with pytest.raises(ks.UsageError, match=r"none of its card.s scores: what a `fit` or steps of yours"):
        ks.verify(tmp_path / "steps.keras", sweeps_dir=tmp_path, trust=True)


def test_without_a_test_step_a_metric_of_training_may_rank_and_one_of_validation_may_not(tmp_path: Path) -> None:
    parameters, model = {"model.units": [4, 8], "epochs": 2}, without_labels.train_step_alone
    given: dict[str, Any] = {"parameters": parameters, "search": ks.Optuna("grid", trials=2), "finalists": "none"}
    with pytest.raises(
        ks.UsageError, match=r"metric.name: has no value: the model has a `train_step` of its own, but no"
    ):
        ks.run(ks.Spec(ROWS, model=model, minimize="val_loss", **given), name="not", sweeps_dir=tmp_path)
    heard: list[Any] = []
    spec = ks.Spec(ROWS, model=model, minimize="reconstruction", **given)
    sweep = ks.run(spec, name="steps", sweeps_dir=tmp_path, listener=heard.append)
    assert [trial.curve.keys() for trial in sweep.trials] == [{"reconstruction"}] * 2
    assert sweep.best.value == min(trial.value for trial in sweep.trials)
    notices = [event.message for event in heard if isinstance(event, Noticed)]
    assert any(
        "test rows are not looked at: the winner's model has a `train_step` of its own" in one for one in notices
    )
    with pytest.raises(ks.UsageError, match="the test rows are not looked at"):
        sweep.evaluate()


def own_steps(hp: Any) -> Any:
    return without_labels.own_steps(hp.Choice("units", [4, 8]))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"loss": "mean_squared_error"}, "there are no labels, but `loss: mean_squared_error` compares with some"),
        ({"split": {"folds": 3}, "data": {"x": X[:96]}}, "val_loss is none that is known"),
        ({"minimize": "val_los"}, "must be one that is recorded"),
    ],
    ids=["a loss that compares", "folds", "another metric"],
)
def test_what_needs_labels_is_refused_in_one_sentence(tmp_path: Path, change: Any, says: str) -> None:
    given = {"data": ROWS, "minimize": "val_loss", "parameters": {"model.units": [4]}, **SEARCH, **change}
    with pytest.raises(ks.SweepError, match=says):
        ks.run(ks.Spec(model=without_labels.vae, **given), name="not", sweeps_dir=tmp_path)


def test_an_npz_file_may_have_rows_alone(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=X[:8])
    rows = read_npz(DataSpec("npz", "rows.npz"), tmp_path).rows
    assert rows is not None and rows.y.shape == (8, 0) and len(rows) == 8
