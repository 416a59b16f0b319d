"""Every file in search_spaces/ runs as it is, with few trials, from file to a model that scores what its card says."""

import json
from pathlib import Path

import pytest

from keras_sweep.models.model_as_file import PLAIN
from tests.helpers.command import sweep

SPACES = Path(__file__).parents[1] / "search_spaces"
FILES = sorted(SPACES.glob("*.yaml"))
TRIALS = {"hyperband": 3, "reference": 1}
SHORTER = {"dense": 2, "dense_fast": 2, "hyperband": 2, "cnn": 2}  # epochs
SHORT = {name: ["--set", f"epochs.max={most}"] for name, most in SHORTER.items()}


# These, since the README and docs/ run others; in long each as it is.
IN_SHORT = ("keras_tuner", "moons", "own_data")


@pytest.mark.parametrize(
    "file",
    [pytest.param(one, id=one.stem, marks=() if one.stem in IN_SHORT else pytest.mark.soak) for one in FILES],
)
def test_an_example_runs_to_its_end_and_its_model_has_its_scores_on_raw_rows(file, tmp_path):
    trials = TRIALS.get(file.stem, 2)
    sweep("run", file, "--trials", str(trials), *SHORT.get(file.stem, []), cwd=tmp_path).ok()
    folder = tmp_path / "sweeps" / file.stem
    card = json.loads((folder / "card.json").read_text())
    assert card["trials"] == trials
    assert card["test"]["rows"] > 0
    verified = sweep("verify", folder / "best.keras", "--trust", cwd=tmp_path).ok()
    assert f"the scores match the card on {card['data']['validation_rows']:,} validation rows" in verified.out
    assert card["open"] == PLAIN


def test_every_engine_task_and_source_has_an_example():
    text = "\n".join(file.read_text() for file in FILES)
    for words in ("keras-tuner", "csv:", "parquet:", "npz:", "python:", "binary_crossentropy", "mean_squared_error"):
        assert words in text
