"""Arrays from .npz files and from users' functions."""

from __future__ import annotations

import contextlib
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from keras_sweep.data.array_sources import call_python, read_npz
from keras_sweep.data.source import Source
from keras_sweep.errors import DataError

X, Y = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, 0, 1])


def npz(tmp_path: Path, **arrays: np.ndarray) -> Path:
    np.savez(tmp_path / "it.npz", **arrays)
    return tmp_path / "it.npz"


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
        return call_python(f"{name}:rows", folder)
    finally:
        sys.path[:] = before


def test_npz_with_x_and_y(tmp_path: Path) -> None:
    source = read_npz(npz(tmp_path, x=X, y=Y), None)
    assert source.rows is not None and (source.rows.x == X).all() and (source.rows.y == Y).all()


def test_npz_with_a_target_of_another_name(tmp_path: Path) -> None:
    for arrays in ({"pixels": X, "digit": Y}, {"x": X, "digit": Y, "other": Y}):
        source = read_npz(npz(tmp_path, **arrays), "digit")
        assert source.rows is not None and (source.rows.x == X).all() and (source.rows.y == Y).all()


def test_npz_in_parts(tmp_path: Path) -> None:
    source = read_npz(npz(tmp_path, x_train=X, y_train=Y, x_val=X[:2], y_val=Y[:2], x_test=X[2:], y_test=Y[2:]), None)
    parts = (source.train, source.validation, source.test)
    assert [len(part) for part in parts if part is not None] == [6, 2, 4]


def test_npz_never_unpickles(tmp_path: Path) -> None:
    path = npz(tmp_path, x=np.array([{}, {}], dtype=object), y=Y[:2])
    with pytest.raises(DataError, match=r"can't be read as npz .*Objects are refused"):
        read_npz(path, None)


@pytest.mark.parametrize(
    ("arrays", "target", "message"),
    [
        ({"a": X}, None, "gives 'a'. It must give `x` and `y`"),
        ({"x": X, "y": Y, "x_train": X, "y_train": Y}, None, "It must give"),
        ({"x_train": X, "y_train": Y, "x_test": X}, None, "only one of `x_test` and `y_test`"),
        ({"x": X, "y": Y[:5]}, None, "6 rows, but `y` has 5"),
        ({"x": X[:, 0], "y": Y}, None, "one row an example, but its shape is"),
        ({"x": X.astype(str), "y": Y}, None, "not numbers"),
        ({"x": np.where(X == 3, np.nan, X), "y": Y}, None, r"1 missing or infinite numbers, the first at \[1, 1\]"),
        ({"x": X, "y": np.where(Y == 1, np.inf, 0.0)}, None, "3 missing or infinite labels"),
        ({"x": X[:0], "y": Y[:0]}, None, "no rows"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :1], "y_test": Y}, None, "rows of different shapes"),
        ({"x": X, "y": Y}, "digit", "no array 'digit'. It has 'x', 'y'"),
        ({"a": X, "b": X, "digit": Y}, "digit", "must have an array `x`"),
        ({"x": X, "y": X.astype("datetime64[s]")}, None, "labels, but it is datetime64"),
    ],
)
def test_faults_of_npz_files(tmp_path: Path, arrays: dict[str, np.ndarray], target: str | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_npz(npz(tmp_path, **arrays), target)


def test_a_byte_that_was_altered_anywhere_gives_a_plain_message_or_other_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(6.0).reshape(3, 2), y=np.arange(3))
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        with contextlib.suppress(DataError):
            assert read_npz(path, None)


def test_files_that_are_no_npz(tmp_path: Path) -> None:
    (tmp_path / "it.npz").write_bytes(b"PK rubbish")
    with pytest.raises(DataError, match="can't be read as npz"):
        read_npz(tmp_path / "it.npz", None)
    with (tmp_path / "it.npz").open("wb") as file:
        np.save(file, X)
    with pytest.raises(DataError, match="one array, not several"):
        read_npz(tmp_path / "it.npz", None)
    with pytest.raises(DataError, match="there is no file"):
        read_npz(tmp_path / "absent.npz", None)


@pytest.mark.parametrize(
    ("body", "sizes"),
    [
        ("return X, Y", [6]),
        ("return [X.tolist(), Y.tolist()]", [6]),
        ("return {'x': X, 'y': Y}", [6]),
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
        ("return None", "returned NoneType. It may return"),
        ("return X", "returned ndarray. It may return"),
        ("return X, Y, X, Y", "returned tuple of 4"),
        ("return {'x': X}", "gives 'x'. It must give"),
        ("return {'x': X, 'y': [None] * 6}", "mixes types"),
        ("return {'x': [[1], [1, 2]], 'y': [0, 1]}", "is not an array"),
        ("return X, Y[:3]", "6 rows, but `y` has 3"),
        ("return 1 / 0", r"failed: .*\.py:4: ZeroDivisionError"),
    ],
)
def test_faults_of_functions_name_what_they_may_return(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        python(tmp_path, body)


def test_what_is_no_function_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no_function_here.py").write_text("rows = 5\n")
    before = list(sys.path)
    with pytest.raises(DataError, match="is not a function"):
        call_python("no_function_here:rows", tmp_path)
    sys.path[:] = before
