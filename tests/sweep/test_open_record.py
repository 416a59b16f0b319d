"""What is there when a sweep is opened: the same sweep goes on, another one is refused, altered files are set aside."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keras_sweep.errors import ChangedSweep
from keras_sweep.files.arrays import write_arrays
from keras_sweep.record.saved import weights_file
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.finish import set_damaged_weights_aside
from keras_sweep.sweep.open_record import open_study
from tests.helpers.factory import LEARNING_RATE, OPTIMIZER, make_spec
from tests.helpers.records import DENSE, saved_trials
from tests.helpers.results import result

SPEC = make_spec(text="data: digits\n")


def opened(folder: SweepFolder, spec: SweepSpec = SPEC, fingerprint: str = "abc") -> list[str]:
    """Open and close; the notices."""
    told: list[str] = []
    open_study(folder, spec, fingerprint, lambda event: told.append(event.message)).close()  # type: ignore[union-attr]
    return told


def test_a_folder_that_stays_open_to_others_is_said(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "digits")
    folder.path.mkdir()
    folder.path.chmod(0o755)
    (folder.path / "photo.jpg").touch()
    (told,) = opened(folder)
    assert told.startswith(f"{folder.path} is open to others (mode 0755): it was there before with files in it")
    assert f"`chmod 700 {folder.path}` closes it" in told


def test_another_space_or_other_rows_are_refused_and_nothing_changes(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "digits")
    opened(folder)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    for spec, fingerprint in [
        (replace(SPEC, loss="mse"), "abc"),
        (SPEC, "other rows"),
        (make_spec((OPTIMIZER,)), "abc"),
    ]:
        with pytest.raises(ChangedSweep, match="--fresh"):
            opened(folder, spec, fingerprint)
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before


def test_other_test_rows_are_refused_once_their_fingerprint_is_recorded(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "digits")
    opened(folder)  # as an older version did, without one
    open_study(folder, SPEC, "abc", test_fingerprint="def").close()
    open_study(folder, SPEC, "abc", test_fingerprint="def").close()
    opened(folder)
    with pytest.raises(ChangedSweep, match="its test rows are not those that the sweep was begun with"):
        open_study(folder, SPEC, "abc", test_fingerprint="other")


def test_the_same_file_and_another_comment_in_it_are_no_other_sweep(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "digits")
    for text in (SPEC.text, SPEC.text, "# one\ndata: digits\n", "# two\ndata: digits\n"):
        assert opened(folder, replace(SPEC, text=text)) == []
        assert folder.space.read_text() == text
    with open_study(folder, SPEC, "abc") as study:
        assert study.facts.space == SPEC.text


def test_damaged_weights_are_named_and_set_aside(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "digits")
    opened(folder, make_spec((LEARNING_RATE,), text="x"))
    results = [result(number, weights=(*DENSE, np.array([number]))).light() for number in range(4)]
    for number in (1, 2, 3, 4):  # of trial 4 the record does not know yet
        write_arrays(weights_file(folder, number), (*DENSE, np.array([number])))
    weights_file(folder, 2).write_bytes(weights_file(folder, 2).read_bytes()[:100])
    shutil.copy(weights_file(folder, 1), weights_file(folder, 3))
    told: list[str] = []
    damaged = set_damaged_weights_aside(folder, results, lambda event: told.append(event.message))  # type: ignore[union-attr]
    assert [one.number for one in damaged] == [2, 3]
    assert "000002.npz are damaged" in told[0]
    assert "000003.npz are damaged: they are not those that the record tells of" in told[1]
    assert saved_trials(folder) == [1, 4]
    assert (folder.weights / "000002.npz~1").exists()
