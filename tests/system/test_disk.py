"""Calls to the disk, and what a system that differs from Linux makes of them."""

import errno
import os
import sys
import threading
from pathlib import Path

import pytest

from keras_sweep.errors import RecordError
from keras_sweep.files.atomic import write_text
from keras_sweep.files.plain import plain_errors
from keras_sweep.system import disk
from tests.helpers.command import process
from tests.helpers.fault_driver import WINDOWS


@pytest.mark.parametrize("call", ["rename", "remove"])
def test_a_file_that_another_program_has_open_is_tried_again(tmp_path: Path, call: str) -> None:
    old, new = tmp_path / "card.json", tmp_path / "new"
    old.write_text("old")
    new.write_text("new")
    reader = old.open()
    timer = threading.Timer(0.1, reader.close)
    timer.start()
    if call == "rename":
        disk.rename(new, old)
        assert old.read_text() == "new" and not new.exists()
    else:
        disk.remove(old)
        assert not old.exists()
    timer.join()


IN_USE = """
import sys
from pathlib import Path
from keras_sweep.errors import RecordError
from keras_sweep.files import atomic
from keras_sweep.files.plain import plain_errors
from keras_sweep.system import disk

disk.WAITS = 0.01, 0.02
path = Path("card.json")
path.write_text("old")
with path.open():
    for doing in ("write", "move"):
        try:
            if doing == "write":
                atomic.write_text(path, "new")
            with plain_errors("move", path):
                disk.rename(path, Path("moved"))
        except RecordError as error:
            print(f"{error.message}. {error.hint}")
print(path.read_text(), *sorted(name.name for name in Path().iterdir()))
"""


def test_a_file_that_stays_open_is_an_error_that_names_it_and_the_old_file_stays(tmp_path: Path) -> None:
    ended = process([sys.executable, "-c", IN_USE], tmp_path, {**os.environ, **WINDOWS}).ok().out
    owner = "Check the owner and the permissions of the folder, or choose another folder with `--sweeps-dir`"
    close = "Close the other program, then run the same command again"
    assert ended.splitlines() == [
        f"can't write card.json: Permission denied, or another program has it open. {close}. {owner}",
        f"can't move card.json: another program has it open. {close}",
        "old card.json",
    ]


def test_a_file_opened_to_append_or_anew_is_no_text_file(tmp_path: Path) -> None:
    """On Windows a text file would get "\\r\\n"."""
    for descriptor in (disk.open_new(tmp_path / "new", 0o600), os.open(tmp_path / "log", disk.APPEND, 0o600)):
        disk.write(descriptor, b"a\nb\n")
        os.close(descriptor)
    assert [(tmp_path / name).read_bytes() for name in ("new", "log")] == [b"a\nb\n"] * 2
    with pytest.raises(FileExistsError):
        disk.open_new(tmp_path / "new", 0o600)


def test_files_and_folders_are_synced(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    disk.fsync(tmp_path / "file")
    disk.fsync(tmp_path)
    with pytest.raises(FileNotFoundError):
        disk.fsync(tmp_path / "none")


@pytest.mark.posix
def test_a_file_is_synced_as_macos_does_it_also_where_the_volume_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python on Linux has no F_FULLFSYNC: a command that Linux knows stands for it, and one that it doesn't."""
    import fcntl

    synced: list[int] = []
    monkeypatch.setattr(disk.sys, "platform", "darwin")
    monkeypatch.setattr(disk.os, "fsync", synced.append)
    (tmp_path / "file").touch()
    for command, count in ((fcntl.F_GETFD, 0), (9999, 1)):
        monkeypatch.setattr(fcntl, "F_FULLFSYNC", command, raising=False)
        disk.fsync(tmp_path / "file")
        assert len(synced) == count


@pytest.mark.posix
def test_a_folder_has_one_lock_or_several_shared_ones(tmp_path: Path) -> None:
    first, second = (disk.lock_folder(tmp_path, shared=True) for _ in range(2))
    with pytest.raises(BlockingIOError):
        disk.lock_folder(tmp_path)
    for descriptor in (first, second):
        os.close(descriptor)
    alone = disk.lock_folder(tmp_path)
    with pytest.raises(BlockingIOError):
        disk.lock_folder(tmp_path, shared=True)
    os.close(alone)


@pytest.mark.posix
def test_a_file_is_removed_from_a_locked_folder_that_was_moved_away(tmp_path: Path) -> None:
    old, new = tmp_path / "sweep", tmp_path / "sweep~1"
    old.mkdir()
    (old / "note").touch()
    descriptor = disk.lock_folder(old)
    old.rename(new)
    old.mkdir()
    (old / "note").touch()
    disk.remove_inside(descriptor, old / "note")
    assert (old / "note").exists() and not (new / "note").exists()
    os.close(descriptor)


@pytest.mark.posix
@pytest.mark.parametrize(
    ("mode", "can_read", "can_write"), [(0o700, False, False), (0o755, True, False), (0o777, True, True)]
)
def test_permissions_say_what_others_can_do(tmp_path: Path, mode: int, can_read: bool, can_write: bool) -> None:
    tmp_path.chmod(mode)
    assert disk.is_open_to_others(tmp_path) is can_read
    assert disk.can_others_write(tmp_path.stat()) is can_write


def test_a_database_in_a_folder_with_spaces_and_percent_signs_is_opened(tmp_path: Path) -> None:
    folder = tmp_path / "a b%20ä#"
    folder.mkdir()
    with disk.connect(folder / "study.db", options="mode=rwc") as connection:
        connection.execute("CREATE TABLE numbers (number)")
    connection.close()
    assert (folder / "study.db").stat().st_size > 0


def test_a_path_that_is_too_long_is_said_with_what_names_a_shorter_one(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"File name too long\. Choose a folder with a shorter path with `-o`"):
        write_text(tmp_path / ("x" * 300), "", option="-o")


@pytest.mark.parametrize(("length", "why"), [(247, "No such file"), (248, "File name too long")])
def test_windows_calls_a_long_path_missing(length: int, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "IS_WINDOWS", True)
    path = Path("/" + "x" * (length - 1))
    with pytest.raises(RecordError, match=why), plain_errors("make", path):
        raise FileNotFoundError(errno.ENOENT, "No such file", path)


def test_a_name_that_windows_forbids_is_said_with_what_names_another(tmp_path: Path) -> None:
    error = OSError(errno.EINVAL, "The filename, directory name, or volume label syntax is incorrect")
    error.winerror = 123  # type: ignore[attr-defined]
    words = r"Windows forbids this name\. Choose another name with `-o`"
    with pytest.raises(RecordError, match=words), plain_errors("write", tmp_path / "a:b.keras", option="-o"):
        raise error


def test_a_relative_path_has_slashes_and_one_to_another_drive_is_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data" / "rows.csv"
    assert disk.relative_path(path, tmp_path) == "data/rows.csv"
    assert disk.relative_path(path, tmp_path / "spaces") == "../data/rows.csv"

    def refuse(*_: object) -> str:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(os.path, "relpath", refuse)
    assert disk.relative_path(path, tmp_path) == path.as_posix()
