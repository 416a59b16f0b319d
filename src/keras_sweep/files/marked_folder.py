"""A folder of files that belong together: whole or absent, and never written over something else."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from keras_sweep.errors import UsageError
from keras_sweep.files import disk
from keras_sweep.files.atomic import SHARED, write_text
from keras_sweep.files.plain_errors import plain_errors
from keras_sweep.files.plain_file import open_plain

NEAR = 2000  # bytes of a file, among which its mark is looked for
HINT = "Give another folder with `--output`; nothing was written"


def check_place(place: Path, page: str, mark: str) -> None:
    """Raises UsageError where something stands whose file `page` does not bear the mark near its beginning."""
    if place.is_symlink():
        raise UsageError(f"{place} is a link", hint=HINT)
    if place.exists() and not place.is_dir():
        raise UsageError(f"{place} is a file, not a folder", hint=HINT)
    with plain_errors("read", place):
        if place.exists() and any(place.iterdir()) and not _bears(place / page, mark):
            raise UsageError(f"there is a folder {place} that `sweep` did not write", hint=HINT)


def write_folder(place: Path, files: Mapping[str, str], page: str, mark: str) -> None:
    """Write texts by their names, `page` among them, which bears the mark; other files in the folder are left alone.

    A new folder appears with all of them; in one that is there each takes the place of its predecessor, the page last.

    Raises:
        UsageError: something else stands there.
        RecordError: the disk fails.
    """
    check_place(place, page, mark)
    if place.exists():
        for name in sorted(files, key=lambda one: one == page):
            write_text(place / name, files[name], mode=SHARED)
        return
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        with plain_errors("make", place):
            place.parent.mkdir(parents=True, exist_ok=True)
            disk.make_folder(part, 0o777)
        for name, text in files.items():
            write_text(part / name, text, mode=SHARED)
        with plain_errors("write", place):
            disk.rename(part, place)
            disk.fsync_folder(place.parent)
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(part)


def _bears(path: Path, mark: str) -> bool:
    try:
        with open_plain(path) as file:
            return mark.encode() in file.read(NEAR)
    except OSError:
        return False
