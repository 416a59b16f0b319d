"""CSV and Parquet files: every fault by name, no traceback of polars."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from keras_sweep.data.source import Source
from keras_sweep.data.table_columns import MOST_COLUMNS, number_matrix
from keras_sweep.data.table_files import read_table
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import DataSpec


def csv(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "it.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, target: str = "target", weights: str | None = None) -> Source:
    """A file whose name ends with its kind."""
    return read_table(DataSpec(path.suffix[1:], path.name, target, weights=weights), path.parent)


def test_a_column_of_weights_is_no_feature(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,weight,target\n1,0.5,p\n2,3,q\n")
    rows = read(path, weights="weight").rows
    assert rows.x.columns == ["a"] and rows.weights.tolist() == [0.5, 3.0]
    assert rows.take(np.array([1])).weights.tolist() == [3.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,w,target\n1,-2,p\n", "the weights column 'w' of .* has -2 in row 1. Weights are 0 or more"),
        ("a,w,target\n1,,p\n2,3,q\n", "'w' of .* has no value in 1 row, at first in row 1"),
        ("a,w,target\n1,x,p\n", "'w' of .* is ndarray of shape .*, not one number for each of 1 rows"),
        ("a,w,target\n1,2020-02-02,p\n", "'w' of .* is of type Date"),
        ("w,target\n1,p\n", "has no column but the target 'target' and the weights 'w'"),
        ("a,weigh,target\n1,2,p\n", "has no column 'w'. Its columns are"),
    ],
)
def test_a_column_that_can_not_be_weights(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(csv(tmp_path, content), weights="w")


def test_reads_types_from_all_rows(tmp_path: Path) -> None:
    rows = "\n".join(f"{k},x,1" for k in range(2000))
    source = read(csv(tmp_path, f"a,b,target\n{rows}\n0.5,y,2\n"), "target")
    assert source.rows is not None and len(source.rows) == 2001
    assert source.rows.x.schema == {"a": pl.Float64, "b": pl.String}
    assert source.name == "it.csv"


def test_a_byte_order_mark_and_quotes_are_no_part_of_a_name(tmp_path: Path) -> None:
    source = read(csv(tmp_path, b'\xef\xbb\xbf"a","the, b"\n1,2\n3,4\n'), "the, b")
    assert source.rows is not None and source.rows.x.columns == ["a"]
    assert source.rows.y.tolist() == [2, 4]
    source = read(csv(tmp_path, '"a ""b""","the ""c"""\n1,2\n3,4\n'), 'the "c"')
    assert source.rows is not None and source.rows.x.columns == ['a "b"']


def test_parquet_gives_the_same(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b,target\n1,x,p\n2,,q\n")
    pl.read_csv(path).write_parquet(tmp_path / "it.parquet")
    one, other = read(path, "target"), read(tmp_path / "it.parquet", "target")
    assert one.rows.x.equals(other.rows.x) and one.rows.y.tolist() == other.rows.y.tolist() == ["p", "q"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "can't be read as csv: empty CSV"),
        ("\n\n", "can't be read as csv: empty CSV"),
        ("a,a,target\n1,2,3\n", "several columns called 'a'"),
        ("a,tarket\n1,2\n", "no column 'target'. Did you mean 'tarket'"),
        ("a,b\n1,2\n", "no column 'target'. Its columns are 'a', 'b'"),
        ("target\n1\n", "no column but the target"),
        ("a,target\n1,2\n3,\n5,\n", "no value in 2 rows, at first in row 2"),
        ('a,target\n1,x\n3,""\n', "no value in 1 row, at first in row 2"),
        ("a,target\n1,0.5\n3,NaN\n", "no value in 1 row, at first in row 2"),
        ("a,target\n1,0.5\n3,inf\n", "target column .* has inf in row 2"),
        ("a,target\n1,2024-01-01\n3,2024-01-02\n", "of type Date"),
        ("a,target\n1,1\n1e39,2\n", "column 'a' has 1e\\+39 in row 2, but models take numbers of 32 bits"),
        ("a,b,target\ninf,-inf,1\n3,1,2\n", "'a' has inf in row 1.*\n.*'b' has -inf in row 1"),
        ("a,target\n1,2\nn/a,3\n5,4\n", "'a' has text where numbers should be: 'n/a' in row 2"),
        ("a,b,target\n1,2024-01-01,1\n?,2024-01-02,0\n3,,1\n", "'a' has text.*'[?]' in row 2.*\n.*'b' is of type Date"),
        ("a,target\n1,2\n1,2,3,4\n", "can't be read as csv"),
        (b"a,target\n\xff\xfe,1\n", "can't be read as csv"),
        (b"\x00\x01\xff\x02", "can't be read as csv"),
    ],
)
def test_faults_of_csv_files(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(csv(tmp_path, content), "target")


def test_more_columns_than_are_taken_are_refused_by_the_header_alone(tmp_path: Path) -> None:
    path = csv(tmp_path, ",".join(f"c{k}" for k in range(MOST_COLUMNS + 1)) + "\nno,rows\n")
    with pytest.raises(DataError, match=r"it\.csv has 50,001 columns; at most 50,000 are taken\. Give wide"):
        read(path, "c0")
    pl.DataFrame({f"c{k}": [0] for k in range(MOST_COLUMNS + 1)}).write_parquet(tmp_path / "it.parquet")
    with pytest.raises(DataError, match=r"it\.parquet has 50,001 columns; at most 50,000"):
        read(tmp_path / "it.parquet", "c0")


def test_a_header_that_csv_can_not_hold_is_a_plain_fault(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't be read as csv"):
        read(csv(tmp_path, '"' + "x" * 200_000 + '",target\n1,2\n'), "target")


def test_whole_numbers_of_any_size_are_numbers(tmp_path: Path) -> None:
    source = read(csv(tmp_path, "a,target\n99999999999999999999999,1\n2,99999999999999999999999\n"), "target")
    assert source.rows is not None and source.rows.y.tolist() == [1.0, 1e23]
    assert number_matrix(source.rows.x, ["a"])[:, 0].tolist() == [np.float32(1e23), 2.0]


def test_faults_of_parquet_files(tmp_path: Path) -> None:
    path = tmp_path / "it.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(DataError, match="can't be read as parquet"):
        read(path, "target")


@pytest.mark.parametrize("name", ["absent.csv", "."])
def test_files_that_are_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"there is no file .*\. Paths are relative to the space file"):
        read_table(DataSpec("csv", name, "target"), tmp_path)
