"""Write and read files of arrays: `.npz` without pickle, whose checksums reveal damage.

The arrays are the uncompressed members "0.npy", "1.npy" and so on, so a small file can't fill the memory. A type that
NumPy lacks is stored as bytes and named in the member's name: "3.bfloat16.npy". A text is the first array, in UTF-8.
"""

import contextlib
import errno
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_sweep.files import atomic
from keras_sweep.files.plain import open_plain, plain_errors
from keras_sweep.system import disk


class DamagedArrays(Exception):
    """A file of arrays is cut short, was changed, or is not a file of arrays. The message says why."""


def write_arrays(path: Path, arrays: Sequence[Any], *, text: str | None = None) -> None:
    """Write `text`, if any, and `arrays` to a file. Make missing folders, up to two levels. Raises RecordError."""
    import numpy as np

    parent = path.parent
    for folder in [parent] if parent.parent.exists() else [parent.parent, parent]:
        with plain_errors("make", folder), contextlib.suppress(FileExistsError):
            disk.make_folder(folder, 0o700)
            disk.fsync(folder.parent)
    members = list(arrays) if text is None else [np.frombuffer(text.encode(), np.uint8), *arrays]
    with atomic.replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = _comment(len(members))
        for index, array in enumerate(members):
            array, dtype = _to_plain_type(np.asarray(array))
            with archive.open(f"{index}{dtype}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def read_arrays(path: Path) -> tuple[Any, ...]:
    """Read a file of arrays without a text. Raises DamagedArrays, or RecordError if the disk can't read the file."""
    import numpy as np

    with plain_errors("read", path), open_plain(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                # No checksum covers the list of members of a zip file, so the comment counts them.
                if archive.comment != _comment(len(members)):
                    raise ValueError(f"the number of its arrays has changed to {len(members)}")
                if sum(member.file_size for member in members) > file.seek(0, 2):
                    raise ValueError("it is shorter than its list of arrays says")
                # NumPy reads only the bytes that an array's header counts, so it may miss a wrong checksum.
                if (member := archive.testzip()) is not None:
                    raise ValueError(f"the checksum of its member {member} is wrong")
            file.seek(0)
            with np.load(file, allow_pickle=False) as loaded:
                names = [member.filename.removesuffix(".npy") for member in members]
                return tuple(_restore_type(loaded[name], name) for name in names)
        # zipfile and NumPy raise nearly any class for a damaged file.
        except Exception as error:
            # EINVAL is damage: an offset in the file points before its beginning.
            if isinstance(error, OSError) and error.errno != errno.EINVAL:
                raise
            raise DamagedArrays(str(error) or type(error).__name__) from error


def read_text_and_arrays(path: Path) -> tuple[str, tuple[Any, ...]]:
    """Read (text, arrays) from a file with a text. Raises like `read_arrays`, and DamagedArrays without a text."""
    arrays = read_arrays(path)
    if not arrays or str(arrays[0].dtype) != "uint8":
        raise DamagedArrays("the first array in the file is not a text")
    try:
        return arrays[0].tobytes().decode(), arrays[1:]
    except UnicodeDecodeError as error:
        raise DamagedArrays(f"the text in the file is damaged ({error})") from error


def is_array_file(path: Path) -> bool:
    """Return whether `write_arrays` wrote a file, by its zip comment. Return False for a link or an unreadable file."""
    try:
        with open_plain(path) as file, zipfile.ZipFile(file) as archive:
            return archive.comment == _comment(len(archive.namelist())) and not path.is_symlink()
    except Exception:  # zipfile raises nearly anything
        return False


def _comment(arrays: int) -> bytes:
    return f"keras-sweep weights: {arrays} arrays".encode()


def _to_plain_type(array: Any) -> tuple[Any, str]:
    """Return (array, ""). If NumPy lacks the array's type: (array as unsigned integers, suffix like ".bfloat16")."""
    if array.dtype.hasobject:
        raise ValueError(f"weights must be numbers, but got an array of {array.dtype}")
    if array.dtype.kind != "V":
        return array, ""
    return array.view(f"u{array.dtype.itemsize}"), f".{array.dtype.name}"


def _restore_type(stored: Any, name: str) -> Any:
    if isinstance(stored, bytes):
        raise ValueError(f"its member {name} is not an array")
    dtype = name.partition(".")[2]
    if not dtype:
        return stored
    import ml_dtypes

    return stored.view(getattr(ml_dtypes, dtype))
