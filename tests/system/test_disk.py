"""What Windows does otherwise than Linux and macOS, said in the same words."""

import errno
import os
from pathlib import Path

import pytest

from keras_sweep.errors import RecordError
from keras_sweep.files.atomic import write_text
from keras_sweep.files.plain import plain_errors
from keras_sweep.system import disk


def test_a_path_that_is_too_long_is_said_with_what_names_a_shorter_one(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"File name too long\. Choose a folder with a shorter path with `-o`"):
        write_text(tmp_path / ("x" * 300), "", option="-o")


@pytest.mark.parametrize(("length", "why"), [(247, "No such file"), (248, "File name too long")])
def test_windows_calls_a_long_path_missing(length: int, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "CAN_LOCK_FOLDERS", False)
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
