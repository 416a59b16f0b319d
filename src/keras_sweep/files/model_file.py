"""Model files from anywhere: looked through before Keras opens them, then opened in safe mode.

A `.keras` file is a zip archive of `config.json`, `metadata.json`, `model.weights.h5` and perhaps `assets/`. Keras
refuses code in it (safe mode) and members that expand a hundredfold; it does not look at how large the arrays inside
say they are, at links from the weights to other files, or at members that it does not read. This module does.
https://keras.io/guides/serialization_and_saving/
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

from keras_sweep.errors import RecordError
from keras_sweep.files.plain_errors import plain_errors
from keras_sweep.files.plain_file import open_plain

MOST_BYTES = 16 * 2**30
MOST_TEXT = 64 * 2**20  # of a member that is read as one text
MOST_MEMBERS = 10_000
MOST_EXPANSION = 100  # Keras stores its members as they are
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_ASSET = re.compile(r"assets/(?:[\w-][\w.-]{0,254}/)*(?:[\w-][\w.-]{0,254})?")
_BLOCK = 1 << 20


class DamagedModel(RecordError):
    """A model file is not one, or not as it was written: export it again."""


def check_keras_file(path: Path) -> None:
    """Look through a `.keras` file without building anything of it.

    Raises:
        DamagedModel: it is cut short or altered, holds what no such file holds, or promises to be larger than it is.
        RecordError: it is missing or can't be read.
    """
    with plain_errors("read", path), open_plain(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                _check_members(archive)
                for name in (_CONFIG, _METADATA):
                    if not isinstance(json.loads(archive.read(name)), dict):
                        raise ValueError(f"its {name} is no JSON object")
                with archive.open(_WEIGHTS) as weights:
                    _check_weights(weights, archive.getinfo(_WEIGHTS).file_size)
        except (ValueError, zipfile.BadZipFile, zlib.error, EOFError, RecursionError, NotImplementedError) as error:
            raise _damaged(path, str(error) or type(error).__name__) from error
        except (KeyError, RuntimeError, OSError) as error:  # how h5py says that a file is none of its own
            if isinstance(error, OSError) and error.errno:
                raise
            raise _damaged(path, str(error)) from error


def load_keras_file(path: Path) -> Any:
    """The `keras.Model` of a file that was looked through, opened in safe mode. Raises as `check_keras_file`, and

    DamagedModel: Keras can't make a model of it, or it holds code.
    """
    import keras

    check_keras_file(path)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")  # it was saved before its use
            return keras.models.load_model(path, safe_mode=True)
    except Exception as error:  # Keras raises anything for a config that was altered
        raise _damaged(path, f"Keras can't open it: {error}") from error


def file_digest(path: Path) -> str:
    """The file's SHA-256, in hex. Raises RecordError."""
    with plain_errors("read", path), open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_members(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(members) > MOST_MEMBERS or sum(member.file_size for member in members) > MOST_BYTES:
        raise ValueError("it is larger than any model")
    if len(set(names)) < len(names):
        raise ValueError("it holds two members of one name")
    for name in (_CONFIG, _METADATA, _WEIGHTS):
        if name not in names:
            raise ValueError(f"it holds no {name}")
    for member in members:
        name = member.filename
        if name not in (_CONFIG, _METADATA, _WEIGHTS) and not _ASSET.fullmatch(name):
            raise ValueError(f"it holds {name!r}, which no model file does")
        if member.file_size > MOST_EXPANSION * max(member.compress_size, 1):
            raise ValueError(f"its {name} would grow {member.file_size // max(member.compress_size, 1)}-fold")
        if name != _WEIGHTS and member.file_size > MOST_TEXT:
            raise ValueError(f"its {name} is of {member.file_size:,} bytes")
        with archive.open(member) as stream:
            while stream.read(_BLOCK):  # to its end, where the checksum is compared
                pass


def _check_weights(stream: Any, size: int) -> None:
    """Refuse arrays that are larger than the file, or lie elsewhere. Raises ValueError."""
    import h5py  # type: ignore[import-untyped]

    promised = 0
    seen = 0
    with h5py.File(stream, "r") as file:
        groups = [file]
        while groups:
            group = groups.pop()
            for name in group:
                seen += 1  # a group may be linked into itself
                if seen > MOST_MEMBERS * 10:
                    raise ValueError("its weights are nested without end")
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise ValueError(f"its weights link to {name!r} elsewhere")
                item = group[name]
                if isinstance(item, h5py.Group):
                    groups.append(item)
                elif isinstance(item, h5py.Dataset):
                    if item.external or item.is_virtual:
                        raise ValueError(f"its weights {item.name!r} lie in another file")
                    promised += item.nbytes
    if promised > MOST_EXPANSION * size:
        raise ValueError(f"its weights would be {promised:,} bytes, but the file has {size:,}")


def _damaged(path: Path, why: str) -> DamagedModel:
    return DamagedModel(f"the model file {path} is damaged: {why}", hint="`sweep export` writes it again")
