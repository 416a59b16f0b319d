"""The one file of arrays: an `.npz` of plain arrays, written whole, read without pickle, damage found by its checksums.

Each array is a stored (not compressed) member "0.npy", "1.npy", ... in order, so a file can't grow when it is read.
Types that NumPy lacks (bfloat16, float8) are kept as bytes, their name in the member's name: "3.bfloat16.npy". A text
is the bytes of its UTF-8, as the first array. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import errno
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_sweep.files import atomic
from keras_sweep.files.plain_errors import plain_errors
from keras_sweep.files.plain_file import open_plain

MOST_ARRAYS = 100_000
MOST_BYTES = 16 * 2**30
_MEMBER = re.compile(r"(?P<index>0|[1-9][0-9]{0,5})(?:\.(?P<dtype>[a-z0-9_]{1,20}))?\.npy")
_END = re.compile(rb"keras-sweep weights: [0-9]{1,6} arrays\Z")


class DamagedArrays(Exception):
    """A file of arrays is cut short, altered, too large or something else; its text says why."""


def write_arrays(path: Path, arrays: Sequence[Any], *, text: str | None = None) -> None:
    """Write arrays, after a text where there is one, whole or not at all. Raises RecordError."""
    import numpy as np

    members = list(arrays) if text is None else [np.frombuffer(text.encode(), np.uint8), *arrays]
    with atomic.replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = _comment(len(members))
        for index, array in enumerate(members):
            array, dtype = _plain(np.asarray(array))
            with archive.open(f"{index}{dtype}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def read_arrays(path: Path) -> tuple[Any, ...]:
    """Read what `write_arrays` wrote without a text, to the last bit.

    Raises:
        DamagedArrays: the file is cut short, altered, too large or something else.
        RecordError: it is missing or can't be read.
    """
    return _read(path)


def read_text_and_arrays(path: Path) -> tuple[str, tuple[Any, ...]]:
    """Read what `write_arrays` wrote with a text. Raises as `read_arrays`."""
    arrays = _read(path)
    return _text(arrays), arrays[1:]


def read_text(path: Path) -> str:
    """Read the text alone. Raises as `read_arrays`, and does not see what is wrong with the arrays."""
    return _text(_read(path, most=1))


def _read(path: Path, *, most: int | None = None) -> tuple[Any, ...]:
    with plain_errors("read", path), open_plain(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return tuple(_array(archive, member, dtype) for member, dtype in _members(archive)[:most])
        except Exception as error:  # zipfile and NumPy raise nearly anything for a damaged file
            if isinstance(error, OSError) and error.errno != errno.EINVAL:  # EINVAL: sent to before the file's begin
                raise
            raise DamagedArrays(str(error) or type(error).__name__) from error


def _text(arrays: Sequence[Any]) -> str:
    if not arrays or str(arrays[0].dtype) != "uint8":
        raise DamagedArrays("it does not begin with a text")
    try:
        return str(arrays[0].tobytes(), "utf-8")
    except UnicodeDecodeError as error:
        raise DamagedArrays(f"its text is not what it should be ({error})") from error


def is_array_file(path: Path) -> bool:
    """Whether its last bytes are those of a file by `write_arrays`; one that can't be read is not."""
    if path.is_symlink():
        return False
    try:
        with open_plain(path) as file:
            file.seek(max(0, file.seek(0, 2) - len(_comment(MOST_ARRAYS))))
            return _END.search(file.read()) is not None
    except OSError:
        return False


def _comment(arrays: int) -> bytes:
    return (
        f"keras-sweep weights: {arrays} arrays".encode()
    )  # "weights", whatever they are: so the first files were written


def _plain(array: Any) -> tuple[Any, str]:
    """The array as NumPy itself can write it, and the suffix that names its own type."""
    if array.dtype.hasobject:
        raise ValueError(f"weights must be numbers, but got an array of {array.dtype}")
    if array.dtype.kind != "V":
        return array, ""
    return array.view(f"u{array.dtype.itemsize}"), f".{array.dtype.name}"


def _members(archive: zipfile.ZipFile) -> list[tuple[zipfile.ZipInfo, str | None]]:
    """The arrays in order. Raises ValueError where the archive holds anything else."""
    members = archive.infolist()
    if archive.comment != _comment(len(members)):  # no checksum covers a zip file's list of members
        raise ValueError(f"it lists {len(members)} arrays, but was not written with so many")
    if len(members) > MOST_ARRAYS or sum(member.file_size for member in members) > MOST_BYTES:
        raise ValueError("it is larger than any model's weights")
    found: list[tuple[zipfile.ZipInfo, str | None]] = []
    for index, member in enumerate(members):
        match = _MEMBER.fullmatch(member.filename)
        if match is None or int(match["index"]) != index:
            raise ValueError(f"member {index} is called {member.filename!r}")
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ValueError(f"member {member.filename!r} is compressed, which weights never are")
        found.append((member, match["dtype"]))
    return found


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, dtype: str | None) -> Any:
    """One array. Raises ValueError where its header promises other bytes than there are."""
    import io
    import math

    import numpy as np

    data = archive.read(member)  # whole, so that its checksum is compared
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, stored = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, stored = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"member {member.filename!r} is of format {version}")
    if stored.hasobject:
        raise ValueError(f"member {member.filename!r} holds objects, which weights never do")
    offset = stream.tell()
    if math.prod(shape) * stored.itemsize != len(data) - offset:
        raise ValueError(f"member {member.filename!r} is {len(data) - offset} bytes, but its shape is {shape}")
    array = np.frombuffer(data, stored, offset=offset).reshape(shape, order="F" if fortran else "C").copy()
    if dtype is None:
        return array
    import ml_dtypes

    return array.view(np.dtype(getattr(ml_dtypes, dtype)))
