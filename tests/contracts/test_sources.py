"""The contract of sources over all kinds that are registered."""

from pathlib import Path

import pytest
from tests.helpers.data_specs import HOUSES, MOONS, PLANTS, write_pictures
from tests.helpers.sql import ORDERED, write_shop

from keras_sweep.data.source import read_source
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import SOURCES, DataSpec, SeriesOptions, SqlOptions
from keras_sweep.testing.sources import SourceContract

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


MISSING = {"python": "contract_rows:nothing", "sql": "select * from nothing"}


def test_every_kind_is_tested_here() -> None:
    assert set(SOURCES) == set(MEMBERS)


@pytest.mark.parametrize("kind", MEMBERS)
class TestEverySource(SourceContract):
    @pytest.fixture(autouse=True)
    def _kind(self, kind: str) -> None:
        self.data, self.missing = MEMBERS[kind], MISSING.get(kind, "nothing")

    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.syspath_prepend(str(tmp_path))
        text = "import numpy as np\ndef rows():\n    return np.eye(6, dtype='float32'), np.arange(6) % 2\n"
        (tmp_path / "contract_rows.py").write_text(text)
        (tmp_path / "it.csv").write_text("price\n" + "\n".join(map(str, range(30))) + "\n")
        write_pictures(tmp_path / "photos", 4)
        write_shop(tmp_path / "shop.db")
        return tmp_path


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz", "series"])
def test_a_file_that_is_gone_is_named_with_where_it_is_looked_for(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file .*\bgone\. Paths are relative to the space file"):
        read_source(DataSpec(kind, "gone", "y", options=SERIES.options if kind == "series" else None), tmp_path)
