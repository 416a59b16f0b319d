"""The file that a drawing goes to."""

from __future__ import annotations

from pathlib import Path

from keras_sweep.errors import UsageError
from keras_sweep.files.atomic import SHARED, write_text

SUFFIX = ".svg"


def check_plot_path(place: Path) -> None:
    """Raises UsageError for a path that can't take a drawing, before any work is done."""
    if place.suffix.lower() != SUFFIX:
        raise UsageError(
            f"`--plot` writes {SUFFIX}, but got {place.name!r}",
            hint="No package that a sweep needs draws PNG; `rsvg-convert -o x.png x.svg` makes one of an SVG",
        )
    if not place.parent.is_dir():
        raise UsageError(f"there is no folder {place.parent}", hint="Make it, or name another file")
    if place.is_dir():
        raise UsageError(f"{place} is a folder", hint="Name a file")


def write_plot(place: Path, drawing: str) -> None:
    """Write a drawing; an older file of that name is replaced. Raises RecordError."""
    write_text(place, drawing, mode=SHARED)
