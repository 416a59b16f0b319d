"""A user's modules meet a Keras that is imported already, on the backend that was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.command import sweep
from tests.helpers.space_texts import small

ROWS = """
import sys

whole = [name for name in ("backend", "layers", "models", "utils") if hasattr(sys.modules.get("keras"), name)]
import %s
from keras.models import Sequential

import keras
import numpy as np


def rows():
    assert keras.backend.backend() == %r
    assert len(whole) == 4, f"Keras had {whole} alone"
    x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype(int)
"""


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_keras_is_wholly_imported_before_a_module_of_the_users_begins(backend: str, tmp_path: Path) -> None:
    model, search = "{dense: {units: 2, activation: softmax}}", "{sampler: random, trials: 1}"
    (tmp_path / "space.yaml").write_text(small(data='{python: "mine:rows"}', model=model, search=search))
    (tmp_path / "mine.py").write_text(ROWS % (backend, backend))
    done = sweep("run", "space.yaml", "--quiet", "--backend", backend, cwd=tmp_path, new=True)
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
