"""Every file in search_spaces/ runs as it is, with few trials, from file to a model that predicts on raw rows."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from tests.helpers.command import python, sweep

SPACES = Path(__file__).parents[1] / "search_spaces"
FILES = sorted(SPACES.glob("*.yaml"))
TRIALS = {"dense": 4, "hyperband": 4, "reference": 1}
SHORT = {"dense": ["--set", "epochs.max=2"], "hyperband": ["--set", "epochs.max=4"], "cnn": ["--set", "epochs.max=2"]}

PREDICT = """
import json, sys, traceback, warnings
from pathlib import Path
warnings.simplefilter("error")
warnings.simplefilter("ignore", DeprecationWarning)
import keras, numpy as np
from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.raw_rows import raw_rows
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep.recorded import recorded_spec
def evaluated(folder):
    with StudyFile.open(folder) as study:
        spec = recorded_spec(study, trust=True, emit=lambda event: None)
    data = load_search_data(spec)
    model = keras.models.load_model(folder.best)
    raw = raw_rows(spec, data)[1]
    scores = model.evaluate(raw, data.validation.y, verbose=0, return_dict=True)
    return {"scores": scores, "rows": len(model.predict(raw, verbose=0)), "wanted": len(data.validation)}
answer = {}
for path in map(Path, sys.argv[1:]):
    try:
        answer[path.name] = evaluated(SweepFolder(path))
    except Exception:
        answer[path.name] = traceback.format_exc()
json.dump(answer, sys.stdout)
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Runs an example once: how it ended, and its folder."""
    home = tmp_path_factory.mktemp("examples")

    @cache
    def run(file):
        trials = str(TRIALS.get(file.stem, 3))
        ended = sweep("run", file, "--trials", trials, *SHORT.get(file.stem, []), cwd=home)
        return ended, home / "sweeps" / file.stem

    return run


@pytest.fixture(scope="module")
def predicted(ran):
    """What plain Keras makes of each exported model: one process, in which the models of all examples live together."""
    ended = python(PREDICT, *(ran(file)[1] for file in FILES), cwd=SPACES.parent).ok()
    return json.loads(ended.out)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_runs_to_its_end(ran, file):
    ended, folder = ran(file)
    assert ended.code == 0, ended.err
    card = json.loads((folder / "card.json").read_text())
    assert card["trials"] == TRIALS.get(file.stem, 3)
    assert card["test"]["rows"] > 0


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_model_of_an_example_takes_raw_rows(ran, predicted, file):
    _, folder = ran(file)
    card = json.loads((folder / "card.json").read_text())
    found = predicted[file.stem]
    assert not isinstance(found, str), found
    assert found["rows"] == found["wanted"] == card["data"]["validation_rows"]
    name = card["metric"]["name"]
    assert found["scores"][name.removeprefix("val_")] == pytest.approx(card["validation"][name], rel=1e-4, abs=1e-5)


def test_every_engine_task_and_source_has_an_example():
    text = "\n".join(file.read_text() for file in FILES)
    for words in ("keras-tuner", "csv:", "parquet:", "npz:", "python:", "binary_crossentropy", "mean_squared_error"):
        assert words in text
