"""`keras_sweep.compare`: sweeps side by side."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from keras_sweep.api.answers import ComparedSweeps
from keras_sweep.errors import UsageError
from keras_sweep.files.atomic import SHARED, write_text
from keras_sweep.files.plain import read_plain
from keras_sweep.record.sweep_folder import find
from keras_sweep.record.sweep_folder import sweeps_dir as folder_of_sweeps
from keras_sweep.sweep.side_by_side import SideBySide, side_by_side

NEAR = 2000  # bytes in which the mark of a page stands


def compare(*names: str, sweeps_dir: str | os.PathLike[str] | None = None) -> ComparedSweeps:
    """Sweeps of one metric and the same rows, side by side: `.first`, `.sides`, `.behind`.

    Raises:
        UsageError: fewer than two are named, one is not there, or they are of other metrics or rows.
        RecordError: no trial of one has completed.
    """
    folder = folder_of_sweeps(Path(sweeps_dir) if sweeps_dir is not None else None)
    return ComparedSweeps.of(side_by_side([find(name, folder) for name in names]))


def write_page(found: SideBySide, path: str | os.PathLike[str]) -> None:
    """Write them as one self-contained page of HTML.

    Raises:
        UsageError: another file stands there, or there is no such folder.
        RecordError: the disk fails.
    """
    from keras_sweep.views.report.compare_page import MARK, compare_page

    place = Path(path)
    if not place.parent.is_dir():
        raise UsageError(f"there is no folder {place.parent}", hint="Make it, or name another file")
    if place.exists() and (not place.is_file() or MARK.encode() not in read_plain(place, 64 * 2**20)[:NEAR]):
        raise UsageError(f"{place} is there and no page of `sweep compare`", hint="Name another file")
    write_text(place, compare_page(found, datetime.now(UTC)), mode=SHARED)
