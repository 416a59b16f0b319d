"""A file that was damaged between two runs is found, named and moved aside; what can be made again is made again."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from keras_sweep.record.saved import weights_file
from keras_sweep.record.sweep_folder import SweepFolder
from tests.helpers.records import saved_trials
from tests.helpers.whole_sweeps import folder_of, looks, outcome, run_space, whole_folder


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "garbage": lambda path: path.write_bytes(b"\xff\x00garbage" * 50),
    "a folder": folder_instead,
}


# All in the long form: what reads a file meets the other as it meets these.
damages = pytest.mark.parametrize(
    "damage", [pytest.param(one, marks=() if one in ("truncated", "a folder") else pytest.mark.soak) for one in DAMAGES]
)


@pytest.fixture(scope="module")
def done() -> Path:
    """A folder with a finished sweep."""
    return whole_folder("plain")


@pytest.fixture
def sweep(done: Path, tmp_path: Path) -> SweepFolder:
    """That sweep in a folder `x`, to be damaged."""
    shutil.copytree(done, tmp_path / "x")
    return folder_of(tmp_path / "x", "plain")


@damages
def test_a_damaged_record_is_named_and_left_as_it_is(done: Path, sweep: SweepFolder, tmp_path: Path, damage) -> None:
    DAMAGES[damage](sweep.study)
    before = sweep.study.read_bytes() if sweep.study.is_file() else None
    ended = run_space(tmp_path / "x", "plain")
    assert ended.code == 1
    assert "sweeps/plain/study.db" in ended.err
    assert "--fresh" in ended.err
    assert (sweep.study.read_bytes() if sweep.study.is_file() else None) == before
    run_space(tmp_path / "x", "plain", "--fresh").ok()
    assert outcome(sweep) == outcome(folder_of(done, "plain"))
    moved = sweep.path.with_name("plain~1") / "study.db"
    assert (moved.read_bytes() if moved.is_file() else None) == before


@damages
def test_damaged_files_beside_the_record_are_made_again(done: Path, sweep, tmp_path: Path, damage) -> None:
    """All of them at once, the winner's weights and another trial's."""
    expected = outcome(folder_of(done, "plain"))
    winner = expected["card"]["trial"]
    other = next(number for number in saved_trials(sweep) if number != winner)
    paths = [sweep.space, sweep.best, sweep.card, *(weights_file(sweep, number) for number in (winner, other))]
    for path in paths:
        DAMAGES[damage](path)
    ended = run_space(tmp_path / "x", "plain").ok()
    for path in paths:
        assert path.with_name(f"{path.name}~1").exists(), ended.err
        assert str(path.relative_to(tmp_path / "x")) in ended.err
    aside = [f"{path.name}~1" for path in paths if path.parent == sweep.path]
    assert outcome(sweep) == {**expected, "files": sorted([*expected["files"], *aside])}
    assert looks(sweep) == 1


def test_one_file_alone_is_noticed(done: Path, sweep: SweepFolder, tmp_path: Path) -> None:
    """A model that is sound in itself, but not the one that the card is of."""
    with zipfile.ZipFile(sweep.best, "a") as archive:
        archive.comment = b"altered"
    ended = run_space(tmp_path / "x", "plain").ok()
    assert "is not the model that card.json describes" in ended.err
    assert outcome(sweep)["best"] == outcome(folder_of(done, "plain"))["best"]


def test_files_of_a_lost_record_are_kept_aside(sweep: SweepFolder, tmp_path: Path) -> None:
    sweep.study.unlink()
    ended = run_space(tmp_path / "x", "plain", "--trials", "2").ok()
    assert "belongs to a record that is missing" in ended.err
    assert {"best.keras~1", "card.json~1", "space.yaml~1", "weights~1"} <= {path.name for path in sweep.path.iterdir()}


def test_a_log_that_can_not_be_written_stops_no_sweep(tmp_path: Path) -> None:
    sweep = folder_of(tmp_path / "x", "plain")
    sweep.log.mkdir(parents=True)
    run_space(tmp_path / "x", "plain", "--trials", "2").ok()
