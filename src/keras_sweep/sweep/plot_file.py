"""The file that a drawing goes to: SVG as it is drawn, or PNG."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from keras_sweep.errors import MissingPackage, UsageError
from keras_sweep.files.atomic import SHARED, write_bytes, write_text

SVG, PNG = ".svg", ".png"
ZOOM = 2  # pixels of a PNG for each of the drawing, for screens that have so many


def check_plot_path(place: Path) -> None:
    """Refuse a path that can't take a drawing, before any work is done.

    Raises:
        UsageError: it ends in something else, there is no such folder, or it is a folder.
        MissingPackage: PNG needs one that is not installed.
    """
    kind = place.suffix.lower()
    if kind not in (SVG, PNG):
        raise UsageError(f"`--plot` writes {SVG} or {PNG}, but got {place.name!r}", hint="Name a file of one of these")
    if not place.parent.is_dir():
        raise UsageError(f"there is no folder {place.parent}", hint="Make it, or name another file")
    if place.is_dir():
        raise UsageError(f"{place} is a folder", hint="Name a file")
    if kind == PNG and importlib.util.find_spec("resvg_py") is None:
        raise MissingPackage(
            "resvg-py is not installed, which draws PNG", hint="pip install 'keras-sweep[png]', or name a .svg"
        )


def write_plot(place: Path, drawing: str) -> None:
    """Write a drawing; an older file of that name is replaced. Raises RecordError."""
    if place.suffix.lower() == SVG:
        write_text(place, drawing, mode=SHARED)
        return
    import resvg_py

    write_bytes(place, bytes(resvg_py.svg_to_bytes(svg_string=drawing, zoom=ZOOM)), mode=SHARED)
