"""What models say of the validation rows: the class of each, and the rows that no good model gets right."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.record.facts import Facts
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.saved import scores_file
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal
from keras_sweep.sweep.validation_outputs import Missed, ValidationOutputs, as_probabilities, find_missed_rows
from tests.helpers.factory import digits

DATA = digits(64, 32)


def test_a_row_is_of_the_class_that_is_most_probable_and_of_two_the_output_is_the_second():
    three = ValidationOutputs(DATA, np.array([[0.2, 0.7, 0.1], [0.5, 0.25, 0.25]]), None)
    assert (three.chosen.tolist(), three.certainty.tolist()) == ([1, 0], [0.7, 0.5])
    assert three.classes == tuple("0123456789")
    two = ValidationOutputs(replace(DATA, class_names=("no", "yes")), np.array([[0.75], [0.125]]), None)
    assert (two.chosen.tolist(), two.certainty.tolist(), two.classes) == ([1, 0], [0.75, 0.875], ("no", "yes"))
    np.testing.assert_array_equal(as_probabilities(two.outputs), [[0.25, 0.75], [0.875, 0.125]])
    pair = np.array([[0.5, 0.5]])
    assert as_probabilities(pair) is pair


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> ks.Sweep:
    """Eight trials on digits, every 20th of which bears the label that is one larger."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    y[::20] = (y[::20] + 1) % 10
    spec = ks.Spec(
        data=((x / 16).astype(np.float32), y),
        model={"dense": {"units": 10, "activation": "softmax"}},
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        maximize="val_accuracy",
        parameters={"optimizer": "adam", "learning_rate": ks.Float(3e-3, 3e-2, log=True), "epochs": 12},
        search=ks.Optuna("random", trials=8, seed=1),
    )
    return ks.run(spec, name="wrong", sweeps_dir=tmp_path_factory.mktemp("hard"), test=False)


def missed(sweep: ks.Sweep) -> Missed:
    return find_missed_rows(RecordedSweep.read(SweepFolder(sweep.path)))


def test_they_are_those_that_the_models_of_all_good_trials_get_wrong(sweep: ks.Sweep) -> None:
    rows, found = sweep.validation(), missed(sweep)
    said = np.stack([sweep.load_model(trial).predict(rows.x, verbose=0).argmax(1) for trial in found.trials])
    assert found.rows == tuple(np.flatnonzero((said != rows.y).all(0)).tolist())
    assert len(found.rows) >= 8  # of 18 wrong labels
    assert found.total == len(rows)


def test_the_good_trials_are_those_that_tie_with_the_best_or_the_best_few(sweep: ks.Sweep) -> None:
    ties, found = {trial.number for trial in sweep.ties()}, missed(sweep)
    assert found.tied == (len(ties) >= 5)
    assert set(found.trials) == (ties if found.tied else {trial.number for trial in sweep.trials})


def test_a_trial_whose_scores_are_damaged_does_not_count(sweep: ks.Sweep) -> None:
    known = missed(sweep)
    path = scores_file(SweepFolder(sweep.path), known.trials[-1])
    kept = path.read_bytes()
    path.write_bytes(kept[:-40])
    try:
        assert set(missed(sweep).trials) == set(known.trials[:-1])
    finally:
        path.write_bytes(kept)


def test_trials_without_right_and_wrong_miss_nothing(tmp_path: Path) -> None:
    facts = Facts("val_loss", Goal.MINIMIZE, 42, "", {})
    assert find_missed_rows(RecordedSweep(SweepFolder(tmp_path / "mine"), facts, [])) is None
