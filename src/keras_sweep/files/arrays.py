"""The one file of arrays: an `.npz` of plain arrays, written whole, read without pickle, damage found by its checksums.

Each array is a stored member "0.npy", "1.npy", ... in order: a file can't grow when it is read. Types that NumPy lacks
are kept as bytes, named in the member's name: "3.bfloat16.npy". A text is the bytes of its UTF-8, as the first array.
"""

import contextlib
import errno
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_sweep.files import atomic, disk
from keras_sweep.files.plain import open_plain, plain_errors


class DamagedArrays(Exception):
    """A file of arrays is cut short, altered, too large or something else; its text says why."""


def write_arrays(path: Path, arrays: Sequence[Any], *, text: str | None = None) -> None:
    """Write arrays, after a text if there is one, into a folder that is made if there is none. Raises RecordError."""
    import numpy as np

    folder = path.parent
    for each in [folder] if folder.parent.exists() else [folder.parent, folder]:
        with plain_errors("make", each), contextlib.suppress(FileExistsError):
            disk.make_folder(each, 0o700)
            disk.fsync(each.parent)
    members = list(arrays) if text is None else [np.frombuffer(text.encode(), np.uint8), *arrays]
    with atomic.replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = _comment(len(members))
        for index, array in enumerate(members):
            array, dtype = _plain(np.asarray(array))
            with archive.open(f"{index}{dtype}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def read_arrays(path: Path) -> tuple[Any, ...]:
    """Read what `write_arrays` wrote without a text. Raises DamagedArrays, or RecordError where it can't be read."""
    import numpy as np

    with plain_errors("read", path), open_plain(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                if archive.comment != _comment(len(members)):  # no checksum covers a zip file's list of members
                    raise ValueError(f"it lists {len(members)} arrays, but was not written with so many")
                if sum(member.file_size for member in members) > file.seek(0, 2):
                    raise ValueError("it promises more bytes than it has")
                # NumPy reads as much as an array's header promises: what it leaves would not be compared.
                if (wrong := archive.testzip()) is not None:
                    raise ValueError(f"the checksum of its member {wrong} is wrong")
            file.seek(0)
            with np.load(file, allow_pickle=False) as loaded:
                names = [member.filename.removesuffix(".npy") for member in members]
                return tuple(_array(loaded[name], name) for name in names)
        except Exception as error:  # zipfile and NumPy raise nearly anything for a damaged file
            if isinstance(error, OSError) and error.errno != errno.EINVAL:  # EINVAL: sent to before the file's begin
                raise
            raise DamagedArrays(str(error) or type(error).__name__) from error


def read_text_and_arrays(path: Path) -> tuple[str, tuple[Any, ...]]:
    """Read what `write_arrays` wrote with a text. Raises as `read_arrays`."""
    arrays = read_arrays(path)
    if not arrays or str(arrays[0].dtype) != "uint8":
        raise DamagedArrays("it does not begin with a text")
    try:
        return arrays[0].tobytes().decode(), arrays[1:]
    except UnicodeDecodeError as error:
        raise DamagedArrays(f"its text is not what it should be ({error})") from error


def is_array_file(path: Path) -> bool:
    """Whether it says that `write_arrays` wrote it; one that can't be read does not."""
    try:
        with open_plain(path) as file, zipfile.ZipFile(file) as archive:
            return archive.comment == _comment(len(archive.namelist())) and not path.is_symlink()
    except Exception:  # zipfile raises nearly anything
        return False


def _comment(arrays: int) -> bytes:
    return f"keras-sweep weights: {arrays} arrays".encode()


def _plain(array: Any) -> tuple[Any, str]:
    """The array as NumPy itself can write it, and the suffix that names its own type."""
    if array.dtype.hasobject:
        raise ValueError(f"weights must be numbers, but got an array of {array.dtype}")
    if array.dtype.kind != "V":
        return array, ""
    return array.view(f"u{array.dtype.itemsize}"), f".{array.dtype.name}"


def _array(stored: Any, name: str) -> Any:
    if isinstance(stored, bytes):
        raise ValueError(f"its member {name} is no array")
    dtype = name.partition(".")[2]
    if not dtype:
        return stored
    import ml_dtypes

    return stored.view(getattr(ml_dtypes, dtype))
