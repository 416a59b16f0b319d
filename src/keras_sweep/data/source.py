"""What `data` of a space file can name, and what each source gives: rows as they were read, before they are split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from keras_sweep.data.arrays import Arrays
from keras_sweep.data.image_sets import IMAGE_SETS, ImageSet
from keras_sweep.data.search_data import Fold, Rows, Stream
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import DataSpec, find_source
from keras_sweep.space.text import join, nearest

if TYPE_CHECKING:
    import polars as pl

Features: TypeAlias = "Arrays | pl.DataFrame"


@dataclass(frozen=True, slots=True)
class RawRows(Rows):
    """Rows as a source has them: `x` an array or a table of columns, `y` numbers or text."""

    places: Mapping[str, npt.NDArray[np.intp]] = field(default_factory=dict)  # [N] groups or times, by their column

    def take(self, rows: npt.NDArray[np.integer]) -> RawRows:
        """A copy of these rows, sharing no memory with the others."""
        taken = Rows.take(self, rows)
        return RawRows(taken.x, taken.y, taken.weights, {name: of[rows] for name, of in self.places.items()})


@dataclass(frozen=True)
class SourceRows:
    """All rows of a source. It lives only while data are loaded: it may hold test rows."""

    name: str
    rows: RawRows | None = None  # where nothing is split yet; else the parts below are there
    train: RawRows | None = None
    validation: RawRows | None = None
    test: RawRows | None = None
    class_names: tuple[str, ...] | None = None  # of the labels 0 .. C - 1, where the source knows them
    image_shape: tuple[int, ...] | None = None  # where a row of x is a picture
    pictures: ImageSet | None = None  # where x are bytes of its pictures; its test rows stand in files of their own
    series: tuple[str, ...] | None = None  # the columns, where a row of x is a window of a series
    stream: Stream | None = None  # what is trained on in place of `train`, which then has the validation rows
    notices: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()  # that the order of its rows shows
    ways: Mapping[str, str] = field(default_factory=dict)  # how texts of columns were read as numbers and dates


@dataclass(frozen=True, slots=True)
class Parts:
    """The rows of a source, split. With folds all rows but the test rows are training and validation rows both."""

    source: SourceRows
    train: RawRows
    validation: RawRows
    test: RawRows | None
    folds: tuple[Fold, ...] = ()


SKLEARN_SETS = ("digits", "iris", "wine", "breast_cancer", "diabetes")
DATA_NAMES = (*IMAGE_SETS, *SKLEARN_SETS)


def image_set(data: DataSpec) -> ImageSet | None:
    """The set of pictures that is named, whose test rows stand in files of their own; None for any other source."""
    return IMAGE_SETS.get(data.source) if data.kind == "named" else None


def read_source(data: DataSpec, folder: Path) -> SourceRows:
    """All rows of a source, but for the test rows of a set of pictures. Raises DataError."""
    source, path = find_source(data.kind), folder / data.source
    if (source.names == "file" and not path.is_file()) or (source.names == "folder" and not path.is_dir()):
        raise missing_path_error(source.names, path)
    rows: SourceRows = source.read(data, folder)
    return rows


def missing_path_error(what: str, path: Path) -> DataError:
    """The error for a file or folder of a space file that is not there."""
    hint = "Paths are relative to the space file; `sweep verify` takes a folder by `--data-dir`"
    return DataError(f"there is no {what} {path}", hint=hint)


def read_named(data: DataSpec, _: Path) -> SourceRows:
    """The rows of a named set. Raises DataError."""
    pictures = image_set(data)
    if pictures is not None:
        train, names = RawRows(*pictures.search_arrays()), pictures.class_names
        return SourceRows(data.source, train=train, class_names=names, image_shape=pictures.shape, pictures=pictures)
    if data.source not in SKLEARN_SETS:
        raise unknown_name(data.source)
    return read_sklearn_set(data.source)


def read_sklearn_set(name: str) -> SourceRows:
    """`digits`: 8 x 8 pictures as 64 pixels in [0, 1]. The others: tables of numbers in their own units."""
    import polars as pl
    from sklearn import datasets

    # The rows of diabetes are standardised by scikit-learn unless asked not to be.
    found = datasets.load_diabetes(scaled=False) if name == "diabetes" else getattr(datasets, f"load_{name}")()
    classes = tuple(map(str, found.target_names)) if "target_names" in found else None
    if name == "digits":
        pixels = (found.data / 16.0).astype(np.float32)  # the pixels are whole numbers from 0 to 16
        return SourceRows(name, RawRows(pixels, found.target), class_names=classes, image_shape=(8, 8))
    table = pl.DataFrame(found.data, list(map(str, found.feature_names)), orient="row")
    return SourceRows(name, RawRows(table, found.target), class_names=classes)


def unknown_name(name: str, sweeps: Sequence[str] = ()) -> DataError:
    """The error for a name of neither a data set nor one of the sweeps, with the nearest name or all data sets."""
    near = nearest(name, (*DATA_NAMES, *sweeps))
    return DataError(
        f"there is no data set {name!r}" + (", nor a sweep of that name" if sweeps else ""),
        hint=f"Did you mean `{near}`?" if near else f"The data sets are {join(DATA_NAMES)}",
    )
