"""The contract of every data source as tests: rows with labels, and the same rows at each read."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from keras_sweep.data.source import RawRows, SourceRows, read_source
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import SOURCES, DataSpec


def list_parts(rows: SourceRows) -> list[RawRows]:
    return [part for part in (rows.rows, rows.train, rows.validation, rows.test) if part is not None]


def has_same_values(a: Any, b: Any) -> bool:
    """Check whether two NumPy arrays, or two Polars tables, are equal."""
    return bool(np.array_equal(a, b)) if isinstance(a, np.ndarray) else bool(a.equals(b))


class SourceContract:
    """The tests of a data source. A test class derives from it and says what to read:

        class TestStripes(SourceContract):
            data = DataSpec("stripes", "12", "label")
            missing = "nothing"

    Attributes:
        data: the registered kind of the source, and what it reads.
        missing: a `data.source` that can't be read. The error must name the last word of `missing`.
    """

    data: DataSpec
    missing: str

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Return the folder of the space file. Override the fixture to write the files that `data` names."""
        return tmp_path

    def test_gives_rows_with_one_label_each(self, folder: Path) -> None:
        rows = SOURCES.find(self.data.kind).read(self.data, folder)
        assert rows.name and list_parts(rows)
        assert (rows.rows is None) == (rows.train is not None)
        for part in list_parts(rows):
            assert len(part.x) == len(part.y) > 0
            assert isinstance(part.x, np.ndarray | pl.DataFrame)

    def test_gives_the_same_rows_again(self, folder: Path) -> None:
        first, second = (list_parts(read_source(self.data, folder)) for _ in range(2))
        for a, b in zip(first, second, strict=True):
            assert has_same_values(a.x, b.x) and has_same_values(a.y, b.y)

    def test_names_a_source_that_it_can_not_read(self, folder: Path) -> None:
        data = DataSpec(self.data.kind, self.missing, "y", options=self.data.options)
        with pytest.raises(DataError, match=self.missing.replace(":", " ").split()[-1]):
            SOURCES.find(data.kind).read(data, folder)
