"""CSV and Parquet files: every fault by name, no traceback of polars."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from keras_sweep.data.source import SourceRows, read_source
from keras_sweep.data.table_columns import MOST_COLUMNS, number_matrix
from keras_sweep.data.table_files import load_csv
from keras_sweep.errors import DataError, TableError
from keras_sweep.space.data_spec import CsvOptions, DataSpec
from keras_sweep.views.terminal.console import error_lines


def csv(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "it.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, target: str = "target", weights: str | None = None) -> SourceRows:
    """A file whose name ends with its kind."""
    return read_source(DataSpec(path.suffix[1:], path.name, target, weights=weights), path.parent)


def test_a_column_of_weights_is_no_feature(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,weight,target\n1,0.5,p\n2,3,q\n")
    rows = read(path, weights="weight").rows
    assert rows.x.columns == ["a"] and rows.weights.tolist() == [0.5, 3.0]
    assert rows.take(np.array([1])).weights.tolist() == [3.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,w,target\n1,-2,p\n", "the weights column 'w' must be at least 0, but got -2 in row 1"),
        ("a,w,target\n1,,p\n2,3,q\n", "'w' has no value in 1 row, first in row 1"),
        ("a,w,target\n1,x,p\n", "'w' must be a number for each of 1 rows, .*, but got ndarray of shape"),
        ("w,target\n1,p\n", "has no column but the target 'target' and the weights 'w'"),
        ("a,weigh,target\n1,2,p\n", "has no column 'w'. Choose from its columns:"),
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


def test_line_ends_of_windows_change_no_row(tmp_path: Path) -> None:
    content = 'a,"b, c",target\n1,2024-05-13,no\n2.5,2024-05-14,yes\n,2024-05-15,"no"\n'
    plain, windows = (read(csv(tmp_path, text)).rows for text in (content, content.replace("\n", "\r\n")))
    assert plain is not None and windows is not None
    assert windows.x.equals(plain.x) and windows.x.columns == plain.x.columns
    assert windows.y.tolist() == plain.y.tolist() == ["no", "yes", "no"]


def test_parquet_gives_the_same(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b,target\n1,x,p\n2,,q\n")
    pl.read_csv(path).write_parquet(tmp_path / "it.parquet")
    one, other = read(path, "target"), read(tmp_path / "it.parquet", "target")
    assert one.rows.x.equals(other.rows.x) and one.rows.y.tolist() == other.rows.y.tolist() == ["p", "q"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "can't be read as csv: empty CSV"),
        ("a,a,target\n1,2,3\n", "several columns called 'a'"),
        ("a,tarket\n1,2\n", "no column 'target'. Did you mean 'tarket'"),
        ("a,b\n1,2\n", "no column 'target'. Choose from its columns: 'a', 'b'"),
        ("target\n1\n", "no column but the target"),
        ("a,target\n", r"it\.csv has no rows below its header\. Add rows to learn from"),
        ("a,target\n1,2\n3,\n5,\n", "no value in 2 rows, first in row 2"),
        ("a,target\n1,0.5\n3,NaN\n", "no value in 1 row, first in row 2"),
        ("a,target\n1,2024-01-01\n3,2024-01-02\n", "must be numbers, text or booleans, but got Date"),
        ("a,b,target\ninf,-inf,1\n3,1,2\n", "'a' must .* got inf in row 1.*\n.*'b' must .* got -inf in row 1"),
        (
            "a,b,target\n1,5,1\n?,x,0\n3,6,\n",
            "target' has no value .* row 3.*\n.*'a' must be .*'[?]' in row 2.*\n.*'b' must be",
        ),
        ("a,target\n1,2\n1,2,3,4\n", "can't be read as csv"),
        (b"a,target\n\xff\xfe,1\n", "can't be read as csv"),
    ],
)
def test_faults_of_csv_files(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(csv(tmp_path, content), "target")


@pytest.mark.soak
def test_more_columns_than_are_taken_are_refused_by_the_header_alone(tmp_path: Path) -> None:
    path = csv(tmp_path, ",".join(f"c{k}" for k in range(MOST_COLUMNS + 1)) + "\nno,rows\n")
    with pytest.raises(DataError, match=r"it\.csv must have at most 50,000 columns, but got 50,001\. Give wide"):
        read(path, "c0")
    pl.DataFrame({f"c{k}": [0] for k in range(MOST_COLUMNS + 1)}).write_parquet(tmp_path / "it.parquet")
    with pytest.raises(DataError, match=r"it\.parquet must have at most 50,000 columns, but got 50,001"):
        read(tmp_path / "it.parquet", "c0")


def test_whole_numbers_of_any_size_are_numbers(tmp_path: Path) -> None:
    source = read(csv(tmp_path, "a,target\n99999999999999999999999,1\n2,99999999999999999999999\n"), "target")
    assert source.rows is not None and source.rows.y.tolist() == [1.0, 1e23]
    assert number_matrix(source.rows.x, ["a"])[:, 0].tolist() == [np.float32(1e23), 2.0]


def test_faults_of_parquet_files(tmp_path: Path) -> None:
    path = tmp_path / "it.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(DataError, match="can't be read as parquet"):
        read(path, "target")


def told(tmp_path: Path, content: str, **options: object) -> SourceRows:
    data = DataSpec("csv", csv(tmp_path, content).name, "target", options=CsvOptions(**options))  # type: ignore[arg-type]
    return read_source(data, tmp_path)


def test_columns_are_picked_left_out_and_taken_as_categories(tmp_path: Path) -> None:
    content = "id;a;kind;b;target\n1;0.5;3;7;p\n2;NA;1;-9;q\n3;1;;8;\n"
    source = told(tmp_path, content, separator=";", drop=["id"], categories=["kind"],
                  missing=["NA", -9], missing_target="drop")  # fmt: skip
    assert source.rows.x.to_dict(as_series=False) == {"a": [0.5, None], "kind": ["3", "1"], "b": [7, None]}
    assert source.rows.y.tolist() == ["p", "q"]
    assert source.notices == ("1 row without 'target' left out",)
    source = told(tmp_path, content, separator=";", columns=["b", "target"], missing_target="drop")
    assert source.rows.x.columns == ["b"]
    with pytest.raises(DataError, match=r"has no column 'target'\. Its only column is .*: write `separator: .;.`"):
        told(tmp_path, content)


def test_dates_become_numbers(tmp_path: Path) -> None:
    source = told(tmp_path, "day,at,target\n29.02.2024,2024-02-29 13:30:00,1\n,,2\n")
    row = dict(zip(source.rows.x.columns, source.rows.x.row(0), strict=True))
    of_day = {"day (year)": 2024, "day (month)": 2, "day (day)": 29, "day (weekday)": 4}
    of_time = {f"at{name[3:]}": value for name, value in of_day.items()} | {"at (hour)": 13}
    assert row == of_day | of_time and set(source.rows.x.row(1)) == {None}


@pytest.mark.parametrize("first", ["2024-01-31", "2024-01-31T10:00", "ulm", "", "7", '"2024-01-31"'])
def test_columns_have_the_types_that_polars_sees_in_all_rows(tmp_path: Path, first: str) -> None:
    for others in ("2024-02-01,kiel,1\n2024-02-02,,2.5\n", "kiel,2024-02-01,x\n,2024-02-02,3\n", ",,\n"):
        path = tmp_path / "it.csv"
        path.write_text(f"a,b,c\n{first},{first},{first}\n{others}")
        frame, _ = load_csv(path, None, [])
        assert frame.equals(pl.read_csv(path, infer_schema_length=None, try_parse_dates=True))
        assert frame.dtypes == pl.read_csv(path, infer_schema_length=None, try_parse_dates=True).dtypes


def test_numbers_and_dates_of_other_places_are_read(tmp_path: Path) -> None:
    content = "id;price;rate;sold;zone;target\n1.101;1.200,5;5%;02/29/2024;1,5;3,5\n2.300;-9;7%;03/01/2024;2,5;-9\n"
    source = told(tmp_path, content, separator=";", categories=["zone"], missing=[-9], missing_target="drop")
    assert source.rows.x.rows() == [(1101, 1200.5, 5, 2024, 2, 29, 4, "1,5")] and source.rows.y.tolist() == [3.5]
    assert source.notices[1:] == (
        "columns 'price', 'rate', 'target', 'id' are read as numbers with decimal commas: "
        'confirm with `decimal: ","` in `data`, or list columns of texts in `categories`',
    )
    assert source.ways["id"] == source.ways["price"] == "," and source.ways["sold"] == "month-first"


@pytest.mark.parametrize(
    ("keys", "price", "month"),
    [({"decimal": ".", "dates": "month-first"}, 1101, 2), ({"decimal": ",", "dates": "day-first"}, 1.101, 3)],
)
def test_numbers_and_dates_that_may_be_two_things_take_a_key(
    tmp_path: Path, keys: dict[str, str], price: float, month: int
) -> None:
    content = 'price,sold,target\n"1,101",02/03/2024,1\n"2,202",02/04/2024,2\n'
    with pytest.raises(TableError) as caught:
        told(tmp_path, content)
    assert caught.value.options == {"decimal": ".", "dates": "day-first"} and len(caught.value.faults) == 2
    source = told(tmp_path, content, **keys)
    assert (source.rows.x["price"][0], source.rows.x["sold (month)"][0]) == (price, month)
    assert told(tmp_path, content, drop=["sold"], categories=["price"]).rows.x["price"].to_list() == ["1,101", "2,202"]


def test_parquet_texts_are_read_alike_but_plain_numbers_are_categories(tmp_path: Path) -> None:
    table = pl.DataFrame({"code": ["01", "02"], "price": ["1,5", "1.101,5"], "x": [1.101, 2.202], "target": [1, 2]})
    table.write_parquet(tmp_path / "it.parquet")
    source = read(tmp_path / "it.parquet")
    assert source.rows.x.to_dict(as_series=False) == {
        "code": ["01", "02"], "price": [1.5, 1101.5], "x": [1.101, 2.202]
    }  # fmt: skip


def test_a_text_among_numbers_with_decimal_commas_is_named_with_the_option_that_mends_it(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="'a' must be numbers, but got 'NA' in row 2") as caught:
        told(tmp_path, "a;target\n1,5;1\nNA;2\n2,5;1\n", separator=";")
    assert caught.value.options == {"missing": ["NA"]}


def test_all_faults_of_a_table_and_the_options_that_mend_them_are_told_at_once(tmp_path: Path) -> None:
    rows = "\n".join(f"{n},t{n},{'NA' if n % 7 else n},{'n/a' if n % 5 == 0 else n},{n % 2 or ''}" for n in range(150))
    with pytest.raises(TableError) as caught:
        told(tmp_path, f"PassengerId,Name,rare,Age,target\n{rows}\n", drop=["absent"])
    assert [str(fault).split(". ")[0] for fault in caught.value.faults] == [
        "has no column 'absent'",
        "the target column 'target' has no value in 75 rows, first in row 1",
        "column 'Age' must be numbers, but got 'n/a' in row 1",
        "column 'Name' must have at most 100 categories, but got 150 different texts in 150 rows",
    ]
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(
        '`drop: [PassengerId, Name]` and `missing: [NA, "n/a"]` beside the file in `data`'
    )
    assert error_lines(caught.value)[-1] == caught.value.hint
