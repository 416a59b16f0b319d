"""Test rows that are replaced after the search would judge another winner: they are refused, and no look is counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.helpers.command import sweep
from tests.helpers.space_texts import small

PARAMETERS = "{optimizer: sgd, learning_rate: {min: 0.01, max: 1.0, log: true}, epochs: 2}"


def test_evaluate_and_run_refuse_other_test_rows_and_take_the_former_ones_again(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    y = draw.integers(0, 2, 200)
    x = (draw.normal(size=(200, 3)) + y[:, None]).astype("float32")
    parts = {"x_train": x[:150], "y_train": y[:150], "x_test": x[150:], "y_test": y[150:]}
    np.savez(tmp_path / "it.npz", **parts)
    (tmp_path / "it.yaml").write_text(small(data="{npz: it.npz}", model="{dense: {}}", parameters=PARAMETERS))
    assert sweep("run", "it.yaml", cwd=tmp_path).code == 0
    np.savez(tmp_path / "it.npz", **{**parts, "y_test": 1 - y[150:]})
    refused = sweep("evaluate", "it", cwd=tmp_path)
    assert (refused.code, refused.out) == (2, "")
    assert "the test rows of it.npz are not those that the sweep 'it' was begun with" in refused.err
    again = sweep("run", "it.yaml", cwd=tmp_path)
    assert again.code == 2 and "its test rows are not those that the sweep was begun with" in again.err
    np.savez(tmp_path / "it.npz", **parts)
    looked = json.loads(sweep("evaluate", "it", "--format", "json", cwd=tmp_path).out)
    assert looked["looks"] == 2  # one by `run`, one by this call
