"""Arrays come back to the bit, and a damaged file never comes back as a sound one."""

import stat
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from keras_sweep.errors import RecordError
from keras_sweep.files.arrays import DamagedArrays, is_array_file, read_arrays, read_text_and_arrays, write_arrays

ARRAYS = (np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.int64), np.zeros((0, 4)), np.array([True]))


def equal(a: Sequence[Any], b: Sequence[Any]) -> bool:
    """Of the same types, shapes and bytes."""
    return [(x.dtype, x.shape, x.tobytes()) for x in a] == [(y.dtype, y.shape, y.tobytes()) for y in b]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sweep" / "weights" / "000001.npz"


def test_arrays_come_back_to_the_bit_in_their_order(path: Path) -> None:
    many = (
        *ARRAYS,
        np.asfortranarray(ARRAYS[0]),
        np.arange(10)[::2],
        *(np.full(2, index) for index in range(12)),
    )  # "10.npy" sorts before "2.npy"
    write_arrays(path, many)
    assert equal(read_arrays(path), many)
    write_arrays(path, ())
    assert read_arrays(path) == ()


@pytest.mark.posix
def test_folders_are_made_for_their_owner_alone_and_the_file_too(path: Path) -> None:
    write_arrays(path, ARRAYS)
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path.parent.parent, path.parent, path)]
    assert modes == [0o700, 0o700, 0o600]
    write_arrays(path, ARRAYS[:1])  # into folders that are there
    assert equal(read_arrays(path), ARRAYS[:1])


def test_types_that_numpy_lacks_come_back(path: Path) -> None:
    arrays = (np.array([1.5, -2.0], ml_dtypes.bfloat16), np.array([0.5], ml_dtypes.float8_e4m3fn), np.ones(2))
    write_arrays(path, arrays)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["0.bfloat16.npy", "1.float8_e4m3fn.npy", "2.npy"]
    assert equal(read_arrays(path), arrays)


def test_objects_are_not_written(path: Path) -> None:
    with pytest.raises(ValueError, match="must be numbers, but got an array of object"):
        write_arrays(path, [np.array([{}])])
    assert not path.exists()


def test_a_text_stands_before_the_arrays(path: Path) -> None:
    write_arrays(path, ARRAYS, text="größer")
    text, arrays = read_text_and_arrays(path)
    assert text == "größer"
    assert equal(arrays, ARRAYS)
    assert len(read_arrays(path)) == len(ARRAYS) + 1
    write_arrays(path, (), text="")
    assert read_text_and_arrays(path) == ("", ())


@pytest.mark.parametrize("arrays", [(), (np.zeros(2),), (np.array([255], np.uint8),)], ids=["none", "numbers", "bytes"])
def test_a_file_without_a_text_is_not_read_as_having_one(path: Path, arrays: tuple[Any, ...]) -> None:
    write_arrays(path, arrays)
    with pytest.raises(DamagedArrays, match=r"first array in the file is not a text|text in the file is damaged"):
        read_text_and_arrays(path)


def rewritten(path: Path, comment: bytes | None = None, **members: bytes) -> None:
    """The same file with another list of members."""
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
        was = archive.comment
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = was if comment is None else comment
        for name, content in {**kept, **members}.items():
            archive.writestr(name, content)


def promising(path: Path) -> None:
    """A member says that it is longer than the whole file."""
    content = path.read_bytes()
    place = content.rindex(b"PK\x01\x02") + 24
    path.write_bytes(content[:place] + (10**6).to_bytes(4, "little") + content[place + 4 :])


DAMAGES: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "another's": (lambda path: rewritten(path, b"not ours"), "the number of its arrays has changed to 4"),
    "one more": (lambda path: rewritten(path, None, **{"4.npy": b"x"}), "the number of its arrays has changed to 5"),
    "no array": (lambda path: rewritten(path, None, **{"1.npy": b"x"}), "1"),
    "altered": (
        lambda path: path.write_bytes(path.read_bytes().replace(b"\x00\x00\xa0\x40", b"\x00\x00\xa0\x41")),
        "0.npy",
    ),
    "longer": (promising, "it is shorter than its list of arrays says"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-30]), "not a zip file"),
    "empty": (lambda path: path.write_bytes(b""), "not a zip file"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_told_from_a_sound_one(path: Path, damage: str) -> None:
    write_arrays(path, ARRAYS)
    make, words = DAMAGES[damage]
    make(path)
    with pytest.raises(DamagedArrays, match=words):
        read_arrays(path)


def test_a_file_that_is_not_there_is_an_error_of_the_record(path: Path) -> None:
    with pytest.raises(RecordError, match="No such file"):
        read_arrays(path)


def test_a_file_says_that_it_is_one_of_arrays(path: Path, tmp_path: Path) -> None:
    write_arrays(path, ARRAYS)
    assert is_array_file(path)
    (tmp_path / "link.npz").symlink_to(path)
    np.savez(tmp_path / "other.npz", *ARRAYS)
    (tmp_path / "text.npz").write_text("x")
    assert [is_array_file(tmp_path / f"{name}.npz") for name in ("link", "other", "text", "none")] == [False] * 4
