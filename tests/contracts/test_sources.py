"""What every kind of source promises: it gives rows with labels, whole or in parts, and the same ones each time."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.helpers.data_specs import HOUSES, MOONS, PLANTS, write_pictures
from tests.helpers.sql import ORDERED, write_shop

from keras_sweep.data.source import RawRows, SourceRows, read_source
from keras_sweep.data.sql_query import SqlOptions
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import SOURCES, DataSpec, SeriesOptions

OWN = DataSpec("python", "contract_rows:rows")
IMAGES = DataSpec("images", "photos")
SERIES = DataSpec("series", "it.csv", "price", options=SeriesOptions(window=2))
SQL = DataSpec("sql", ORDERED, "price", options=SqlOptions(database="shop.db"))
MEMBERS = {
    "csv": PLANTS,
    "parquet": HOUSES,
    "sql": SQL,
    "npz": MOONS,
    "python": OWN,
    "images": IMAGES,
    "series": SERIES,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    text = "import numpy as np\ndef rows():\n    return np.eye(6, dtype='float32'), np.arange(6) % 2\n"
    (tmp_path / "contract_rows.py").write_text(text)
    (tmp_path / "it.csv").write_text("price\n" + "\n".join(map(str, range(30))) + "\n")
    write_pictures(tmp_path / "photos", 4)
    write_shop(tmp_path / "shop.db")
    return tmp_path


def parts(source: SourceRows) -> list[RawRows]:
    return [part for part in (source.rows, source.train, source.validation, source.test) if part is not None]


def test_every_kind_is_tested_here() -> None:
    assert set(SOURCES) == set(MEMBERS)


@pytest.mark.parametrize("kind", MEMBERS)
class TestEverySource:
    def test_gives_rows_with_one_label_each(self, kind: str, folder: Path) -> None:
        source = SOURCES[kind].read(MEMBERS[kind], folder)
        assert source.name and parts(source)
        assert (source.rows is None) == (source.train is not None)
        for part in parts(source):
            assert len(part.x) == len(part.y) > 0
            assert isinstance(part.x, np.ndarray | pl.DataFrame)

    def test_gives_the_same_rows_again(self, kind: str, folder: Path) -> None:
        first, again = (parts(SOURCES[kind].read(MEMBERS[kind], folder)) for _ in range(2))
        for one, other in zip(first, again, strict=True):
            assert one.x.equals(other.x) if isinstance(one.x, pl.DataFrame) else np.array_equal(one.x, other.x)
            assert np.array_equal(one.y, other.y)

    def test_says_what_can_not_be_read(self, kind: str, folder: Path) -> None:
        missing = {"python": "contract_rows:nothing", "sql": "select * from nothing"}.get(kind, "nothing")
        with pytest.raises(DataError, match="nothing"):
            SOURCES[kind].read(DataSpec(kind, missing, "y", options=MEMBERS[kind].options), folder)


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz", "series"])
def test_a_file_that_is_gone_is_named_with_where_it_is_looked_for(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file .*\bgone\. Paths are relative to the space file"):
        read_source(DataSpec(kind, "gone", "y", options=SERIES.options if kind == "series" else None), tmp_path)
