from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from keras_sweep.data import table_copies
from keras_sweep.data.table_files import load_csv
from keras_sweep.space.data_spec import CsvOptions

TEXT = "day,name,price,gap\n2024-01-31,a,1.5,\n2024-02-01,,2,7\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWEEP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(table_copies, "SMALL", 0)
    return tmp_path / "cache" / "tables"


def load(path: Path, text: str = TEXT, gaps: tuple[str, ...] = ()) -> pl.DataFrame:
    path.write_text(text)
    return load_csv(path, CsvOptions(), list(gaps))[0]


def copies(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def test_a_copy_equals_the_parsed_file(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(tmp_path / "it.csv")
    assert len(copies(cache)) == 1
    monkeypatch.setattr(pl, "read_csv", pytest.fail)  # a copy is read, so nothing is parsed
    assert_frame_equal(load(tmp_path / "other.csv"), first)


def test_other_rows_and_other_options_have_copies_of_their_own(cache: Path, tmp_path: Path) -> None:
    load(tmp_path / "it.csv")
    assert load(tmp_path / "it.csv", TEXT.replace("1.5", "3.5"))["price"].to_list() == [3.5, 2.0]
    assert load(tmp_path / "it.csv", gaps=("a",))["name"].to_list() == [None, None]
    assert len(copies(cache)) == 3


def test_a_damaged_copy_is_not_read(cache: Path, tmp_path: Path) -> None:
    first = load(tmp_path / "it.csv")
    (copy,) = copies(cache)
    whole = copy.read_bytes()
    for damaged in (b"", whole[:-9], whole.replace(b"a", b"b")):
        copy.write_bytes(damaged)
        assert_frame_equal(load(tmp_path / "it.csv"), first)
        assert copy.read_bytes() == whole


def test_without_a_cache_the_file_is_parsed(cache: Path, tmp_path: Path) -> None:
    cache.parent.write_text("a file")
    assert load(tmp_path / "it.csv").shape == (2, 4)


def test_a_small_file_has_no_copy(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_copies, "SMALL", 1_000)
    load(tmp_path / "it.csv")
    assert not cache.exists()


def test_old_copies_are_deleted_beyond_the_bound(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(tmp_path / "it.csv")
    (old,) = copies(cache)
    monkeypatch.setattr(table_copies, "MOST_BYTES", int(1.5 * old.stat().st_size))
    load(tmp_path / "it.csv", TEXT.replace("1.5", "3.5"))
    assert len(copies(cache)) == 1 and old not in copies(cache)
