from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from keras_sweep.data.names import SKLEARN_SETS
from keras_sweep.data.sklearn_sets import by_loader, from_files, read_sklearn_set

SCRIPT = """
import sys
from keras_sweep.data.sklearn_sets import read_sklearn_set
for name in sys.argv[1:]:
    read_sklearn_set(name)
assert "sklearn" not in sys.modules
"""


@pytest.mark.parametrize("name", SKLEARN_SETS)
def test_the_files_hold_what_the_loader_of_scikit_learn_gives(name):
    ours, theirs = from_files(name), by_loader(name)
    assert np.array_equal(ours.data, theirs.data)
    assert np.array_equal(ours.target, theirs.target)
    assert (ours.data.dtype, ours.target.dtype) == (theirs.data.dtype, theirs.target.dtype)
    assert (ours.columns, ours.classes) == (theirs.columns, theirs.classes)


def test_they_are_read_without_importing_scikit_learn():
    subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT, *SKLEARN_SETS], check=True)


@pytest.mark.parametrize("name", ["iris", "diabetes", "digits"])
def test_where_the_files_are_elsewhere_the_loader_is_asked(name, tmp_path, monkeypatch):
    expected = read_sklearn_set(name).rows
    (tmp_path / "__init__.py").touch()
    spec = importlib.util.spec_from_file_location(
        "sklearn", tmp_path / "__init__.py", submodule_search_locations=[str(tmp_path)]
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: spec)
    with pytest.raises(OSError, match=r"csv"):
        from_files(name)
    found = read_sklearn_set(name).rows
    assert np.array_equal(*(getattr(rows.x, "values", rows.x) for rows in (found, expected)))
    assert np.array_equal(found.y, expected.y)
