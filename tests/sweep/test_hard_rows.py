"""Rows that no good trial gets right: wrong labels are found, counted from kept scores, and no foreign code runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.data.search_data import Rows
from keras_sweep.errors import UsageError
from keras_sweep.record.row_scores import scores_file
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep.hard_rows import HardRows, missed_rows
from keras_sweep.trial.comparison import Comparison

OWN = """\
def build(units=10, input_shape=(), classes=0):
    import keras
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(units, activation="softmax")])
"""
SPACE = """\
data: digits
model: {python: own_hard:build}
loss: sparse_categorical_crossentropy
metrics: [accuracy]
metric: {name: val_METRIC}
parameters:
  learning_rate: {min: 1e-3, max: 0.1, log: true}
  epochs: 2
search: {sampler: random, trials: 2, seed: 42}
"""


def mislabelled_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(x, y, true y): every 20th row bears the label that is one larger."""
    from sklearn.datasets import load_digits

    x, true = load_digits(return_X_y=True)
    y = true.copy()
    y[::20] = (y[::20] + 1) % 10
    return (x / 16).astype(np.float32), y, true


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> ks.Sweep:
    """Eight trials on digits, some of whose labels are wrong."""
    x, y, _ = mislabelled_digits()
    spec = ks.Spec(
        data=(x, y),
        model={"dense": {"units": 10, "activation": "softmax"}},
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        maximize="val_accuracy",
        parameters={"optimizer": "adam", "learning_rate": ks.Float(3e-3, 3e-2, log=True), "epochs": 12},
        search=ks.Optuna("random", trials=8, seed=1),
    )
    return ks.run(spec, name="wrong", sweeps_dir=tmp_path_factory.mktemp("hard"), test=False)


@pytest.fixture(scope="module")
def found(sweep: ks.Sweep) -> HardRows:
    return sweep.hard_rows()


def test_rows_whose_labels_are_wrong_are_among_them_with_what_they_are(sweep: ks.Sweep, found: HardRows) -> None:
    x, y, true = mislabelled_digits()
    rows: Rows = sweep.validation()
    places = [int(np.flatnonzero((x == row).all(1))[0]) for row in rows.x.reshape(len(rows), -1)]
    wrong = {index for index, place in enumerate(places) if y[place] != true[place]}
    assert len(wrong) > 8
    by_row = {one.row: one for one in found.rows}
    caught = [by_row[row] for row in wrong if row in by_row]
    assert len(caught) >= 0.8 * len(wrong)
    assert all(one.label == str(y[places[one.row]]) for one in caught)
    assert sum(one.said == str(true[places[one.row]]) for one in caught) >= 0.8 * len(caught)


def test_they_are_those_that_the_models_of_all_good_trials_get_wrong(sweep: ks.Sweep, found: HardRows) -> None:
    rows = sweep.validation()
    said = np.stack([sweep.load_model(trial).predict(rows.x, verbose=0).argmax(1) for trial in found.missed.trials])
    assert found.missed.rows == tuple(np.flatnonzero((said != rows.y).all(0)).tolist())
    assert found.missed.total == len(rows)
    by_trial = dict(zip(found.missed.trials, said, strict=True))
    for one in found.rows:
        votes = [str(by_trial[trial][one.row]) for trial in found.asked]
        assert one.votes == votes.count(str(one.said)) == max(map(votes.count, votes))
    assert sorted(one.row for one in found.rows) == list(found.missed.rows)
    assert [one.votes for one in found.rows] == sorted((one.votes for one in found.rows), reverse=True)


def test_the_good_trials_are_those_that_tie_with_the_best_or_the_best_few(sweep: ks.Sweep, found: HardRows) -> None:
    ties = {trial.number for trial in sweep.ties()}
    assert found.missed.tied == (len(ties) >= 5)
    assert set(found.missed.trials) == (ties if found.missed.tied else {trial.number for trial in sweep.trials})


def test_a_trial_whose_scores_are_damaged_does_not_count(sweep: ks.Sweep, found: HardRows) -> None:
    path = scores_file(SweepFolder(sweep.path), found.missed.trials[-1])
    kept = path.read_bytes()
    path.write_bytes(kept[:-40])
    try:
        assert set(sweep.hard_rows().missed.trials) == set(found.missed.trials[:-1])
    finally:
        path.write_bytes(kept)


def test_a_records_own_model_is_not_asked_unless_it_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_hard.py").write_text(OWN)
    (tmp_path / "own.yaml").write_text(SPACE.replace("METRIC", "accuracy"))
    monkeypatch.chdir(tmp_path)
    known = ks.run("own.yaml", test=False).hard_rows()
    assert len(known.asked) == 2 and known.rows
    (tmp_path / "own_hard.py").write_text("raise SystemExit('it was imported')")
    found = ks.open("own").hard_rows()
    assert found.missed == known.missed
    assert {one.said for one in found.rows} == {None} and found.asked == ()
    assert "only by `--trust`" in found.why_not
    assert {(one.row, one.label) for one in found.rows} == {(one.row, one.label) for one in known.rows}


@pytest.mark.parametrize(
    ("metric", "goal", "hint"), [("val_loss", "minimize", "ranked by val_loss"), ("val_accuracy", "maximize", "older")]
)
def test_trials_without_right_and_wrong_are_refused(tmp_path: Path, metric: str, goal: str, hint: str) -> None:
    folder = SweepFolder(tmp_path / "mine")
    with pytest.raises(UsageError, match="no trial of 'mine' keeps which validation rows it gets right") as refused:
        missed_rows(folder, {"metric": metric, "goal": goal}, [], Comparison())
    assert hint in str(refused.value)
