"""Whatever a file holds: it loads and gives finite features, or is refused by a DataError. Never anything else."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.sealed_test import open_test
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import DataSpec
from tests.helpers.data_specs import spec_of

WILD = st.one_of(
    st.sampled_from(["", "1", "2.5", "-3e5", "x", "true", "NaN", "inf", "2024-01-01", '"a,b"', "é", "1e400"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
)
POOLS = [
    st.sampled_from(["1", "2", "-7.5", "3e4", "", "NaN"]),
    st.sampled_from(["x", "y", "é", "", '"a,b"', "12"]),
    st.sampled_from(["true", "false", ""]),
    WILD,
]
TARGETS = [st.sampled_from(["0", "1"]), st.sampled_from(["p", "q", "r"]), st.sampled_from(["0.5", "1.5", "2"]), WILD]
ANY = settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def load_both(content: bytes, loss: str) -> None:
    """Load a CSV file and open its test rows; a DataError is an answer too."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "it.csv").write_bytes(content)
        spec = spec_of(DataSpec("csv", "it.csv", "target"), loss, Path(folder))
        try:
            data = load_search_data(spec)
            test = open_test(spec, data)
        except DataError:
            return
        for rows in (data.train, data.validation, test):
            assert np.isfinite(rows.x).all() and rows.x.dtype == np.float32


@given(st.data(), st.sampled_from(["mse", "sparse_categorical_crossentropy", "binary_crossentropy"]))
@ANY
def test_any_cells(data: st.DataObject, loss: str) -> None:
    row = st.tuples(
        data.draw(st.sampled_from(POOLS)), data.draw(st.sampled_from(POOLS)), data.draw(st.sampled_from(TARGETS))
    )
    lines = "\n".join(",".join(cells) for cells in data.draw(st.lists(row, min_size=5, max_size=40)))
    load_both(f"a,b,target\n{lines}\n".encode(), loss)


@given(st.binary(max_size=200))
@ANY
def test_any_bytes(content: bytes) -> None:
    load_both(content, "mse")
    load_both(b"a,target\n" + content, "sparse_categorical_crossentropy")


@given(st.lists(st.tuples(st.integers(-1000, 1000), st.sampled_from("xyz")), min_size=20, max_size=40))
@settings(ANY, max_examples=25)
def test_plain_cells_load_row_by_row_standardised_by_training_rows(cells: list[tuple[int, str]]) -> None:
    lines = [f"{row},{number},{letter},{row % 2}" for row, (number, letter) in enumerate(cells)]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "it.csv").write_text("row,a,b,target\n" + "\n".join(lines) + "\n")
        spec = spec_of(DataSpec("csv", "it.csv", "target"), "mse", Path(folder))
        data = load_search_data(spec)
        parts = (data.train, data.validation, open_test(spec, data))
    x, y = (np.concatenate([getattr(rows, name) for rows in parts]) for name in ("x", "y"))
    assert sum(map(len, parts)) == len(cells) and x.dtype == np.float32
    row = x[:, 0].argsort()  # the rows in the order of the file, since the first column counts them
    assert y[row].tolist() == [number % 2 for number in range(len(cells))]
    np.testing.assert_allclose([data.train.x[:, 0].mean(), data.train.x[:, 0].std()], [0, 1], atol=1e-5)
    assert np.isfinite(x).all()
