"""Every file in search_spaces/ runs as it is, with few trials, from file to a model that predicts on raw rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command import sweep

SPACES = Path(__file__).parents[1] / "search_spaces"
FILES = sorted(SPACES.glob("*.yaml"))
TRIALS = {"dense": 4, "hyperband": 4, "reference": 1}
SHORT = {"dense": ["--set", "epochs.max=2"], "hyperband": ["--set", "epochs.max=4"], "cnn": ["--set", "epochs.max=2"]}

PREDICT = """
import json, sys
from pathlib import Path
import keras, numpy as np
from keras_sweep.data.catalog import load_search_data, raw_rows
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep.recorded import recorded_spec
folder = SweepFolder(Path(sys.argv[1]))
with StudyFile.open(folder) as study:
    spec = recorded_spec(study, trust=True, emit=lambda event: None)
data = load_search_data(spec)
model = keras.models.load_model(folder.best)
raw = raw_rows(spec, data)[1]
scores = model.evaluate(raw, data.validation.y, verbose=0, return_dict=True)
rows = len(model.predict(raw, verbose=0))
json.dump({"scores": scores, "rows": rows, "wanted": len(data.validation)}, sys.stdout)
"""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_runs_to_a_model_that_takes_raw_rows(file, tmp_path):
    trials = TRIALS.get(file.stem, 3)
    ended = sweep("run", file, "--trials", str(trials), *SHORT.get(file.stem, []), cwd=tmp_path)
    assert ended.code == 0, ended.err
    folder = tmp_path / "sweeps" / file.stem
    card = json.loads((folder / "card.json").read_text())
    assert card["trials"] == trials
    assert card["test"]["rows"] > 0
    predicted = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", PREDICT, folder],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert predicted.returncode == 0, predicted.stderr
    found = json.loads(predicted.stdout)
    assert found["rows"] == found["wanted"] == card["data"]["validation_rows"]
    name = card["metric"]["name"]
    assert found["scores"][name.removeprefix("val_")] == pytest.approx(card["validation"][name], rel=1e-4, abs=1e-5)


def test_every_engine_task_and_source_has_an_example():
    text = "\n".join(file.read_text() for file in FILES)
    for words in ("keras-tuner", "csv:", "parquet:", "npz:", "python:", "binary_crossentropy", "mean_squared_error"):
        assert words in text
