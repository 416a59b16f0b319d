"""What `data` of a space file can name: sets that everybody has, and kinds of sources, each with what reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_sweep.data.image_sets import IMAGE_SETS
from keras_sweep.data.source import RawRows, Source
from keras_sweep.errors import DataError
from keras_sweep.space.plugins import Plugins
from keras_sweep.space.text import joined, nearest

if TYPE_CHECKING:
    from keras_sweep.data.image_set import ImageSet
    from keras_sweep.space.sweep_spec import DataSpec

SKLEARN_SETS = ("digits", "iris", "wine", "breast_cancer", "diabetes")
DATA_NAMES = (*IMAGE_SETS, *SKLEARN_SETS)
MOST_SHOWN = 10  # sweeps that an error lists

SOURCES: Plugins[Callable[[DataSpec, Path], Source]] = Plugins(
    "source",
    "keras_sweep.sources",
    {
        "csv": "keras_sweep.data.table_files:read_table",
        "parquet": "keras_sweep.data.table_files:read_table",
        "npz": "keras_sweep.data.array_sources:read_npz",
        "python": "keras_sweep.data.array_sources:call_python",
    },
)  # kind -> a function of the spec's data and the folder of its file


def image_set(data: DataSpec) -> ImageSet | None:
    """The set of pictures that is named, whose test rows stand in files of their own; None for any other source."""
    return IMAGE_SETS.get(data.source) if data.kind == "named" else None


def read_source(data: DataSpec, folder: Path) -> Source:
    """All rows of a source that is read whole. Raises DataError."""
    if data.kind != "named":
        return SOURCES.find(data.kind)(data, folder)
    if data.source not in SKLEARN_SETS:
        raise unknown_name(data.source)
    return read_sklearn_set(data.source)


def read_sklearn_set(name: str) -> Source:
    """`digits`: 8 x 8 pictures as 64 pixels in [0, 1]. The others: tables of numbers in their own units."""
    import polars as pl
    from sklearn import datasets

    if name == "diabetes":  # its rows are standardised by scikit-learn unless asked not to be
        found = datasets.load_diabetes(scaled=False)
        return Source(name, RawRows(pl.DataFrame(found.data, found.feature_names, orient="row"), found.target))
    found = getattr(datasets, f"load_{name}")()
    classes = tuple(str(label) for label in found.target_names)
    if name == "digits":
        pixels = (found.data / 16.0).astype(np.float32)  # the pixels are whole numbers from 0 to 16
        return Source(name, RawRows(pixels, found.target), class_names=classes, image_shape=(8, 8))
    table = pl.DataFrame(found.data, list(map(str, found.feature_names)), orient="row")
    return Source(name, RawRows(table, found.target), class_names=classes)


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
