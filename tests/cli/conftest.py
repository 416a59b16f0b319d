"""One finished sweep on digits, shared by the tests that read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.command import sweep

DIGITS = """\
data: digits
model:
  dense: {units: 10, activation: softmax}
loss: sparse_categorical_crossentropy
metrics: [accuracy]
metric: {name: val_accuracy, goal: maximize}
parameters:
  optimizer: {values: [sgd, adam]}
  learning_rate: {min: 1e-3, max: 1.0, log: true}
  epochs: {min: 1, max: 5}
search: {engine: optuna, sampler: tpe, trials: 6, seed: 42}
"""


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with digits.yaml and its finished sweep; what the run printed is in out.txt and err.txt."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "digits.yaml").write_text(DIGITS)
    ended = sweep("run", "digits.yaml", cwd=folder)
    (folder / "out.txt").write_text(ended.out)
    (folder / "err.txt").write_text(ended.err)
    assert ended.code == 0, ended.err
    return folder
