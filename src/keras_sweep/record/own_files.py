"""What a sweep writes is a file or folder of its own. A link could lead its writes to any file of the user's."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from keras_sweep.errors import RecordError
from keras_sweep.files.plain_errors import plain_errors
from keras_sweep.files.plain_file import kind_of
from keras_sweep.record.sweep_folder import SweepFolder


def check_own_files(folder: SweepFolder) -> None:
    """Refuse to work in a sweep's folder that holds a link, a pipe, a socket or a device. Nothing is opened.

    Raises RecordError, which names the first one.
    """
    with plain_errors("read", folder.path):
        entries = sorted(os.scandir(folder.path), key=lambda entry: entry.name)
        modes = [(entry, entry.stat(follow_symlinks=False).st_mode) for entry in entries]
    for entry, mode in modes:
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            where = f" to {Path(entry.path).readlink()}" if stat.S_ISLNK(mode) else ""
            raise RecordError(
                f"{entry.path} is {kind_of(mode)}{where}: a sweep writes only to files of its own",
                hint=f"Nothing was changed. Remove it (`rm {shlex.quote(entry.path)}`) and give the same command again",
            )
