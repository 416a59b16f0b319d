"""The preprocessing in NumPy and inside the exported model give the same, on every backend."""

import json
import os
import sys
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_sweep.data.table_columns import fit_columns
from keras_sweep.data.table_files import load_columns, load_csv
from keras_sweep.data.table_preprocessing import (
    TablePreprocessing,
    code_points,
    column_name,
    input_name,
    inputs_code,
    model_inputs,
    split_dates,
)
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import CsvOptions, DataSpec
from tests.helpers.command import process, python
from tests.helpers.plain_fit import identity

TRAIN = pl.DataFrame(
    {
        "height (cm)": [1.0, None, 3.0, 8.0, 2.0, 2.5],
        "a/b": [10, 20, 30, 40, 50, 61],
        "colour": ["red", "grün", None, "red", "blue", "日本"],
        "same": ["x"] * 6,
        "tiny": [1e-9, 2e-9, 3e-9, 4e-9, 5e-9, 7e-9],
        "a_b": [1, 0, 1, 1, 0, 0],
        "": [4, 5, 6, 7, 8, 8],
        "soil": ["clay", "sand", "clay", "clay", "sand", "sand"],
    }
)
NEW = pl.DataFrame(
    {
        "height (cm)": [None, 1.5, 2.5, 100.0],
        "a/b": [None, -5, 30, 7],
        "colour": ["", "reddish", "red", "日本"],
        "same": ["y", None, "x", "x"],
        "tiny": [3e-9, 1.0, None, 0.0],
        "a_b": [0, 1, 1, 0],
        "": [4, 8, 5, 6],
        "soil": ["clay", "peat", None, "sand"],
    }
)


def fitted(train: pl.DataFrame = TRAIN) -> TablePreprocessing:
    return TablePreprocessing(fit_columns(train)[0])


def same(features: np.ndarray, expected: np.ndarray, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(features, expected, rtol=tolerance, atol=tolerance)


def test_features_are_scaled_numbers_then_indicators_then_categories() -> None:
    preprocessing = fitted()
    features = preprocessing.transform(TRAIN)
    assert features.shape == (6, 13) and features.dtype == np.float32
    exact = TRAIN["a/b"].to_numpy().astype(float)
    np.testing.assert_allclose(features[:, 1], (exact - exact.mean()) / exact.std(), rtol=1e-6)
    assert features[:, 5].tolist() == [0, 1, 0, 0, 0, 0]
    np.testing.assert_allclose(features[:, 2].std(), 1, rtol=1e-6)  # however small the numbers


def test_unseen_categories_give_zeros_and_missing_ones_their_own() -> None:
    features = fitted().transform(NEW)
    colours, soils = features[:, 6:11].tolist(), features[:, 11:].tolist()
    assert colours == [[1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]]
    assert soils == [[1, 0], [0, 0], [0, 0], [0, 1]]


def test_a_number_missing_for_the_first_time_counts_as_the_training_median() -> None:
    assert fitted().transform(NEW)[0, 1] == fitted().transform(NEW.with_columns(pl.lit(35).alias("a/b")))[0, 1]


@pytest.mark.parametrize(("train", "rows"), [(TRAIN, NEW), (TRAIN.select("colour"), NEW)])
def test_the_model_computes_the_same_features(train: pl.DataFrame, rows: pl.DataFrame) -> None:
    preprocessing = fitted(train)
    features = preprocessing.transform(rows)
    same(preprocessing.wrap(identity(features.shape[1])).predict(preprocessing.inputs(rows), verbose=0), features)


def test_a_table_of_numbers_takes_a_matrix() -> None:
    train = pl.DataFrame({"a": [1.0, 2.0, None], "same": [3, 3, 3], "b": [True, False, True]})
    preprocessing = fitted(train)
    assert preprocessing.takes_matrix
    raw = np.array([[1, 3, 1], [np.nan, 9, np.nan]], np.float32)
    expected = preprocessing.transform({"a": [1.0, None], "same": [3, 9], "b": [True, None]})
    same(preprocessing.wrap(identity(3)).predict(raw, verbose=0), expected)


def test_rows_of_other_columns_are_refused() -> None:
    with pytest.raises(DataError, match="column 'soil' is missing"):
        fitted().transform(NEW.drop("soil"))
    with pytest.raises(DataError, match="column 'a/b' must be numbers, but got 'ten' in row 1"):
        fitted().transform(NEW.with_columns(pl.lit("ten").alias("a/b")))
    with pytest.raises(DataError, match="a table or a mapping"):
        fitted().transform(5)


def test_texts_of_raw_rows_are_read_as_those_of_the_file_were() -> None:
    dates = {f"sold ({part})": [2024, 2023] for part in ("year", "month", "day", "weekday")}
    train = pl.DataFrame({"price": [1101.5, 20.25], **dates, "zone": ["a", "b"]})
    preprocessing = TablePreprocessing(fit_columns(train)[0], ways={"price": ",", "sold": "month-first"})
    raw, model = {"price": ["1.101"], "sold": ["02/03/2024"], "zone": ["a"]}, preprocessing.wrap(identity(7))
    parts = {"sold (year)": [2024], "sold (month)": [2], "sold (day)": [3], "sold (weekday)": [6]}
    expected = preprocessing.transform({"price": [1101.0], **parts, "zone": ["a"]})
    assert np.array_equal(preprocessing.transform(raw), expected)
    inputs = model_inputs(model, raw, decimal=",", dates="month-first")
    same(model.predict(inputs, verbose=0), expected)
    with pytest.raises(DataError, match=r"'1,101' in row 1, which may be 1101 or 1\.101\. .*`decimal: ','`$"):
        model_inputs(model, raw | {"price": ["1,101"]})
    with pytest.raises(DataError, match=r"'02/03/2024' in row 1, which may be .* or `dates: 'month-first'`$"):
        model_inputs(model, raw, decimal=",")


@pytest.mark.parametrize(
    ("separator", "lines"),
    [
        (";", ["1.101,5;5%;29.02.2024;a", "-2,25;;03.01.2023;b", "7;7%;05.06.2023;a"]),
        (",", ['"1,101.5",5%,2/29/2024,a', "-2.25,,1/3/2023,b", "7,7%,6/5/2023,a"]),
    ],
)
def test_the_lines_of_the_card_read_a_file_as_it_was_read(tmp_path: Path, separator: str, lines: list[str]) -> None:
    path = tmp_path / "it.csv"
    path.write_text("\n".join(["price,rate,sold,zone".replace(",", separator), *lines, ""]))
    options = CsvOptions(separator=separator)
    frame, ways = load_columns(partial(load_csv, path), str(path), "csv", options)
    table = split_dates(frame)
    preprocessing = TablePreprocessing(fit_columns(table)[0], ways=ways)
    assert table.row(0) == (1101.5, 5, 2024, 2, 29, 4, "a") and table["rate"].to_list() == [5, None, 7]
    code = inputs_code(DataSpec("csv", "it.csv", "target", options=options), preprocessing)["inputs"]
    known: dict[str, object] = {"path": path}
    exec(code, known)
    expected = preprocessing.transform(table)
    model = preprocessing.wrap(identity(expected.shape[1]))
    same(model.predict(known["x"], verbose=0), expected)
    same(model.predict(model_inputs(model, pl.read_csv(path, separator=separator)), verbose=0), expected)


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5), min_size=1))
@settings(max_examples=100, deadline=None)
def test_code_points_tell_texts_apart(texts: list[str]) -> None:
    codes = code_points(texts, 6)
    assert codes.shape == (len(texts), 6)
    assert len({tuple(row) for row in codes.tolist()}) == len(set(texts))


@pytest.mark.parametrize(
    "backend", ["jax", *(pytest.param(one, marks=pytest.mark.soak) for one in ("tensorflow", "torch"))]
)
def test_plain_keras_loads_it_and_takes_raw_rows_on_every_backend(
    backend: str, model_file: Path, tmp_path: Path
) -> None:
    """In safe mode; on JAX without this package, and without TensorFlow."""
    raw = NEW.drop("same").to_dict(as_series=False)
    (tmp_path / "raw.json").write_text(json.dumps(raw))
    program = f"""
import json, sys
import numpy as np, keras
model = keras.models.load_model({str(model_file)!r})
raw = json.load(open({str(tmp_path / "raw.json")!r}))
rows = {{}}
for name, tensor in model.input.items():
    column = raw[{{"a%2Fb": "a/b", "%00": ""}}.get(name, name)]
    if tensor.dtype == "int32":
        width = tensor.shape[1]
        rows[name] = np.asarray([text or "" for text in column], f"U{{width}}").view("int32").reshape(-1, width)
    else:
        rows[name] = np.asarray(column, "float32")
assert {backend != "jax"} or not {{"keras_sweep", "tensorflow"}} & set(sys.modules)
print(json.dumps(np.asarray(model.predict(rows, verbose=0)).tolist()))
"""
    if backend == "jax":
        ended = process([sys.executable, "-c", program], tmp_path, {**os.environ, "KERAS_BACKEND": backend})
    else:
        ended = python(program, cwd=tmp_path, backend=backend)
    outputs = np.array(json.loads(ended.ok().out.splitlines()[-1]))
    same(outputs, fitted().transform(NEW), 1e-5)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "it.keras"
    fitted().wrap(identity(13)).save(path)
    return path


def test_a_loaded_model_says_itself_how_it_wants_rows_of_polars_or_of_pandas_with_gaps(model_file: Path) -> None:
    import keras
    import pandas

    model = keras.models.load_model(model_file)
    inputs = model_inputs(model, NEW)
    same(model.predict(inputs, verbose=0), fitted().transform(NEW))
    of_pandas = model_inputs(model, pandas.DataFrame({column.name: column.to_list() for column in NEW}))
    for name, values in inputs.items():
        np.testing.assert_array_equal(of_pandas[name], values)


ODD_NAMES = [
    "", " ", "a/b", "a_b", "a%2Fb", "a%252Fb", "%", "%00", "%2500", "%25", "/", "//", "_", ".", "..", "1st", "a b",
    "a  b", " a b", "A B", "grün", "gru\u0308n", "日本", "a\nb", "\t", "'", '"', "{}", "\\", "\x1b[2J", "\u202e",
    "x" * 300, "input", "columns", "name", "self", "None", "🌱", "*", "^a.*$",
]  # fmt: skip
WRITABLE = st.characters(exclude_characters="\0", exclude_categories=["Cs"])  # a name with a null is refused
NAMES = st.one_of(
    st.sampled_from(ODD_NAMES), st.text(st.sampled_from("a_/%20F5 ."), max_size=6), st.text(WRITABLE, max_size=6)
)


@given(st.lists(NAMES, unique=True))
@settings(max_examples=100, deadline=None)
def test_names_of_inputs_are_allowed_by_keras_tell_columns_apart_and_give_them_back(names: list[str]) -> None:
    written = [input_name(name) for name in names]
    assert len(set(written)) == len(names)
    assert [column_name(name) for name in written] == names
    assert all(name and "/" not in name for name in written)


def test_columns_of_all_odd_names_go_to_an_exported_model_and_back(tmp_path: Path) -> None:
    import keras

    draw, columns = np.random.default_rng(len(ODD_NAMES)), {}
    for index, name in enumerate(ODD_NAMES):
        values = draw.permutation(6) + index
        columns[name] = values.astype(float) if index % 3 else [f"t{value % 3}{index}" for value in values]
    table = pl.DataFrame(columns)
    preprocessing = fitted(table)
    expected = preprocessing.transform(table)
    preprocessing.wrap(identity(expected.shape[1])).save(tmp_path / "it.keras")
    model = keras.models.load_model(tmp_path / "it.keras")
    others = pl.DataFrame({"one more": [0] * len(table), **{name: table[name] for name in reversed(ODD_NAMES)}})
    same(model.predict(model_inputs(model, others), verbose=0), expected, 1e-5)


def test_a_matrix_of_too_many_columns_is_refused() -> None:
    model = identity(2)
    with pytest.raises(DataError, match=r"takes 2 columns, but got 3.*in their order, without the target"):
        model_inputs(model, pl.DataFrame({"a": [1], "b": [2], "target": [0]}))
