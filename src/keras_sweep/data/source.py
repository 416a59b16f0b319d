"""What a source of data gives before it is split: rows as they were read, features and labels apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from keras_sweep.data.search_data import Array, Fold

if TYPE_CHECKING:
    import polars as pl

Features: TypeAlias = "Array | pl.DataFrame"


@dataclass(frozen=True, slots=True)
class RawRows:
    """Rows of a source: an array, or a table of columns, and one label a row."""

    x: Features  # [N, ...] array, or a table of N rows without the target
    y: Array  # [N] numbers or text, or [N, C]

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: npt.NDArray[np.intp]) -> RawRows:
        """A copy of these rows, sharing no memory with the others."""
        return RawRows(self.x[rows], self.y[rows])


@dataclass(frozen=True)
class Source:
    """All rows of a source. It lives only while data are loaded: it may hold test rows."""

    name: str
    rows: RawRows | None = None  # where nothing is split yet; else the parts below are there
    train: RawRows | None = None
    validation: RawRows | None = None
    test: RawRows | None = None
    class_names: tuple[str, ...] | None = None  # of the labels 0 .. C - 1, where the source knows them
    image_shape: tuple[int, ...] | None = None  # where a row of x is a picture
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """The rows of a source, split. With folds all rows but the test rows are training and validation rows both."""

    train: RawRows
    validation: RawRows
    test: RawRows | None
    folds: tuple[Fold, ...] = ()
