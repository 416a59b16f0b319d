"""The search cannot reach a test row; evaluation gets exactly the rows that were held out."""

import gc
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.model_selection import train_test_split

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.sealed_test import open_test
from keras_sweep.errors import DataError
from keras_sweep.search.engines import make_engine
from keras_sweep.space.data_spec import DataSpec, Split
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.trial.result import Suggestion
from tests.helpers.data_specs import HOUSES, MOONS, named, spec_of

CODE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.CodeType)


def reachable(*roots: object) -> Iterator[object]:
    """Every object that can be reached from the roots, code left out, bases of arrays included."""
    seen: set[int] = set()
    stack = list(roots)
    while stack:
        found = stack.pop()
        if id(found) in seen or isinstance(found, CODE):
            continue
        seen.add(id(found))
        yield found
        stack.extend(gc.get_referents(found))
        if isinstance(found, np.ndarray) and found.base is not None:  # NumPy does not show it to the collector
            stack.append(found.base)


def row_keys(array: np.ndarray, width: int) -> set[bytes]:
    """The rows of an array, as bytes, if they are of this many bytes."""
    flat = np.ascontiguousarray(array).reshape(len(array), -1) if array.ndim and len(array) else np.zeros((0, 1))
    return {row.tobytes() for row in flat} if flat.nbytes == len(flat) * width else set()


def own_rows(folder: Path) -> SweepSpec:
    """A user's function whose parts are views of one array that also holds its test rows."""
    (folder / "viewed_rows.py").write_text(
        "import numpy as np\n"
        "def rows():\n"
        "    x = np.random.default_rng(3).normal(size=(100, 4)).astype('float32')\n"
        "    y = np.arange(100, dtype='int32') % 3\n"
        "    return (x[:60], y[:60]), (x[60:80], y[60:80]), (x[80:], y[80:])\n"
    )
    return spec_of(DataSpec("python", "viewed_rows:rows"), folder=folder)


SPECS = {
    "breast_cancer": named("breast_cancer"),
    "csv": spec_of(HOUSES, "mse"),
    "npz": spec_of(MOONS, "binary_crossentropy"),
    "fashion_mnist": named("fashion_mnist"),
    "python": None,
}


@pytest.mark.parametrize("kind", SPECS)
def test_engine_runner_and_record_hold_no_test_row(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = SPECS[kind] or own_rows(tmp_path)
    data = load_search_data(spec)
    runner, engine = FitRunner(spec, data), make_engine(spec)
    engine.replay([])
    found = list(reachable(data, spec, runner, engine, Suggestion(0, {})))
    assert any(each is data.train.x for each in found)
    assert not [each for each in found if isinstance(each, pl.DataFrame | pl.Series | np.memmap)]
    test = open_test(spec, data)
    searched = {*row_keys(data.train.x, test.x[0].nbytes), *row_keys(data.validation.x, test.x[0].nbytes)}
    sealed = row_keys(test.x, test.x[0].nbytes) - searched  # a set may hold the same row twice
    assert len(sealed) > 0.95 * len(test)
    for each in found:
        if isinstance(each, np.ndarray):
            assert not sealed & row_keys(each, test.x[0].nbytes)
            assert not np.shares_memory(each, test.x) and not np.shares_memory(each, test.y)
    for rows in (data.train, data.validation):
        for array in (rows.x, rows.y):
            assert array.base is None or array.base.nbytes < array.nbytes + array[0].nbytes  # no room for a row


def test_gives_the_rows_that_were_held_out() -> None:
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    search, sealed = train_test_split(np.arange(len(x)), test_size=0.2, random_state=42)
    train, _ = train_test_split(search, test_size=0.2, random_state=42)
    spec = named("breast_cancer")
    data = load_search_data(spec)
    test = open_test(spec, data)
    assert len(test) == data.test_rows and (test.y == y[sealed]).all()
    scaled = (x[sealed] - x[train].mean(axis=0)) / x[train].std(axis=0)
    np.testing.assert_allclose(test.x, scaled, rtol=2e-3, atol=2e-3)


def test_data_that_changed_since_the_search_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "it.csv"
    rows = [f"{k},{k % 2}" for k in range(50)]
    path.write_text("a,target\n" + "\n".join(rows) + "\n")
    spec = spec_of(DataSpec("csv", str(path), "target"))
    data = load_search_data(spec)
    path.write_text("a,target\n" + "\n".join(["99,0", *rows[1:]]) + "\n")
    with pytest.raises(DataError, match=r"the rows of it\.csv have changed since the search"):
        open_test(spec, data)


def test_test_rows_that_were_replaced_are_refused(tmp_path: Path) -> None:
    x, y = np.arange(60.0).reshape(30, 2), np.arange(30) % 2
    parts = {"x_train": x[:20], "y_train": y[:20], "x_test": x[20:], "y_test": y[20:]}
    np.savez(tmp_path / "it.npz", **parts)
    spec = spec_of(DataSpec("npz", str(tmp_path / "it.npz")))
    data = load_search_data(spec)
    assert len(open_test(spec, data)) == 10
    for other in ({"x_test": x[20:] + 1}, {"y_test": 1 - y[20:]}, {"x_test": x[21:], "y_test": y[21:]}):
        np.savez(tmp_path / "it.npz", **{**parts, **other})
        assert load_search_data(spec).fingerprint == data.fingerprint  # which knows nothing of them
        with pytest.raises(DataError, match=r"the test rows of it\.npz have changed"):
            open_test(spec, data)


def test_a_source_without_test_rows_says_so() -> None:
    spec = named("iris")
    spec = replace(spec, data=replace(spec.data, split=Split(test=0.0)))
    with pytest.raises(DataError, match="has no test rows"):
        open_test(spec, load_search_data(spec))
