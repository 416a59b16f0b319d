"""A query's rows are those of the CSV file with the same lines; it only reads; every fault is told with its place."""

import csv
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.search_data import SearchData
from keras_sweep.data.table_preprocessing import inputs_code
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import CsvOptions, DataSpec, SqlOptions
from tests.helpers.data_specs import spec_of
from tests.helpers.sql import HOUSES, ORDERED, write_shop

FILE = "shop.db"
ODD = "a shop?#%20.db"


def load(folder: Path, query: str = ORDERED, database: str = FILE, **options: object) -> SearchData:
    data = DataSpec("sql", query, "price", transform="log", options=SqlOptions(database=database, **options))  # type: ignore[arg-type]
    return load_search_data(spec_of(data, "mse", folder))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    write_shop(tmp_path / FILE)
    return tmp_path


@pytest.mark.parametrize("options", [{}, {"missing": ["-", 3], "drop": ["id"], "categories": ["rooms"]}])
def test_the_rows_are_those_of_a_csv_file_of_the_same_lines(shop: Path, options: dict[str, list[str]]) -> None:
    with closing(sqlite3.connect(shop / FILE)) as connection, (shop / "it.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HOUSES, *connection.execute(ORDERED)])
    (shop / FILE).rename(shop / ODD)
    table = DataSpec("csv", "it.csv", "price", transform="log", options=CsvOptions(**options))  # type: ignore[arg-type]
    expected, found = load_search_data(spec_of(table, "mse", shop)), load(shop, database=ODD, **options)
    assert (found.name, found.fingerprint, found.test_fingerprint) == (
        ODD, expected.fingerprint, expected.test_fingerprint
    )  # fmt: skip
    assert (found.notices, found.leaks, found.scale) == (expected.notices, expected.leaks, expected.scale)
    assert found.preprocessing.columns == expected.preprocessing.columns and len(found.preprocessing.columns) > 5
    assert load(shop, database=ODD, **options).fingerprint == found.fingerprint
    assert load(shop, f"{ORDERED} desc", ODD, **options).fingerprint != found.fingerprint


def test_a_url_asks_any_database_as_it_stands_in_the_query(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP", f"sqlite:///{shop / FILE}")
    query = "select * from houses where note <> '12:30' and zone like '%' order by id"
    expected = load(shop, query)
    for database in ("$SHOP", f"sqlite:///{shop / FILE}"):
        assert load(shop, query, database).fingerprint == expected.fingerprint


@pytest.mark.parametrize("size", ["size", "null", "cast(size as text)"])
def test_columns_may_have_no_value_no_text_or_numbers_as_texts(shop: Path, size: str) -> None:
    found = load(shop, f"select {size} as size, rooms, price from houses order by id")
    assert found.train.x.shape == (76, 2 + (size != "null"))


@pytest.mark.parametrize("query", ["with x as (select 1) delete from houses", "select 1; delete from houses"])
@pytest.mark.parametrize("url", ["", "sqlite:///"])
def test_a_query_changes_nothing(shop: Path, query: str, url: str) -> None:
    before = (shop / FILE).read_bytes()
    with pytest.raises(DataError, match=r"shop\.db can't be read by `sql`: "):
        load(shop, query, f"{url}{shop / FILE}")
    assert (shop / FILE).read_bytes() == before and [path.name for path in shop.iterdir()] == [FILE]


FAULTS = [
    ("select * from hauses", FILE, r"/shop\.db can't be .*: no such table: hauses\. Choose from its tables: 'houses'$"),
    ("select size, rooms from houses", FILE, r"/shop\.db: has no column 'price'\. Choose .*: 'size', 'rooms'$"),
    ("select a.size, b.size from houses a, houses b", FILE, "has several columns called 'size'"),
    ("select x'00' as picture, price from houses", FILE, r"column 'picture' must be numbers or text, but got Binary"),
    ("select size, price from houses where size < 0", FILE, r"`sql` gives no rows of .*/shop\.db\. Fix its `where`"),
    ("delete from houses", FILE, r"`sql` must begin with `select`, `with` or `values`, but got 'delete from houses'"),
    (ORDERED, "gone.db", r"there is no database .*/gone\.db\. Paths are relative to the space file"),
    (ORDERED, __file__, "file is not a database"),
    (ORDERED, "nosuch://host/shop", r"nosuch://host/shop can't be read by `sql`: Can't load plugin"),
    (ORDERED, "mysql://host/shop", r"mysql://host/shop can't be read by `sql`: No module .* Install its driver"),
    (ORDERED, "$NOT_SET_HERE", r"the environment variable in `database: \$NOT_SET_HERE` is not set"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "database", "message"), FAULTS)
def test_a_fault_is_told_with_its_place(shop: Path, query: str, database: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(shop, query, database)


def test_a_password_is_asked_for_by_the_name_of_a_variable_and_told_to_nobody(shop: Path) -> None:
    with pytest.raises(DataError, match=r"has a password, .* and write `\$NAME` in its place") as told:
        load(shop, database="postgresql://me:secret@host/shop")
    assert "secret" not in str(told.value)


def test_the_lines_of_the_card_ask_the_query_again(shop: Path) -> None:
    found = load(shop, missing=["-"], categories=["rooms"])
    data = DataSpec("sql", ORDERED, "price", options=SqlOptions(database=FILE, missing=["-"], categories=["rooms"]))
    of_path: list[dict[str, Any]] = [{"path": shop / FILE}, {"path": f"sqlite:///{shop / FILE}"}]
    for known in of_path:
        exec(inputs_code(data, found.preprocessing)["inputs"], known)
    with closing(sqlite3.connect(shop / FILE)) as connection:
        rows = np.array(connection.execute(ORDERED).fetchall(), object)
    for known in of_path:
        assert known["x"]["size"][:, 0].tolist() == rows[:, 1].astype(np.float32).tolist()
