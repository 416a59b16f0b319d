import os
import stat
from pathlib import Path

import pytest

from keras_sweep.errors import RecordError, UsageError
from keras_sweep.record import reader
from keras_sweep.record.sweep_folder import SweepFolder, all_sweeps, find, set_aside, sweep_folder, sweeps_dir
from tests.helpers.records import new_folder


def begun(sweeps: Path, name: str, age: float) -> SweepFolder:
    folder = SweepFolder(sweeps / name)
    folder.make()
    folder.study.write_bytes(b"x")
    os.utime(folder.study, (1e9 - age, 1e9 - age))
    return folder


def test_sweeps_live_where_the_option_or_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWEEPS_DIR", raising=False)
    assert sweeps_dir() == Path("sweeps")
    monkeypatch.setenv("SWEEPS_DIR", "elsewhere")
    assert sweeps_dir() == Path("elsewhere")
    assert sweeps_dir("here") == Path("here")


def test_the_newest_sweep_is_found_without_a_name(tmp_path: Path) -> None:
    begun(tmp_path, "old", 300)
    newest = begun(tmp_path, "new", 100)
    begun(tmp_path, "new~1", 0)
    (tmp_path / "no-sweep").mkdir()
    (tmp_path / "README.md").write_text("x")
    assert find(None, tmp_path) == newest
    assert [folder.name for folder in all_sweeps(tmp_path)] == ["new~1", "new", "old"]


def test_a_commit_in_the_log_makes_a_sweep_newer(tmp_path: Path) -> None:
    old = begun(tmp_path, "old", 300)
    begun(tmp_path, "new", 100)
    (old.path / "study.db-wal").write_bytes(b"x")
    assert find(None, tmp_path) == old


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    for name in ("dense", "adam"):
        begun(tmp_path, name, 0)
    with pytest.raises(UsageError, match=r"no sweep 'dence'.*Did you mean 'dense'\?.*adam, dense"):
        find("dence", tmp_path)


def test_no_sweep_at_all(tmp_path: Path) -> None:
    for name in (None, "dense"):
        with pytest.raises(UsageError, match=r"there is no sweep.*sweep run"):
            find(name, tmp_path / "sweeps")
    assert not (tmp_path / "sweeps").exists()


@pytest.mark.parametrize(
    "name", ["..", ".", "", "a/b", "../x", "/etc", "a\0b", ".hidden", "a\nb", "x" * 300, "a~1", "-x"]
)
def test_no_name_leads_out_of_the_sweeps(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        sweep_folder(name, tmp_path)
    if name != "a~1":
        with pytest.raises(UsageError):
            find(name, tmp_path)


def test_a_sweep_moved_aside_stays_readable(tmp_path: Path) -> None:
    before = reader.read_results(new_folder(tmp_path))
    folder = SweepFolder(tmp_path / "dense")
    assert folder.move_aside().name == "dense~1"
    new_folder(tmp_path, 3)
    assert folder.move_aside().name == "dense~2"
    assert not folder.exists()
    moved = find("dense~1", tmp_path)
    assert reader.read_results(moved) == before
    assert reader.read_summary(moved).name == "dense"


def test_setting_aside_overwrites_nothing(tmp_path: Path) -> None:
    for content in ("one", "two", "three"):
        (tmp_path / "card.json").write_text(content)
        set_aside(tmp_path / "card.json")
    assert [(tmp_path / f"card.json~{n}").read_text() for n in (1, 2, 3)] == ["one", "two", "three"]


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "dense").write_text("x")
    with pytest.raises(RecordError, match="a file of that name"):
        SweepFolder(tmp_path / "dense").make()


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "a" / "sweeps" / "dense")
    folder.make()
    folder.make()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
