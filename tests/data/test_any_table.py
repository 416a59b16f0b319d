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
