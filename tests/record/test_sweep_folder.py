"""A sweep writes to files of its own alone: no link leads it to one of the user's, and no pipe holds it up."""

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from keras_sweep.errors import RecordError, UsageError
from keras_sweep.files.arrays import write_arrays
from keras_sweep.record import reader
from keras_sweep.record.lock import SweepLock, read_owner
from keras_sweep.record.reader import read_facts
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.saved import delete_others, load_weights, weights_file
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import (
    SweepFolder,
    all_sweeps,
    find,
    last_change,
    set_aside,
    sweep_folder,
    sweeps_dir,
)
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.system.disk import is_open_to_others
from tests.helpers.records import DENSE, SPEC, new_folder, saved_trials
from tests.helpers.results import dense_sweep


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
    old = begun(tmp_path, "old", 300)
    newest = begun(tmp_path, "new", 100)
    begun(tmp_path, "new~1", 0)
    (tmp_path / "no-sweep").mkdir()
    (tmp_path / "README.md").write_text("x")
    assert find(None, tmp_path) == newest
    assert [folder.name for folder in all_sweeps(tmp_path)] == ["new~1", "new", "old"]
    (old.path / "study.db-wal").write_bytes(b"x")  # a commit in the log makes a sweep newer
    assert find(None, tmp_path) == old


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    for name in ("dense", "adam"):
        begun(tmp_path, name, 0)
    with pytest.raises(UsageError, match=r"no sweep 'dence'.*Did you mean `dense`\?"):
        find("dence", tmp_path)
    with pytest.raises(UsageError, match=r"Choose from 'adam', 'dense'"):
        find("other", tmp_path)


def test_no_sweep_at_all(tmp_path: Path) -> None:
    for name in (None, "dense"):
        with pytest.raises(UsageError, match=r"there is no sweep.*sweep run"):
            find(name, tmp_path / "sweeps")
    assert not (tmp_path / "sweeps").exists()


def test_a_disk_that_ignores_case_has_no_sweep_in_two_spellings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(tmp_path, "dense", 0)
    assert sweep_folder("Dense", tmp_path).name == "Dense"  # another sweep, on a disk that tells case apart
    stat_file = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **more: stat_file(str(path).replace("Dense", "dense"), **more))
    assert sweep_folder("dense", tmp_path).name == "dense"
    assert sweep_folder("other", tmp_path).name == "other"
    with pytest.raises(UsageError, match=r"'Dense' is the folder of the sweep 'dense' in .*`--name dense`"):
        sweep_folder("Dense", tmp_path)


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
    before = RecordedSweep.read(new_folder(tmp_path)).results
    folder = SweepFolder(tmp_path / "dense")
    assert set_aside(folder.path).name == "dense~1"
    new_folder(tmp_path, 3)
    assert set_aside(folder.path).name == "dense~2"
    assert not folder.exists()
    moved = find("dense~1", tmp_path)
    assert RecordedSweep.read(moved).results == before
    with reader.reading(moved) as study:
        assert study.name == "dense"


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "dense").write_text("x")
    with pytest.raises(RecordError, match="there is a file of this name"):
        SweepFolder(tmp_path / "dense").make()


DATABASE = ("study.db", "study.db-wal", "study.db-shm", "study.db-journal")
FOLDERS = ("weights", "checkpoints")
NAMES = (*DATABASE, *FOLDERS, "space.yaml", "best.keras", "card.json", "run.log", "lock.json")


def link_to(target: Path) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def socket_at(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's address is short
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.posix
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["a link", "a pipe", "a socket"])
def test_what_is_no_file_of_the_sweep_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    folder = new_folder(tmp_path)
    target = tmp_path / "of the user"
    target.mkdir() if name in FOLDERS else target.write_text("text")
    target.chmod(0o755)
    path = folder.path / name
    path.unlink(missing_ok=True)
    {"a link": link_to(target), "a pipe": os.mkfifo, "a socket": socket_at}[kind](path)
    before = target.stat()
    with (
        pytest.raises(RecordError, match=f"{name} is {kind}.*, but a sweep writes only to its own files. Nothing was"),
        SweepLock(folder),
    ):
        pass
    with pytest.raises(RecordError, match="then run the same command again"), SweepLock(folder):
        pass
    if name in DATABASE:
        for read in (StudyFile.open, RecordedSweep.read):
            with pytest.raises(RecordError, match=f"{name} is {kind}, not a file"):
                read(folder)
    assert (target.stat().st_mtime_ns, target.stat().st_mode) == (before.st_mtime_ns, before.st_mode)
    assert path.lstat().st_mode & 0o170000 in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFSOCK)


@pytest.mark.posix
def test_a_pipe_in_place_of_the_note_or_of_weights_holds_up_no_reader(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    os.mkfifo(folder.owner)
    assert read_owner(folder) is None
    folder.weights.mkdir()
    os.mkfifo(weights_file(folder, 0))
    with pytest.raises(RecordError, match=r"000000\.npz: it is a pipe, not a file"):
        load_weights(weights_file(folder, 0), None)


def test_only_files_that_a_sweep_wrote_are_deleted(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    delete_others(folder.weights, [1])
    assert saved_trials(folder) == []
    for number in (1, 2, 3, 1_234_567):
        write_arrays(weights_file(folder, number), DENSE)
    np.savez(folder.weights / "20240101.npz", x=np.zeros(3))
    (folder.weights / "20240102.npz").write_bytes(b"")
    (folder.weights / "20240103.npz").symlink_to(weights_file(folder, 2))
    (folder.weights / ".notes.part.txt").write_text("mine")
    (folder.weights / ".000009.123.part.npz").write_text("half")
    delete_others(folder.weights, [1, 1_234_567, 99])
    left = sorted(path.name for path in folder.weights.iterdir())
    users = ["20240101.npz", "20240102.npz", "20240103.npz"]
    assert left == [".notes.part.txt", "000001.npz", "1234567.npz", *users]
    assert saved_trials(folder)[:2] == [1, 1_234_567]
    with StudyFile.open(folder) as study:
        TrialRecord(study, SPEC.objective)
    assert (folder.weights / "20240101.npz").exists()


@pytest.mark.posix
@pytest.mark.parametrize(
    ("before", "files", "mode"), [(None, [], 0o700), (0o777, [], 0o700), (0o755, ["a.jpg"], 0o755)]
)
def test_a_folder_is_its_owners_alone_but_where_it_was_there_with_files_in_it(
    tmp_path: Path, before: int | None, files: list[str], mode: int
) -> None:
    folder = SweepFolder(tmp_path / "sweeps" / "dense")
    if before is not None:
        folder.path.mkdir(parents=True)
        folder.path.chmod(before)
    for name in files:
        (folder.path / name).touch()
    folder.make()
    assert stat.S_IMODE(folder.path.stat().st_mode) == mode
    assert is_open_to_others(folder.path) is bool(files)


def test_a_record_that_is_only_read_has_not_changed(tmp_path):
    folder = new_folder(tmp_path, trials=2)
    os.utime(folder.study, (1e9, 1e9))
    read_facts(folder)
    assert last_change(folder) == 1e9
    with StudyFile.open(folder) as study:
        study.add(*dense_sweep(3)[2:])
        assert last_change(folder) > 1e9
