"""The weights of the best trials: another trial's in their place are never used, and the right ones come back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import keras_sweep as ks
from keras_sweep.files.arrays import read_arrays
from keras_sweep.record.reader import read_facts
from keras_sweep.record.saved import saved_trials, weights_file
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep.recorded import SweepAccess
from keras_sweep.sweep.winner import evaluate_winner
from keras_sweep.trial.events import Event, Noticed
from keras_sweep.trial.row_scores import arrays_digest
from tests.helpers.ran import Ran
from tests.helpers.space_texts import DIGITS, changed

SPACE = changed(DIGITS, epochs="  epochs: {min: 1, max: 3}", search="search: {trials: 4, seed: 42}\nfinalists: none")


def run(folder: Path) -> tuple[SweepFolder, int, list[str]]:
    """Run a sweep; its folder, its winner, and its notices."""
    ran = Ran(folder, text=SPACE, trials=None)
    comparison = ran().comparison
    assert comparison is not None and comparison.best is not None
    return ran.sweep, comparison.best, ran.notices


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[SweepFolder, int]:
    sweep, best, _ = run(tmp_path_factory.mktemp("done"))
    return sweep, best


@pytest.fixture
def swapped(done: tuple[SweepFolder, int], tmp_path: Path) -> SweepFolder:
    """A copy, the winner's weights another trial's, and its model gone."""
    shutil.copytree(done[0].path.parent, tmp_path / "sweeps")
    sweep = SweepFolder(tmp_path / "sweeps" / "plain")
    other = next(number for number in saved_trials(sweep) if number != done[1])
    shutil.copy(weights_file(sweep, other), weights_file(sweep, done[1]))
    sweep.best.unlink()
    return sweep


def test_another_trials_weights_are_set_aside_and_the_trial_is_trained_again(done, swapped, tmp_path):
    _, best, notices = run(tmp_path)
    file = weights_file(swapped, best)
    assert any(f"{file} are damaged: they are not those that the record tells of" in notice for notice in notices)
    assert any(f"trial {best} is trained again" in notice for notice in notices)
    assert file.with_name(f"{file.name}~1").exists()
    right = arrays_digest(read_arrays(weights_file(done[0], best)))
    assert arrays_digest(read_arrays(file)) == right
    import keras

    assert arrays_digest(keras.models.load_model(swapped.best).get_weights()) == right


def test_nothing_is_evaluated_loaded_or_exported_by_another_trials_weights(done, swapped, tmp_path):
    events: list[Event] = []
    scores = evaluate_winner(SweepAccess(swapped, events.append))
    assert scores.scores == read_facts(done[0]).test.scores.scores
    assert any("is trained again, since the weights" in event.message for event in events if isinstance(event, Noticed))
    with pytest.warns(UserWarning, match="is trained again, since the weights"):
        sweep = ks.open("plain", sweeps_dir=swapped.path.parent)
        loaded = sweep.load_model().get_weights()
    assert arrays_digest(loaded) == arrays_digest(read_arrays(weights_file(done[0], done[1])))
    with pytest.warns(UserWarning, match="is trained again, since the weights"):
        sweep.export(tmp_path / "best.keras")
    assert ks.verify(tmp_path / "best.keras", sweeps_dir=swapped.path.parent).matches
