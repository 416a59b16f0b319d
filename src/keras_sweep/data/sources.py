"""Where the rows of a space file's `data` are read from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name

from keras_sweep.data.array_sources import call_python, read_npz
from keras_sweep.data.image_set import ImageSet
from keras_sweep.data.names import DATA_NAMES, IMAGE_SETS, SKLEARN_SETS, SOURCES
from keras_sweep.data.sklearn_sets import read_sklearn_set
from keras_sweep.data.source import Source
from keras_sweep.data.table_files import read_table
from keras_sweep.errors import DataError
from keras_sweep.space.sweep_spec import DataSpec
from keras_sweep.space.text import joined, nearest

MOST_SHOWN = 10  # sweeps that an error lists


def image_set(data: DataSpec) -> ImageSet | None:
    """The set of pictures that is named, whose test rows stand in files of their own; None for any other source."""
    where = IMAGE_SETS.get(data.source) if data.kind == "named" else None
    found: ImageSet | None = None if where is None else resolve_name(where)
    return found


def read_source(data: DataSpec, folder: Path) -> Source:
    """All rows of a source that is read whole. Raises DataError."""
    if data.kind != "named":
        return SOURCES.find(data.kind)(data, folder)
    if data.source not in SKLEARN_SETS:
        raise unknown_name(data.source)
    return read_sklearn_set(data.source)


def table(data: DataSpec, folder: Path) -> Source:
    """A file of rows with a target column. Raises DataError."""
    return read_table(folder / data.source, data.kind, data.target or "")


def arrays(data: DataSpec, folder: Path) -> Source:
    """Arrays of NumPy. Raises DataError."""
    return read_npz(folder / data.source, data.target)


def function(data: DataSpec, folder: Path) -> Source:
    """What a function of the user's returns. Raises DataError."""
    return call_python(data.source, folder)


def unknown_name(name: str, sweeps: Sequence[str] = ()) -> DataError:
    """The error for a name of nothing, with the nearest name or all data sets.

    Args:
        name: of neither a data set nor one of the sweeps.
        sweeps: that could have been meant.
    """
    near = nearest(name, (*DATA_NAMES, *sweeps))
    here = f"; the sweeps here are {joined(sweeps)}" if 0 < len(sweeps) <= MOST_SHOWN else ""
    return DataError(
        f"there is no data set {name!r}" + (", nor a sweep of that name" if sweeps else ""),
        hint=f"Did you mean `{near}`?" if near else f"The data sets are {joined(DATA_NAMES)}{here}",
    )
