"""What libraries say beside a sweep: once, in plain text, and not at length in a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.command import sweep
from tests.helpers.space_texts import small

SPACE = small(
    data='{python: "mine:rows"}',
    model='{python: "mine:build"}',
    metrics="",
    metric="{name: val_loss}",
    parameters="{model.units: {values: [2, 3, 4]}, learning_rate: {min: 0.001, max: 0.1, log: true}, epochs: 1}",
    search="{sampler: grid, trials: 3}",
    finalists="none",
)
MINE = """
import tensorflow
import keras
import numpy as np

class Odd(keras.layers.Layer):
    def call(self, x):
        if x.shape[-1] == 4:
            raise ValueError("four is odd, " + "and so on " * 20)
        return keras.ops.cast(keras.ops.cast(x, "int64"), "float32") + x

    def compute_output_shape(self, shape):
        return shape

def rows():
    x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype(int)

def build(units):
    dense = keras.layers.Dense(units, input_shape=(4,))
    return keras.Sequential([dense, Odd(), keras.layers.Dense(2, activation="softmax")])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("noise")
    (folder / "space.yaml").write_text(SPACE)
    (folder / "mine.py").write_text(MINE)
    return folder


def test_log_lines_of_a_library_that_a_users_module_imports_are_not_shown(folder: Path) -> None:
    shown = sweep("data", "space.yaml", cwd=folder, new=True, TF_CPP_MIN_LOG_LEVEL="0")
    assert shown.code == 0, shown.err
    assert shown.out.startswith("mine:rows\n")
    assert shown.err == ""


def test_a_warning_is_shown_once_a_run_and_failures_are_plain_and_short(folder: Path) -> None:
    done = sweep("run", "space.yaml", "--runner", "fit", cwd=folder)
    assert done.code == 0, done.err
    assert done.err.count("Do not pass an `input_shape`") == 1
    assert done.err.count("Explicitly requested dtype int64") == 1
    failed = next(line for line in done.err.splitlines() if " FAIL " in line)
    number = failed.split("trial ")[1].split()[0]
    shown = sweep("show", "space", number, cwd=folder).out
    assert "four is odd, and so on" in shown
    assert "x1b" not in shown + done.err
    board = sweep("leaderboard", cwd=folder).out.split("\n\n")[0]
    assert "FAIL" in board
    assert max(map(len, board.splitlines())) < 160
