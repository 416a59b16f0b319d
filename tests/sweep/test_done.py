"""A complete sweep is told again at once, as long as all stands as its last run left it; else it is run whole."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from keras_sweep.errors import ChangedSweep
from keras_sweep.record.reader import read_facts
from keras_sweep.space.data_spec import DataSpec
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.sweep.run import describe_inputs
from tests.helpers.data_specs import write_pictures
from tests.helpers.factory import make_spec
from tests.helpers.ran import Ran, finished
from tests.helpers.whole_spaces import PLAIN

TWO = PLAIN.replace("trials: 18", "trials: 2")


def is_told_again(folder: Path, text: str = TWO, **options: object) -> bool:
    """Run it again; whether it was said that nothing is left to do, instead of the whole run."""
    return any("nothing is left" in notice for notice in finished(folder, text, **options).notices)


def change_last_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_a_sweep_is_run_whole_again_once_after_any_of_its_files_is_altered_or_missing(tmp_path: Path) -> None:
    folder = finished(tmp_path, TWO).sweep
    weights, scores = sorted(folder.weights.iterdir())[0], sorted(folder.scores.glob("*.npz"))[0]
    assert is_told_again(tmp_path)
    for alter, path in (
        *((change_last_byte, path) for path in (weights, folder.best)),
        *((Path.unlink, path) for path in (scores, folder.comparison, folder.card, folder.space)),
    ):
        alter(path)
        assert not is_told_again(tmp_path) and is_told_again(tmp_path), (alter, path)


def test_a_sweep_is_not_told_again_for_another_total_text_or_a_test_that_is_due(tmp_path: Path) -> None:
    finished(tmp_path, TWO, test=False)
    assert is_told_again(tmp_path, test=False)
    assert not is_told_again(tmp_path) and is_told_again(tmp_path) and is_told_again(tmp_path, test=False)
    assert not is_told_again(tmp_path, TWO + "# a comment\n") and is_told_again(tmp_path, TWO + "# a comment\n")
    assert not is_told_again(tmp_path, trials=3) and is_told_again(tmp_path, trials=3)


def test_a_run_that_was_cut_short_or_added_a_point_leaves_a_sweep_that_is_run_whole(tmp_path: Path) -> None:
    done = finished(tmp_path, TWO)
    assert read_facts(done.sweep).done is not None
    cut = Ran(tmp_path, text=TWO, trials=None, more=1)
    cut.stop.signalled = True
    cut()
    assert read_facts(cut.sweep).done is None and not is_told_again(tmp_path)
    finished(tmp_path, TWO, add={"learning_rate": 0.06})
    assert read_facts(cut.sweep).done is None and not is_told_again(tmp_path) and is_told_again(tmp_path)


def test_a_program_that_configures_keras_otherwise_is_refused_and_not_told(tmp_path: Path) -> None:
    import keras

    finished(tmp_path, TWO)
    before = keras.config.epsilon()
    keras.config.set_epsilon(1e-3)
    try:
        with pytest.raises(ChangedSweep) as told:
            finished(tmp_path, TWO)
        assert any("epsilon" in line for line in told.value.changes)
    finally:
        keras.config.set_epsilon(before)


def test_inputs_name_when_the_files_of_the_user_were_written(tmp_path: Path) -> None:
    table, module = tmp_path / "rows.csv", tmp_path / "mine.py"
    spec = make_spec(text="data: rows.csv\n")
    spec = replace(spec, folder=tmp_path, data=DataSpec("csv", str(table)), model=ModelSpec("python", "mine:build"))
    assert describe_inputs(spec) == ""
    table.touch()
    module.touch()
    before = describe_inputs(spec)
    assert str(table) in before and str(module) in before and describe_inputs(spec) == before
    for path in (table, module):
        os.utime(path, (1e9, 1e9))  # an older time of writing is another one, too
        assert describe_inputs(spec) != before
        before = describe_inputs(spec)


def test_a_finished_sweep_sees_another_picture_however_old_and_wherever_linked(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 20)
    write_pictures(tmp_path / "older", 4)
    shutil.move(tmp_path / "photos" / "dog", tmp_path / "dogs")
    (tmp_path / "photos" / "dog").symlink_to(tmp_path / "dogs")
    text = PLAIN.replace("digits", "{images: photos, size: [4, 4]}").replace("{units: 10, activation: softmax}", "")
    finished(tmp_path, text, trials=2)
    assert any("nothing is left" in notice for notice in finished(tmp_path, text, trials=2).notices)
    shutil.copy2(tmp_path / "older" / "dog" / "0.png", tmp_path / "dogs" / "1.png")
    os.utime(tmp_path / "dogs" / "1.png", (1e9, 1e9))
    with pytest.raises(ChangedSweep, match="its rows are not those"):
        finished(tmp_path, text, trials=2)
