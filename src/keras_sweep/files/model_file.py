"""Whether a `.keras` file is whole and what a `.keras` file is; nothing of it is built here.

It is a zip archive of `config.json`, `metadata.json`, `model.weights.h5` and perhaps `assets/`. Keras, from 3.15.1 on,
itself refuses code in it (safe mode), weights that link to or lie in other files, and arrays and members that would
expand to more than 4 GiB. It looks neither at checksums of members that it does not read nor at what else lies there.
https://keras.io/guides/serialization_and_saving/
"""

from __future__ import annotations

import errno
import hashlib
import json
import re
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
        except (ValueError, zipfile.BadZipFile, zlib.error, EOFError, RecursionError, NotImplementedError) as error:
            raise _damaged(path, str(error) or type(error).__name__) from error
        except RuntimeError as error:  # a member that is encrypted
            raise _damaged(path, str(error)) from error
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise _damaged(path, "it leads to a place before its beginning") from error  # an altered offset


def model_config(path: Path) -> dict[str, Any]:
    """The `config.json` of a file that `check_keras_file` has looked through. Raises RecordError."""
    with plain_errors("read", path), open_plain(path) as file, zipfile.ZipFile(file) as archive:
        return dict(json.loads(archive.read(_CONFIG)))


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


def _damaged(path: Path, why: str) -> DamagedModel:
    return DamagedModel(f"the model file {path} is damaged: {why}", hint="`sweep export` writes it again")
