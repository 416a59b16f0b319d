"""A trial's weights as an `.npz` of plain arrays: written whole, read without pickle, damage found by its checksums.

Each array is a stored (not compressed) member "0.npy", "1.npy", ... in the order of `keras.Model.get_weights`, so a
file can't grow when it is read. Types that NumPy lacks (bfloat16, float8) are kept as bytes, their name in the member's
name: "3.bfloat16.npy". https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import contextlib
import errno
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_sweep.errors import RecordError
from keras_sweep.files import atomic, disk
from keras_sweep.files.plain_errors import plain_errors
from keras_sweep.files.plain_file import open_plain
from keras_sweep.record.sweep_folder import SweepFolder

if TYPE_CHECKING:
    from keras_sweep.trial.result import Weights

MOST_ARRAYS = 100_000
MOST_BYTES = 16 * 2**30
_MEMBER = re.compile(r"(?P<index>0|[1-9][0-9]{0,5})(?:\.(?P<dtype>[a-z0-9_]{1,20}))?\.npy")
_END = re.compile(rb"keras-sweep weights: [0-9]{1,6} arrays\Z")
_FILE = re.compile(r"[0-9]{6,}\.npz")


class DamagedWeights(RecordError):
    """A weights file is not what was written: train the trial again, or do without."""


def weights_file(folder: SweepFolder, number: int) -> Path:
    """Where a trial's weights are kept."""
    return folder.weights / f"{number:06d}.npz"


def save_weights(path: Path, weights: Weights) -> None:
    """Write a model's arrays, whole or not at all; the folder is made if there is none. Raises RecordError."""
    import numpy as np

    _make_private(path.parent)
    with atomic.replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = _comment(len(weights))
        for index, array in enumerate(weights):
            array, dtype = _plain(np.asarray(array))
            with archive.open(f"{index}{dtype}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def load_weights(path: Path) -> Weights:
    """Read what `save_weights` wrote, to the last bit.

    Raises:
        DamagedWeights: the file is cut short, altered, too large or something else.
        RecordError: it is missing or can't be read.
    """
    with plain_errors("read", path), open_plain(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return tuple(_array(archive, member, dtype) for member, dtype in _members(archive))
        except Exception as error:  # zipfile and NumPy raise nearly anything for a damaged file
            if isinstance(error, OSError) and error.errno != errno.EINVAL:  # EINVAL: sent to before the file's begin
                raise
            why = str(error) or type(error).__name__
            raise DamagedWeights(
                f"the weights {path} are damaged: {why}", hint="`sweep run` of the space file trains the trial again"
            ) from error


def keep(folder: SweepFolder, numbers: Iterable[int]) -> None:
    """Remove the weights of all other trials, and what a killed process left half-written. Raises RecordError.

    What `save_weights` did not write stays, whatever it is called.
    """
    kept = {weights_file(folder, number).name for number in numbers}
    if not folder.weights.is_dir():
        return
    with plain_errors("clear", folder.weights):
        atomic.clear_parts(folder.weights)
        for path in sorted(folder.weights.iterdir()):
            if _FILE.fullmatch(path.name) and path.name not in kept and _is_of_a_sweep(path):
                disk.remove(path)


def kept(folder: SweepFolder) -> list[int]:
    """The numbers of the trials whose weights are there, in order. Raises RecordError."""
    return sorted(numbered_files(folder.weights))


def numbered_files(folder: Path) -> dict[int, Path]:
    """The files of a folder that bear a trial's number, by it; {} where there is no folder. Raises RecordError."""
    if not folder.is_dir():
        return {}
    with plain_errors("read", folder):
        return {int(path.stem): path for path in folder.iterdir() if _FILE.fullmatch(path.name)}


def _is_of_a_sweep(path: Path) -> bool:
    """Whether its last bytes are those of a file by `save_weights`; one that can't be read is not."""
    if path.is_symlink():
        return False
    try:
        with open_plain(path) as file:
            file.seek(max(0, file.seek(0, 2) - len(_comment(MOST_ARRAYS))))
            return _END.search(file.read()) is not None
    except OSError:
        return False


def _comment(arrays: int) -> bytes:
    return f"keras-sweep weights: {arrays} arrays".encode()


def _make_private(folder: Path) -> None:
    with plain_errors("make", folder), contextlib.suppress(FileExistsError):
        disk.make_folder(folder, 0o700)
        disk.fsync_folder(folder.parent)


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
