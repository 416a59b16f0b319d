"""Short searches of typical programs: each winner is trained again to its numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import keras_sweep as ks
from tests.helpers.ran import quiet


@pytest.fixture
def search(tmp_path: Path) -> Callable[..., ks.Sweep]:
    """Search by a spec of these fields in the test's folder: two trials without finalists, unless they say it."""

    def search(data: Any, *, name: str = "it", **fields: Any) -> ks.Sweep:
        usual = {"search": ks.Optuna("random", trials=2), "finalists": "none"}
        sweep = ks.run(ks.Spec(data=data, **{**usual, **fields}), name=name, sweeps_dir=tmp_path, listener=quiet)
        assert sweep.replay().matches
        return sweep

    return search
