"""Arrays from .npz files and from users' functions."""

import contextlib
import itertools
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from keras_sweep.data.array_sources import call_python, read_npz
from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.raw_rows import save_rows
from keras_sweep.data.search_data import Rows, SearchData, fingerprint
from keras_sweep.data.source import SourceRows
from keras_sweep.data.table_columns import is_number, number_matrix
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import DataSpec, Split
from tests.helpers.data_specs import csv, spec_of

X, Y = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, 0, 1])
NPZ = DataSpec("npz", "it.npz", split=Split(validation=0.3, test=0.0))
_MODULES = itertools.count()


def read(folder: Path, target: str | None = None, **arrays: np.ndarray) -> SourceRows:
    """What is read of a file of these arrays; of the file that is there where none are given."""
    if arrays:
        np.savez(folder / "it.npz", **arrays)
    return read_npz(DataSpec("npz", "it.npz", target), folder)


def loaded(folder: Path, loss: str = "sparse_categorical_crossentropy", **arrays: np.ndarray) -> SearchData:
    np.savez(folder / "it.npz", **arrays)
    return load_search_data(spec_of(NPZ, loss, folder))


@pytest.fixture
def returned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], SourceRows]:
    """What a function `rows` with a body gives, from a module of its own; or anything else that is called `rows`."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def read_rows(body: str) -> SourceRows:
        name = f"rows_{next(_MODULES)}"
        function = "def rows():\n" + textwrap.indent(textwrap.dedent(body).strip(), "    ")
        (tmp_path / f"{name}.py").write_text(
            "import numpy as np, polars as pl\n"
            f"X, Y = np.arange(12.0).reshape(6, 2), np.array([0, 1] * 3)\n"
            f"{body if body.startswith('rows') else function}\n"
        )
        return call_python(DataSpec("python", f"{name}:rows"), tmp_path)

    return read_rows


def has_x_and_y(source: SourceRows) -> bool:
    return source.rows is not None and bool((source.rows.x == X).all() and (source.rows.y == Y).all())


def sizes(source: SourceRows) -> list[int | None]:
    parts = (source.rows, source.train, source.validation, source.test)
    return [None if part is None else len(part) for part in parts]


def test_npz_with_x_and_y(tmp_path: Path) -> None:
    assert has_x_and_y(read(tmp_path, x=X, y=Y))
    assert has_x_and_y(read(tmp_path, "digit", pixels=X, digit=Y))
    source = read(tmp_path, "digit", x=X, digit=Y, other=Y, sample_weight=Y)
    assert has_x_and_y(source) and source.rows.weights.tolist() == Y.tolist()


WEIGHTS = {
    "return X, Y, Y": [Y, None, None, None],
    "return X, Y, Y[:, None]": [Y, None, None, None],
    "return X, Y, None": [None, None, None, None],
    "return (X, Y, Y), (X[:2], Y[:2])": [None, Y, None, None],
    "return (X, Y, Y), (X[:2], Y[:2], Y[:2]), (X[:3], Y[:3], Y[:3])": [None, Y, Y[:2], Y[:3]],
    "return {'x_train': X, 'y_train': Y, 'sample_weight_train': Y, 'x_val': X, 'y_val': Y}": [None, Y, None, None],
}


@pytest.mark.parametrize("body", WEIGHTS)
def test_a_third_array_is_what_rows_weigh(returned, body: str) -> None:
    source = returned(body)
    parts = (source.rows, source.train, source.validation, source.test)
    for part, expected in zip(parts, WEIGHTS[body], strict=True):
        found = None if part is None else part.weights
        assert found is expected or (found.tolist() == expected.tolist() and found.dtype == np.float32)


def test_objects_that_are_numbers_and_texts_in_bytes_are_what_they_hold(returned) -> None:
    rows = returned("return X.astype(object), Y.astype(object)").rows
    assert rows.x.dtype == float and rows.y.tolist() == Y.tolist() and rows.y.dtype == int
    rows = returned("return np.array([b'a', b'\\xc3\\xa4'] * 3), np.array([b'no', b'yes'] * 3, object)").rows
    assert rows.x.tolist() == ["a", "ä"] * 3 and rows.y.tolist() == ["no", "yes"] * 3


SHAPES = [
    ("Y", (6,)),
    ("Y[:, None]", (6, 1)),
    ("pl.Series(Y)", (6,)),
    ("pandas.Series(Y)", (6, 1)),  # as Keras takes it
    ("pandas.DataFrame({'a': Y})", (6, 1)),
    ("np.eye(2)[Y]", (6, 2)),
]


@pytest.mark.parametrize(("labels", "shape"), SHAPES)
def test_labels_keep_the_shape_that_they_have(returned, labels: str, shape: tuple[int, ...]) -> None:
    rows = returned(f"import pandas; return X, {labels}").rows
    assert rows.y.shape == shape
    outputs = returned("return X, {'a': Y, 'b': Y[:, None]}").rows.y
    assert [outputs[name].shape for name in "ab"] == [(6,), (6, 1)]


def test_parts_whose_labels_are_in_a_column_or_not_are_alike(returned) -> None:
    found = returned("return (X, Y[:, None]), (X, Y), (X[:2], Y[:2].tolist())")
    assert [part.y.shape for part in (found.train, found.validation, found.test)] == [(6, 1), (6, 1), (2, 1)]
    found = returned("return (X, (Y, Y)), (X, (Y[:, None], Y))")
    assert [one.shape for one in found.test.y] == [(6,), (6,)]
    with pytest.raises(DataError, match=r"the parts of .* differ"):
        returned("return (X, Y[:, None]), (X, np.eye(2)[Y])")
    with pytest.raises(DataError, match=r"the parts of .* differ"):
        returned("return (X, {'a': Y}), (X, {'b': Y})")


ENCODED = {
    "sparse_categorical_crossentropy": (1,),
    "categorical_crossentropy": (2,),
    "mine:loss": (1,),
}


@pytest.mark.parametrize("loss", ENCODED)
def test_labels_in_a_column_are_handed_on_so_and_count_as_those_that_are_not(tmp_path: Path, loss: str) -> None:
    x, y = np.arange(24.0).reshape(12, 2), np.array([0, 1] * 6)
    flat, column = loaded(tmp_path, loss, x=x, y=y), loaded(tmp_path, loss, x=x, y=y[:, None])
    assert column.train.y.shape[1:] == column.validation.y.shape[1:] == ENCODED[loss]
    assert (column.train.y.reshape(-1) == flat.train.y.reshape(-1)).all()
    assert column.train.y.dtype == flat.train.y.dtype
    assert (column.classes, column.class_names) == (flat.classes, flat.class_names)
    assert (column.train.classes == flat.train.classes).all()
    assert column.fingerprint == flat.fingerprint  # a record that was begun before goes on
    assert column.leaks == flat.leaks


def test_what_a_column_of_x_holds_has_a_fingerprint_of_its_own() -> None:
    x = np.arange(6.0)
    assert fingerprint(Rows(x[:, None], x)) == fingerprint(Rows(x[:, None], x[:, None]))
    assert fingerprint(Rows(x[:, None], x)) != fingerprint(Rows(x, x))
    assert fingerprint(Rows(x, x, x)) != fingerprint(Rows(x, x))


def test_rows_are_split_with_their_weights(tmp_path: Path) -> None:
    x = np.arange(60.0).reshape(30, 2)
    arrays = {"x": x, "y": np.arange(30) % 2, "sample_weight": np.arange(30)}
    data, plain = loaded(tmp_path, **arrays), loaded(tmp_path, x=x, y=arrays["y"])
    for rows in (data.train, data.validation):
        np.testing.assert_array_equal(rows.weights, rows.x[:, 0] / 2)
        assert rows.weights.base is None
    assert data.fingerprint != plain.fingerprint
    save_rows(tmp_path / "saved.npz", spec_of(NPZ, folder=tmp_path), data)
    saved = np.load(tmp_path / "saved.npz")
    np.testing.assert_array_equal(saved["sample_weight_validation"], data.validation.weights)


def test_npz_never_unpickles_and_reads_no_array_that_is_not_asked_for(tmp_path: Path) -> None:
    objects = np.array([{}] * 6, dtype=object)
    with pytest.raises(
        DataError, match=r"it\.npz can't be read as npz: Object arrays cannot be loaded.*with `np\.savez`"
    ):
        read(tmp_path, x=objects, y=Y)
    assert has_x_and_y(read(tmp_path, "digit", x=X, digit=Y, notes=objects))


@pytest.mark.parametrize(
    ("arrays", "target", "message"),
    [
        ({"a": X}, None, "it.npz must have 'x' or 'x_train', but got 'a'. Give `x` and `y`"),
        ({"x": X, "y": Y, "x_train": X, "y_train": Y}, None, "must not have both 'x' and 'x_train', but got 'x'"),
        ({"x_train": X, "y_train": Y, "x_test": X}, None, "must have 'y_test', but got 'x_train', 'y_"),
        ({"x": X, "y": Y[:5]}, None, "6 rows, but `y` has 5"),
        (
            {"x": np.where(X == 3, np.nan, X), "y": Y},
            None,
            r"`x` of .* finite numbers of 32 bits, but got nan at \[1, 1\]",
        ),
        ({"x": X, "y": np.where(Y == 1, 1e39, 0.0)}, None, r"`y` of .*, but got 1e\+39 in row 2, and 2 more"),
        ({"x": X[:, 0], "y": Y}, None, r"`x` of .* must be real numbers .* got ndarray of shape \[6\]"),
        ({"x": X.astype(complex), "y": Y}, None, "real numbers in rows, .*, but got ndarray .* type complex128"),
        ({"x": np.zeros((6, 0)), "y": Y}, None, r"real numbers in rows, .* of shape \[6, 0\] and type float64"),
        (
            {"x": X, "y": X.astype("datetime64[s]")},
            None,
            r"`y` of .* must be numbers or texts, .* type datetime64\[s\]",
        ),
        (
            {"x": X, "y": Y.astype(str).reshape(6, 1, 1)},
            None,
            r"must be numbers or texts, .* \[6, 1, 1\] and type <U21",
        ),
        (
            {"x_train": X, "y_train": Y, "x_test": X[:, :1], "y_test": Y},
            None,
            r"`x_train` is numbers, .*shape \[2\], `x_",
        ),
        (
            {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y.astype(str)},
            None,
            "differ: `y_train` is numb.*` is text",
        ),
        ({"x": X, "y": Y}, "digit", "no array 'digit'. Choose from its arrays: 'x', 'y'"),
        ({"a": X, "b": X, "digit": Y}, "digit", "must have an array `x`"),
    ],
)
def test_faults_of_npz_files(tmp_path: Path, arrays: dict[str, np.ndarray], target: str | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, target, **arrays)


@pytest.mark.parametrize(
    ("value", "dtype", "fits"),
    [
        (2**31 - 1, "int64", True),
        (2**31, "int64", False),
        (-(2**31) - 1, "int64", False),
        (2**63, "uint64", False),
        (-3e38, "float64", True),
        (-1e39, "float64", False),
    ],
)
def test_numbers_that_32_bits_do_not_hold_are_refused(tmp_path: Path, value: float, dtype: str, fits: bool) -> None:
    x = np.zeros((6, 2), dtype)
    x[2, 1] = value
    said = rf"`x` of .*it\.npz must be .*, but got {re.escape(str(x[2, 1]))} at \[2, 1\]"
    with contextlib.nullcontext() if fits else pytest.raises(DataError, match=said):
        data = loaded(tmp_path, x=x, y=Y)
        rows = np.concatenate([data.train.x, data.validation.x])
        assert rows.dtype.itemsize == 4 and x[2, 1].astype(rows.dtype) in rows


@pytest.mark.parametrize("dtype", [">f8", ">i4", "bool", "float16", "uint32"])
def test_arrays_of_any_number_type_and_layout_become_native_and_contiguous(tmp_path: Path, dtype: str) -> None:
    data = loaded(tmp_path, x=np.asfortranarray(X.astype(dtype)), y=Y.astype(">i8"))
    for array in (data.train.x, data.train.y, data.validation.x):
        assert array.flags.c_contiguous and array.dtype.isnative and array.dtype.itemsize <= 4
    both = np.concatenate([data.train.x, data.validation.x]).astype(float)
    assert sorted(map(tuple, both)) == sorted(map(tuple, X.astype(dtype).astype(float)))


def test_numbers_that_32_bits_blur_are_noticed(tmp_path: Path) -> None:
    seconds = 1.7e9 + np.arange(100.0)  # 32 bits tell only every 128th second there
    x = np.stack([seconds, np.arange(100.0), np.full(100, 0.1)], axis=1)
    (notice,) = loaded(tmp_path, "mse", x=x, y=np.arange(100) % 2).notices
    assert notice.startswith("x of it.npz, column 0 (counted from 0): its values are too close")
    (notice,) = loaded(tmp_path, "mse", x=x[:, 1:], y=seconds).notices
    assert notice.startswith("the labels of it.npz are too close")
    lines = (f"{int(second)},{row},{row % 2}" for row, second in enumerate(seconds))
    (notice,) = load_search_data(csv(tmp_path, "at,b,target", lines, "mse")).notices
    assert notice.startswith("column 'at' has values that are too close")


def test_a_byte_that_was_altered_anywhere_gives_a_plain_message_or_other_numbers(tmp_path: Path) -> None:
    read(tmp_path, x=X[:3], y=np.arange(3))
    content = (tmp_path / "it.npz").read_bytes()
    for place in range(len(content)):
        (tmp_path / "it.npz").write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        with contextlib.suppress(DataError):
            assert read(tmp_path)


def test_a_file_that_is_no_npz(tmp_path: Path) -> None:
    (tmp_path / "it.npz").write_text("no zip")
    with pytest.raises(DataError, match="can't be read as npz: File is not a zip file"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return X, Y", [6, None, None, None]),
        ("return [X.tolist(), Y.tolist()]", [6, None, None, None]),
        ("return [X[:, :1]] * 6, Y", [6, None, None, None]),
        ("return X[:2], Y[:2]", [2, None, None, None]),
        ("return pl.DataFrame({'a': [1, 2], 'b': ['x', None]}), ['p', 'q']", [2, None, None, None]),
        ("return (X, Y), (X[:2], Y[:2])", [None, 6, None, 2]),
        ("return (X, Y), (X[:2], Y[:2]), (X[:3], Y[:3])", [None, 6, 2, 3]),
        (
            "return {'x_train': X, 'y_train': Y, 'x_val': X[:2], 'y_val': Y[:2], 'x_test': X[:1], 'y_test': Y[:1]}",
            [None, 6, 2, 1],
        ),
    ],
)
def test_forms_that_a_function_may_return(returned, body: str, expected: list[int | None]) -> None:
    assert sizes(returned(body)) == expected


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return None", r"returned None. Return \(x, y\)"),
        ("return X", r"returned ndarray of shape \[6, 2\] and type float64. Return \(x, y\)"),
        ("return X, Y, Y, Y", r"returned a tuple of 4. Return .* or \(x, y, sample_weight\)"),
        (
            "return X, Y, Y[:2]",
            r"`sample_weight` of .* must be a number for each of 6 rows, \[N\], but got ndarray of shape \[2\]",
        ),
        ("return X, Y, Y - 0.5", "must be at least 0, but got -0.5 in row 1"),
        ("return X, Y, [1, 2, np.nan, 4, 5, 6]", "but got nan in row 3"),
        ("return (X, Y), (X, Y, Y)", "gives 'sample_weight_test', but no weights of training rows. Add 'sample_w"),
        ("return {'x': X, 'y': Y, 'sample_weights': Y}", "must not have 'sample_weights', but got .* add `sample"),
        ("return {'a': X, 'b': Y[:3]}, Y", "`x/a` of .* has 6 rows, but `x/b` has 3. Give all inputs"),
        ("return None, Y", "`x` of .* must be real numbers in rows, .*, but got None"),
        ("return {'x': X, 'y': [None] * 6}", "must be all numbers or all texts, but label 1 is None"),
        ("return {'x': [[1], [1, 2]], 'y': [0, 1]}", "must be real numbers in rows, .*, but got a list of 2"),
        ("return X, {'a': Y, 'b': Y[:2]}", "`x` of .* has 6 rows, but `y/b` has 2"),
        ("return X.astype(str), Y", "and type <U32.* categories as a DataFrame or a file, and texts as"),
        ("return np.ma.masked_array(X, X > 3), Y", r"but got nan at \[2, 0\], and 7 more"),
        ("import scipy.sparse as s\nreturn s.csr_matrix(X), Y", r"but got csr_matrix of shape \[6, 2\] .*toarray"),
        ("return pl.DataFrame({'a': [1, 2]}), [1]", "has 2 rows, but `y` has 1"),
        (
            "return (X, Y), (pl.DataFrame({'a': Y, 'b': Y}), Y)",
            "`x_train` is numbers, .*, `x_test` is a table of 2 columns",
        ),
        ("rows = 5", "is not a function"),
        ("return 1 / 0", r"failed: .*\.py:4: ZeroDivisionError"),
        ("import pandas\nreturn pandas.DataFrame({1: Y, '1': Y}), Y", "several columns called '1'"),
        (
            "import pandas as p\nreturn p.DataFrame({'at': p.to_timedelta(Y)}), Y",
            "'at' must be numbers or text, but got Duration",
        ),
    ],
)
def test_faults_of_functions_name_what_they_may_return(returned, body: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        returned(body)


def test_a_table_of_pandas_is_taken_with_its_gaps(returned) -> None:
    """Text is a type of its own to pandas 3 and a gap in it a float, objects are of any type, others know `NA`."""
    body = """
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
        """
    rows = returned(body).rows
    assert {name: rows.x[name].to_list() for name in rows.x.columns[:4]} == {
        "cabin": ["C85", None, None, "E46", "C85", None],
        "port": ["S", "C", None, "S", "Q", "S"],
        "ticket": ["a", None, None, "b", "a", "b"],
        "name": ["x", None, "y", "x", "y", "x"],
    }
    numbers = rows.x.columns[4:]
    assert numbers == ["age", "kin", "alone", "fare", "7"] and all(is_number(rows.x[name].dtype) for name in numbers)
    assert np.isnan(number_matrix(rows.x, numbers)).sum(axis=0).tolist() == [1, 1, 1, 1, 0]
    assert rows.y.tolist() == [["yes"], ["no"]] * 3
