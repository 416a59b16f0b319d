"""The per-user cache: decoded arrays and fetched files, in a folder that only the user can read."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_sweep.files.atomic import replacing, write_text
from keras_sweep.files.plain_errors import os_errors

FOLDER_MODE = 0o700


def user_cache(*parts: str) -> Path:
    """The folder `parts` of the user's cache, made with mode 0700.

    The cache is $SWEEP_CACHE_DIR, or the platform's place for it (~/.cache/keras-sweep). That folder may be there
    before, and shared by several users: its mode is left as it is. Those below it must be the user's own.

    Raises OSError: one can't be made, is a link or another user's, or others may write to it.
    """
    import platformdirs

    folder = Path(os.environ.get("SWEEP_CACHE_DIR") or platformdirs.user_cache_dir("keras-sweep")).expanduser()
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    for part in parts:
        folder = folder / part
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=FOLDER_MODE)
        _check_own(folder)
    return folder


def _check_own(folder: Path) -> None:
    """Whoever may write to it decides what is read from it. Raises OSError."""
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "it is no folder of its own", str(folder))
    if os.name == "posix" and (about.st_uid != os.getuid() or about.st_mode & 0o022):
        raise PermissionError(errno.EPERM, "it is another user's, or others may write to it", str(folder))


def sha256(array: npt.NDArray[np.generic]) -> str:
    """SHA-256 (hex) of an array's bytes in C order."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def load_array(folder: Path, name: str, digest: str) -> npt.NDArray[np.generic] | None:
    """The memory-mapped array `name`, if it is there and its bytes have this SHA-256; else None."""
    try:
        array: npt.NDArray[np.generic] = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return array if sha256(array) == digest else None
    except (OSError, ValueError, EOFError):
        return None


def store_array(folder: Path, name: str, array: npt.NDArray[np.generic]) -> None:
    """Keep an array; other processes see the whole file or none. Raises OSError."""
    with os_errors(), replacing(folder / f"{name}.npy") as file:
        np.save(file, array, allow_pickle=False)


def load_facts(folder: Path, name: str) -> dict[str, Any]:
    """The JSON object `name`; empty where it is absent or damaged."""
    try:
        facts = json.loads((folder / f"{name}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def store_facts(folder: Path, name: str, facts: Mapping[str, Any]) -> None:
    """Keep a JSON object. Raises OSError."""
    with os_errors():
        write_text(folder / f"{name}.json", json.dumps(dict(facts), indent=1))
