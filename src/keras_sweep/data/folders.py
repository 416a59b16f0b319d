"""The folders where data sets may already lie."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

DEBIAN_FOLDER = Path("/usr/share/datasets")


def known_folders(name: str) -> Iterator[Path]:
    """Where the files of a data set may be, the user's own choice first.

    $SWEEP_DATA_DIR and its subfolder `name`, Keras's cache ($KERAS_HOME or ~/.keras), Debian's folder of data sets.
    """
    chosen = os.environ.get("SWEEP_DATA_DIR")
    if chosen:
        yield Path(chosen).expanduser()
        yield Path(chosen).expanduser() / name
    keras_home = os.environ.get("KERAS_HOME")
    keras_cache = Path(keras_home).expanduser() if keras_home else Path("~/.keras").expanduser()
    yield keras_cache / "datasets" / name
    yield keras_cache / "datasets"
    yield DEBIAN_FOLDER / name


def folder_with(files: Sequence[str], folders: Iterator[Path]) -> Path | None:
    """The first folder that has all of these files."""
    for folder in folders:
        if all((folder / file).is_file() for file in files):
            return folder
    return None
