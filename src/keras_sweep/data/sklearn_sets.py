"""The small data sets that come with scikit-learn, so that they need no download."""

from __future__ import annotations

import csv
import gzip
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.number_table import NumberTable
from keras_sweep.data.source import RawRows, Source

_OF_NUCLEI = (
    *("radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points"),
    *("symmetry", "fractal dimension"),
)
_COLUMNS = {
    "iris": ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"),
    "wine": (
        *("alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids"),
        *("nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280/od315_of_diluted_wines"),
        "proline",
    ),
    "breast_cancer": (
        *(f"mean {each}" for each in _OF_NUCLEI),
        *(f"{each} error" for each in _OF_NUCLEI),
        *(f"worst {each}" for each in _OF_NUCLEI),
    ),
    "diabetes": ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"),
}
_CLASSES_FILES = {"iris": "iris.csv", "wine": "wine_data.csv", "breast_cancer": "breast_cancer.csv"}


@dataclass(frozen=True, slots=True)
class _Set:
    """What scikit-learn's loader of a set gives."""

    data: npt.NDArray[np.float64]  # [N, columns]
    target: npt.NDArray[Any]  # [N]
    columns: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None


def read_sklearn_set(name: str) -> Source:
    """`digits`: 8 x 8 pictures as 64 pixels in [0, 1]. The others: tables of numbers in their own units."""
    try:
        found = from_files(name)
    except (OSError, ValueError):  # another scikit-learn keeps them elsewhere, or otherwise
        found = by_loader(name)
    if name == "digits":
        pixels = (found.data / 16.0).astype(np.float32)  # the pixels are whole numbers from 0 to 16
        return Source(name, RawRows(pixels, found.target), class_names=found.classes, image_shape=(8, 8))
    return Source(name, RawRows(NumberTable(found.columns, found.data), found.target), class_names=found.classes)


def from_files(name: str) -> _Set:
    """The set as scikit-learn 1.6 to 1.9 keeps it, without the import of scikit-learn, which takes most of a second.

    Raises OSError or ValueError: it keeps it otherwise.
    """
    spec = importlib.util.find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("sklearn")
    folder = Path(spec.submodule_search_locations[0]) / "datasets" / "data"
    if name == "digits":
        rows = _numbers(folder / "digits.csv.gz", delimiter=",")
        return _Set(rows[:, :-1], rows[:, -1].astype(int), classes=tuple(str(digit) for digit in range(10)))
    if name == "diabetes":
        data = _numbers(folder / "diabetes_data_raw.csv.gz")
        return _Set(data, _numbers(folder / "diabetes_target.csv.gz"), _COLUMNS[name])
    with (folder / _CLASSES_FILES[name]).open(encoding="utf-8") as file:
        (count, width, *classes), *lines = csv.reader(file)
    data = np.array([line[:-1] for line in lines], np.float64)
    if data.shape != (int(count), int(width)):
        raise ValueError(f"{name} has {data.shape} numbers, not {count} x {width}")
    return _Set(data, np.array([line[-1] for line in lines], int), _COLUMNS[name], tuple(classes))


def by_loader(name: str) -> _Set:
    """The set as scikit-learn's own function gives it: the plain form of `from_files`."""
    from sklearn import datasets

    load: Callable[..., Any] = getattr(datasets, f"load_{name}")
    bunch = load(scaled=False) if name == "diabetes" else load()
    classes = None if name == "diabetes" else tuple(str(label) for label in bunch.target_names)
    columns = () if name == "digits" else tuple(str(column) for column in bunch.feature_names)
    return _Set(bunch.data, bunch.target, columns, classes)


def _numbers(path: Path, delimiter: str | None = None) -> npt.NDArray[np.float64]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return np.loadtxt(file, delimiter=delimiter)
