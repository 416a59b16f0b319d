"""Arrays from .npz files and from users' functions."""

from __future__ import annotations

import contextlib
import re
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from keras_sweep.data.array_sources import call_python, read_npz
from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.source import Source
from keras_sweep.data.table_columns import is_number, numbers
from keras_sweep.data.table_files import read_table
from keras_sweep.errors import DataError
from keras_sweep.space.sweep_spec import DataSpec, Split
from tests.helpers.data_specs import spec_of

X, Y = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, 0, 1])


def npz(tmp_path: Path, **arrays: np.ndarray) -> Path:
    np.savez(tmp_path / "it.npz", **arrays)
    return tmp_path / "it.npz"


def read(path: Path, target: str | None = None) -> Source:
    return read_npz(DataSpec("npz", path.name, target), path.parent)


_MODULES = iter(range(1000))


def python(folder: Path, body: str) -> Source:
    """What the function `rows` with this body gives, from a module of its own in `folder`."""
    name = f"rows_{folder.name}_{next(_MODULES)}".replace("-", "_")
    body = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    (folder / f"{name}.py").write_text(
        f"import numpy as np\nX, Y = np.arange(12.0).reshape(6, 2), np.array([0, 1] * 3)\ndef rows():\n{body}\n"
    )
    before = list(sys.path)
    try:
        return call_python(DataSpec("python", f"{name}:rows"), folder)
    finally:
        sys.path[:] = before


def test_npz_with_x_and_y(tmp_path: Path) -> None:
    source = read(npz(tmp_path, x=X, y=Y))
    assert source.rows is not None and (source.rows.x == X).all() and (source.rows.y == Y).all()


def test_npz_with_a_target_of_another_name(tmp_path: Path) -> None:
    for arrays in ({"pixels": X, "digit": Y}, {"x": X, "digit": Y, "other": Y}):
        source = read(npz(tmp_path, **arrays), "digit")
        assert source.rows is not None and (source.rows.x == X).all() and (source.rows.y == Y).all()


def test_npz_in_parts(tmp_path: Path) -> None:
    source = read(npz(tmp_path, x_train=X, y_train=Y, x_val=X[:2], y_val=Y[:2], x_test=X[2:], y_test=Y[2:]))
    parts = (source.train, source.validation, source.test)
    assert [len(part) for part in parts if part is not None] == [6, 2, 4]


def test_npz_never_unpickles(tmp_path: Path) -> None:
    path = npz(tmp_path, x=np.array([{}, {}], dtype=object), y=Y[:2])
    with pytest.raises(DataError, match=r"the array 'x' of .*it\.npz holds Python objects"):
        read(path)


@pytest.mark.parametrize(
    ("arrays", "target", "message"),
    [
        ({"a": X}, None, "gives 'a'. It must give `x` and `y`"),
        ({"x": X, "y": Y, "x_train": X, "y_train": Y}, None, "It must give"),
        ({"x_train": X, "y_train": Y, "x_test": X}, None, "gives `x_test` without `y_test`"),
        ({"x": X, "y": Y[:5]}, None, "6 rows, but `y` has 5"),
        ({"x": X[:, 0], "y": Y}, None, r"`x` of .* is ndarray of shape \[6\], but must be .* one row an example"),
        ({"x": X.astype(str), "y": Y}, None, "not numbers"),
        ({"x": np.where(X == 3, np.nan, X), "y": Y}, None, r"1 missing or infinite numbers, the first at \[1, 1\]"),
        ({"x": X, "y": np.where(Y == 1, np.inf, 0.0)}, None, r"3 missing or infinite labels, the first at \[1\]"),
        ({"x": X[:0], "y": Y[:0]}, None, r"is ndarray of shape \[0, 2\]: there are no rows"),
        (
            {"x_train": X, "y_train": Y, "x_test": X[:, :1], "y_test": Y},
            None,
            r"`x_train` numbers, each row of shape \[2\], `x_test` numbers, each row of shape \[1\]",
        ),
        ({"x": X, "y": Y}, "digit", "no array 'digit'. It has 'x', 'y'"),
        ({"a": X, "b": X, "digit": Y}, "digit", "must have an array `x`"),
        (
            {"x": X, "y": X.astype("datetime64[s]")},
            None,
            r"`y` of .* is ndarray of shape \[6, 2\] and type datetime64\[s\], neither numbers nor text",
        ),
        ({"x": X.astype(complex), "y": Y}, None, r"shape \[6, 2\] and type complex128, not numbers. Give numbers"),
        ({"x": np.zeros(6, [("a", "f4"), ("b", "i4")]), "y": Y}, None, r"and type \[\('a', '<f4'\).*, not numbers"),
        ({"x": np.zeros((6, 0)), "y": Y}, None, r"is ndarray of shape \[6, 0\]: there are no numbers in its rows"),
        ({"x": np.array(3.0), "y": Y}, None, r"`x` of .* is ndarray of shape \[\], not an array of rows"),
        ({"x": X, "y": np.array(3)}, None, r"`y` of .* is ndarray of shape \[\], not an array of rows"),
        ({"x": X, "y": np.zeros((6, 0))}, None, r"is ndarray of shape \[6, 0\], but must be \[N\] or \[N, C\]"),
        (
            {"x": X, "y": Y.reshape(6, 1, 1)},
            None,
            r"is ndarray of shape \[6, 1, 1\], but must be.* One label a row.* for each pixel or step is not",
        ),
        (
            {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y.astype(str)},
            None,
            "are not alike: `y_train` numbers, .*, `y_test` text",
        ),
        (
            {"x_train": X, "y_train": Y, "x_test": X, "y_test": np.eye(2)[Y]},
            None,
            r"`y_test` numbers, each row of shape \[2\]",
        ),
    ],
)
def test_faults_of_npz_files(tmp_path: Path, arrays: dict[str, np.ndarray], target: str | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(npz(tmp_path, **arrays), target)


def with_one(value: float, dtype: str) -> np.ndarray:
    x = np.zeros((6, 2), dtype)
    x[2, 1] = value
    return x


@pytest.mark.parametrize(
    ("x", "fits"),
    [
        (with_one(2**31 - 1, "int64"), True),
        (with_one(-(2**31), "int64"), True),
        (with_one(2**31, "int64"), False),
        (with_one(-(2**31) - 1, "int64"), False),
        (with_one(2**31 - 1, "uint64"), True),
        (with_one(2**63, "uint64"), False),
        (with_one(-3e38, "float64"), True),
        (with_one(1e39, "float64"), False),
        (with_one(-1e300, "float64"), False),
        (with_one(2.0**200, "longdouble"), False),
    ],
)
def test_numbers_that_32_bits_do_not_hold_are_refused(tmp_path: Path, x: np.ndarray, fits: bool) -> None:
    spec = spec_of(DataSpec("npz", "it.npz", split=Split(validation=0.3, test=0.0)), folder=tmp_path)
    path = npz(tmp_path, x=x, y=Y)
    if fits:
        data = load_search_data(spec)
        rows = np.concatenate([data.train.x, data.validation.x])
        assert rows.dtype.itemsize == 4 and x[2, 1].astype(rows.dtype) in rows
        return
    with pytest.raises(DataError, match=rf"`x` of {path} has {re.escape(str(x[2, 1]))} at \[2, 1\], but models take"):
        load_search_data(spec)


@pytest.mark.parametrize("value", [1e39, -1e300])
def test_labels_that_32_bits_do_not_hold_are_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(DataError, match=r"`y` of .* at \[0\], but models take numbers of 32 bits"):
        read(npz(tmp_path, x=X, y=np.array([value, 1, 2, 3, 4, 5])))
    (tmp_path / "it.csv").write_text(f"a,price\n1,{value}\n2,3\n")
    with pytest.raises(DataError, match=r"target column 'price' of .* in row 1, but models take numbers of 32 bits"):
        read_table(DataSpec("csv", "it.csv", "price"), tmp_path)


@pytest.mark.parametrize("dtype", [">f8", ">f4", ">i4", ">i8", "bool", "float16", "int8", "uint16", "uint32"])
def test_arrays_of_any_number_type_and_layout_become_native_and_contiguous(tmp_path: Path, dtype: str) -> None:
    path = npz(tmp_path, x=np.asfortranarray(X.astype(dtype)), y=Y.astype(">i8"))
    spec = spec_of(DataSpec("npz", path.name, split=Split(validation=0.3, test=0.0)), folder=tmp_path)
    data = load_search_data(spec)
    for array in (data.train.x, data.train.y, data.validation.x):
        assert array.flags.c_contiguous and array.dtype.isnative and array.dtype.itemsize <= 4
    both = np.concatenate([data.train.x, data.validation.x]).astype(float)
    assert sorted(map(tuple, both)) == sorted(map(tuple, X.astype(dtype).astype(float)))


def test_numbers_that_32_bits_blur_are_noticed(tmp_path: Path) -> None:
    seconds = 1.7e9 + np.arange(100.0)  # 32 bits tell only every 128th second there
    x = np.stack([seconds, np.arange(100.0), np.full(100, 0.1)], axis=1)
    npz(tmp_path, x=x, y=np.arange(100) % 2)
    how = {"folder": tmp_path, "loss": "mse"}
    (notice,) = load_search_data(spec_of(DataSpec("npz", "it.npz"), **how)).notices
    assert notice.startswith("x of it.npz, column 0 (counted from 0): its values differ by so little")
    npz(tmp_path, x=x[:, 1:], y=seconds)
    (notice,) = load_search_data(spec_of(DataSpec("npz", "it.npz"), **how)).notices
    assert notice.startswith("the labels of it.npz differ by so little")
    lines = "\n".join(f"{int(second)},{row},{row % 2}" for row, second in enumerate(seconds))
    (tmp_path / "it.csv").write_text(f"at,b,target\n{lines}\n")
    (notice,) = load_search_data(spec_of(DataSpec("csv", "it.csv", "target"), **how)).notices
    assert notice.startswith("column 'at' has values that differ by so little")


def test_an_array_that_is_not_asked_for_is_not_read(tmp_path: Path) -> None:
    path = npz(tmp_path, x=X, digit=Y, notes=np.array([{}] * 6, dtype=object))
    assert read(path, "digit").rows is not None


def test_a_byte_that_was_altered_anywhere_gives_a_plain_message_or_other_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(6.0).reshape(3, 2), y=np.arange(3))
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        with contextlib.suppress(DataError):
            assert read(path)


def test_files_that_are_no_npz(tmp_path: Path) -> None:
    (tmp_path / "it.npz").write_bytes(b"PK rubbish")
    with pytest.raises(DataError, match="can't be read as npz"):
        read(tmp_path / "it.npz")
    with (tmp_path / "it.npz").open("wb") as file:
        np.save(file, X)
    with pytest.raises(DataError, match="one array, not several"):
        read(tmp_path / "it.npz")
    with pytest.raises(DataError, match="there is no file"):
        read(tmp_path / "absent.npz")


@pytest.mark.parametrize(
    ("body", "sizes"),
    [
        ("return X, Y", [6]),
        ("return [X.tolist(), Y.tolist()]", [6]),
        ("return {'x': X, 'y': Y}", [6]),
        ("return [X] * 6, Y", [6]),
        ("return (X, Y), (X[:2], Y[:2])", [6, 2]),
        ("return (X, Y), (X[:2], Y[:2]), (X[:3], Y[:3])", [6, 2, 3]),
        ("return {'x_train': X, 'y_train': Y, 'x_test': X[:1], 'y_test': Y[:1]}", [6, 1]),
        ("return X[:2], Y[:2]", [2]),
    ],
)
def test_forms_that_a_function_may_return(tmp_path: Path, body: str, sizes: list[int]) -> None:
    source = python(tmp_path, body)
    parts = (source.rows, source.train, source.validation, source.test)
    assert [len(part) for part in parts if part is not None] == sizes


def test_three_pairs_are_training_validation_and_test(tmp_path: Path) -> None:
    source = python(tmp_path, "return (X, Y), (X[:2], Y[:2]), (X[:3], Y[:3])")
    assert source.validation is not None and source.test is not None
    assert (len(source.validation), len(source.test)) == (2, 3)


def test_tables_of_polars(tmp_path: Path) -> None:
    source = python(tmp_path, "import polars as pl\nreturn pl.DataFrame({'a': [1, 2], 'b': ['x', None]}), ['p', 'q']")
    assert source.rows is not None
    assert source.rows.x.columns == ["a", "b"] and source.rows.y.tolist() == ["p", "q"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return None", r"returned None. It may return \(x, y\)"),
        ("return X", r"returned ndarray of shape \[6, 2\]. It may return \(x, y\)"),
        ("return 5", "returned int. It may return"),
        ("return 'xy'", "returned str. It may return"),
        ("return []", "returned a list of 0. It may return"),
        (
            "return X, Y, Y",
            r"returned a tuple of 3 \(ndarray of shape \[6, 2\], ndarray of shape \[6\], ndarray of shape \[6\]\). "
            "It may return .*; weights of rows are not taken",
        ),
        ("return X, Y, X, Y", r"returned a tuple of 4 \(ndarray.*It may return .*\(\(x_train, y_train\), \(x_test"),
        ("return {'x': X}", "gives 'x'. It must give"),
        (
            "return {'a': X, 'b': X}, Y",
            r"is a dict of 2 \('a', 'b'\), but there is one input alone.*side by side",
        ),
        ("return [X, X[:, :1]], Y", r"is a list of 2 \(ndarray .*\), but there is one input alone"),
        ("return (X, X), Y", r"is a tuple of 2 \(ndarray .*\), but there is one input alone"),
        ("return X, None", "`y` of .* is None"),
        ("return None, Y", "`x` of .* is None"),
        ("return {'x': X, 'y': [None] * 6}", "mixes types, or has missing labels: None is label 1"),
        (
            "return {'x': [[1], [1, 2]], 'y': [0, 1]}",
            r"is a list of 2 \(a list of 1, a list of 2\), whose rows have different",
        ),
        ("return X, {'a': Y, 'b': Y}", r"`y` of .* is a dict of 2 \('a', 'b'\), not an array of rows"),
        (
            "return X.astype(str), Y",
            "and type <U32, not numbers. .* categories.* as columns of a DataFrame.*TextVectorization",
        ),
        ("return X, Y[:3]", "6 rows, but `y` has 3"),
        ("return np.ma.masked_array(X, X > 3), Y", "has masked values"),
        ("import scipy.sparse\nreturn scipy.sparse.csr_matrix(X), Y", r"is csr_matrix of shape \[6, 2\], not.*toarray"),
        ("return (row for row in X)", "returned generator. It may return"),
        (
            "import polars as pl\nreturn pl.DataFrame({'a': [1, 2]})",
            r"returned DataFrame of shape \[2, 1\]. It may return \(x, y\)",
        ),
        ("import polars as pl\nreturn pl.DataFrame({'a': [1, 2]}), [1]", "has 2 rows, but `y` has 1"),
        (
            "import polars as pl\nreturn (X, Y), (pl.DataFrame({'a': Y, 'b': Y}), Y)",
            "`x_train` numbers, .*, `x_test` a table of 2 columns",
        ),
        (
            "import polars as pl\nfirst, other = pl.DataFrame({'a': Y, 'b': Y}), pl.DataFrame({'a': Y, 'c': Y})\n"
            "return (first, Y), (other, Y)",
            "`x_test` of .* lacks the column 'b'",
        ),
        (
            "import tensorflow as tf\nreturn tf.data.Dataset.from_tensor_slices((X, Y)).batch(2)",
            r"returned BatchDataset. It may return.* `x, y = map\(np.array, zip\(\*dataset.unbatch",
        ),
        (
            "import tensorflow as tf\nrows = tf.data.Dataset.range(6)\nreturn {'x': rows, 'y': rows}",
            "`y` of .* is RangeDataset, not an array of rows. .*dataset.unbatch",
        ),
        ("return 1 / 0", r"failed: .*\.py:4: ZeroDivisionError"),
        ("return len()", r"failed: .*\.py:4: TypeError: .*It is called without arguments"),
    ],
)
def test_faults_of_functions_name_what_they_may_return(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        python(tmp_path, body)


def test_the_rows_of_a_tensorflow_dataset_by_the_line_that_the_message_names(tmp_path: Path) -> None:
    source = python(
        tmp_path,
        """
        import tensorflow as tf
        dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)
        x, y = map(np.array, zip(*dataset.unbatch().as_numpy_iterator()))
        return x, y
        """,
    )
    assert source.rows is not None and (source.rows.x == X).all() and (source.rows.y == Y).all()


def test_a_table_of_pandas_is_taken_with_its_gaps(tmp_path: Path) -> None:
    """Text is a type of its own to pandas 3 and a gap in it a float, objects are of any type, others know `NA`."""
    source = python(
        tmp_path,
        """
        import pandas as pd
        return pd.DataFrame({
            "cabin": ["C85", None, np.nan, "E46", "C85", None],
            "port": pd.Series(["S", "C", None, "S", "Q", "S"], dtype="category"),
            "ticket": pd.Series(["a", None, np.nan, "b", "a", "b"], dtype=object),
            "name": pd.Series(["x", pd.NA, "y", "x", "y", "x"], dtype="string"),
            "age": [22.0, np.nan, 26.0, 35.0, 35.0, 54.0],
            "kin": pd.Series([1, None, 0, 3, 4, 0], dtype="Int64"),
            "alone": pd.Series([True, None, False, True, True, False]),
            "fare": pd.Series([7, None, 8.5, 53, 8, 51], dtype=object),
            7: [1, 2, 3, 4, 5, 6],
        }), pd.Series(["yes", "no"] * 3)
        """,
    )
    assert source.rows is not None
    x = source.rows.x
    assert {name: x[name].to_list() for name in x.columns[:4]} == {
        "cabin": ["C85", None, None, "E46", "C85", None],
        "port": ["S", "C", None, "S", "Q", "S"],
        "ticket": ["a", None, None, "b", "a", "b"],
        "name": ["x", None, "y", "x", "y", "x"],
    }
    assert x.columns[4:] == ["age", "kin", "alone", "fare", "7"]
    assert all(is_number(x[name].dtype) for name in x.columns[4:])
    assert [numbers(x[name]).is_null().sum() for name in x.columns[4:]] == [1, 1, 1, 1, 0]
    assert source.rows.y.tolist() == ["yes", "no"] * 3
    with pytest.raises(DataError, match="several columns called '1'"):
        python(tmp_path, "import pandas as pd\nreturn pd.DataFrame({1: [1, 2], '1': [1, 2]}), ['p', 'q']")
    with pytest.raises(DataError, match="column 'at' is of type Datetime"):
        python(
            tmp_path, "import pandas as pd\nreturn pd.DataFrame({'at': pd.date_range('2020', periods=2)}), ['p', 'q']"
        )


def test_what_is_no_function_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no_function_here.py").write_text("rows = 5\n")
    before = list(sys.path)
    with pytest.raises(DataError, match="is not a function"):
        call_python(DataSpec("python", "no_function_here:rows"), tmp_path)
    sys.path[:] = before
