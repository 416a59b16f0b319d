"""Read the data source that a space file names under `data`. `split.py` splits the rows."""

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
from keras_sweep.space.text import did_you_mean, join

if TYPE_CHECKING:
    import polars as pl

Features: TypeAlias = "Arrays | pl.DataFrame"


@dataclass(frozen=True, slots=True)
class RawRows(Rows):
    """Hold rows as the source has them: `x` is an array or a table of columns, `y` is numbers or text."""

    places: Mapping[str, npt.NDArray[np.intp]] = field(default_factory=dict)  # column -> [N] ranks of groups or times

    def take(self, rows: npt.NDArray[np.integer]) -> RawRows:
        base = Rows.take(self, rows)
        return RawRows(base.x, base.y, base.weights, places={name: ranks[rows] for name, ranks in self.places.items()})


@dataclass(frozen=True)
class SourceRows:
    """Hold all rows of a source. The rows may include test rows, so the object lives only while data are loaded."""

    name: str
    rows: RawRows | None = None  # None if the source is split already: then `train` and other parts are set
    train: RawRows | None = None
    validation: RawRows | None = None
    test: RawRows | None = None
    class_names: tuple[str, ...] | None = None  # [C], by label 0 .. C - 1, if the source knows the names
    image_shape: tuple[int, ...] | None = None  # (H, W) or (H, W, 3), if a row of x is a picture
    pictures: ImageSet | None = None  # the published set, if x is its bytes; its test rows are in separate files
    series: tuple[str, ...] | None = None  # the column names, if a row of x is a window of a series
    stream: Stream | None = None  # the training dataset, if `fit` iterates it; `train` then has the validation rows
    notices: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()  # notices of leaks that the order of the rows shows
    ways: Mapping[str, str] = field(default_factory=dict)  # column -> how its texts were read as numbers or dates


@dataclass(frozen=True, slots=True)
class Parts:
    """Hold the split rows of a source. With folds, `train` and `validation` both have all rows but the test rows."""

    source: SourceRows
    train: RawRows
    validation: RawRows
    test: RawRows | None
    folds: tuple[Fold, ...] = ()


SKLEARN_SETS = ("digits", "iris", "wine", "breast_cancer", "diabetes")
DATA_NAMES = (*IMAGE_SETS, *SKLEARN_SETS)


def image_set(data: DataSpec) -> ImageSet | None:
    return IMAGE_SETS.get(data.source) if data.kind == "named" else None


def read_source(data: DataSpec, folder: Path) -> SourceRows:
    """Read all rows that `data` names, without the test rows of a published picture set. Paths are relative to
    `folder`. Raises DataError."""
    source, path = find_source(data.kind), folder / data.source
    if (source.names == "file" and not path.is_file()) or (source.names == "folder" and not path.is_dir()):
        raise missing_path_error(source.names, path)
    rows: SourceRows = source.read(data, folder)
    return rows


def missing_path_error(what: str, path: Path) -> DataError:
    """Return the error for a path of a space file that does not exist. `what` says "file", "folder" or "database"."""
    hint = "Paths are relative to the space file. For `sweep verify`, set the folder with `--data-dir`"
    return DataError(f"there is no {what} {path}", hint=hint)


def read_named(data: DataSpec, _: Path) -> SourceRows:
    if (pictures := image_set(data)) is not None:
        train, names = RawRows(*pictures.search_arrays()), pictures.class_names
        return SourceRows(data.source, train=train, class_names=names, image_shape=pictures.shape, pictures=pictures)
    if data.source not in SKLEARN_SETS:
        raise unknown_name(data.source)
    return read_sklearn_set(data.source)


def read_sklearn_set(name: str) -> SourceRows:
    """Read the unscaled data set `name` of scikit-learn, like "iris". Only pixels of `digits` are scaled: 0 to 1."""
    import polars as pl
    from sklearn import datasets

    # By default scikit-learn standardises the rows of diabetes.
    dataset = datasets.load_diabetes(scaled=False) if name == "diabetes" else getattr(datasets, f"load_{name}")()
    classes = tuple(map(str, dataset.target_names)) if "target_names" in dataset else None
    if name == "digits":
        pixels = (dataset.data / 16.0).astype(np.float32)  # the pixels are 0 to 16
        return SourceRows(name, RawRows(pixels, dataset.target), class_names=classes, image_shape=(8, 8))
    table = pl.DataFrame(dataset.data, list(map(str, dataset.feature_names)), orient="row")
    return SourceRows(name, RawRows(table, dataset.target), class_names=classes)


def unknown_name(name: str, sweeps: Sequence[str] = ()) -> DataError:
    """Return the error for a name that is neither a data set nor in `sweeps`. The hint has the nearest known name."""
    hint = did_you_mean(name, (*DATA_NAMES, *sweeps)) or f"Choose from {join(DATA_NAMES)}"
    return DataError(f"there is no data set {'or sweep ' if sweeps else ''}{name!r}", hint=hint)
