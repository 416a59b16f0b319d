"""The per-user cache, in a folder that only the user can read."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

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
