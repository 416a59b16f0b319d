"""The same space on every Keras backend, each in a process of its own, with modules of a user."""

import json
import shutil
from functools import cache
from pathlib import Path

import pytest

from tests.helpers.command import leaderboard, python, script, sweep
from tests.helpers.space_texts import DIGITS, small
from tests.helpers.whole_spaces import FEW_FINALISTS

RUNNERS = {"jax": "compiled", "tensorflow": "fit", "torch": "fit"}
TORCH_IN_LONG = ["tensorflow", pytest.param("torch", marks=pytest.mark.soak)]  # which takes long to import


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """backend -> the folder of its sweep."""
    return {backend: tmp_path_factory.mktemp(backend) for backend in RUNNERS}


@pytest.fixture(scope="module")
def board(folders):
    """Gives the leaderboard's rows of a backend's sweep, which is run once; nobody asks for a runner on PyTorch."""

    @cache
    def rows(backend):
        folder = folders[backend]
        (folder / "digits.yaml").write_text(DIGITS + FEW_FINALISTS)
        call = ["run", "digits.yaml", "--sampler", "qmc", "--trials", "3", "--backend", backend]
        ended = sweep(*call, *([] if backend == "torch" else ["--runner", RUNNERS[backend]]), cwd=folder).ok()
        why = "trials train one by one with `fit`: the backend is torch, not jax"
        assert (why in ended.err) == (backend == "torch")
        return leaderboard(folder)

    return rows


@pytest.fixture(scope="module")
def jax(folders, board):
    """The folder of the sweep of lanes."""
    assert board("jax")
    return folders["jax"]


@pytest.mark.parametrize("backend", TORCH_IN_LONG)
def test_every_backend_has_the_same_trials_with_nearly_the_same_values_and_new_seeds_of_the_best(board, backend):
    rows, of_jax = board(backend), board("jax")
    assert {row["number"]: row["params"] for row in rows} == {row["number"]: row["params"] for row in of_jax}
    best = [rows[0], of_jax[0]]
    assert abs(best[0]["value"] - best[1]["value"]) < 2 * max(row["stderr"] for row in best)
    for seeded in (rows, of_jax):
        assert [row["seeds"] for row in seeded] == [2, 2, 1] and seeded[0]["seeds_mean"] >= seeded[1]["seeds_mean"]


@pytest.mark.soak
@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_a_trial_is_replayed_on_its_backend(folders, board, backend):
    number = board(backend)[0]["number"]
    ended = sweep("replay", "digits", str(number), cwd=folders[backend], new=True).ok()
    assert f"fit/{backend} compared with the record (fit/{backend}): equal" in ended.out


LOAD = """
import json, sys, warnings
import keras
from keras_sweep.space_file.read import read_space_file
from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.sealed_test import open_test
spec = read_space_file("digits.yaml")
data = load_search_data(spec)
test = open_test(spec, data)
warnings.simplefilter("error", RuntimeWarning)
model = keras.models.load_model(sys.argv[1])
scores = [model.evaluate(r.x, r.y, verbose=0, return_dict=True) for r in (data.validation, test)]
json.dump([*scores, keras.backend.backend(), model.jit_compile], sys.stdout)
"""


@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_the_exported_model_scores_what_its_card_says_on_every_backend(jax, board, backend, tmp_path):
    model = tmp_path / "model.keras"
    exported = sweep("export", "digits", "-o", model, cwd=jax)
    assert (exported.code, exported.out.strip()) == (0, str(model))
    card = json.loads((tmp_path / "model.card.json").read_text())
    loaded = python(LOAD, model, cwd=jax, backend=backend).ok()
    validation, test, name, compiles = json.loads(loaded.out[loaded.out.index("[") :])
    assert name == backend
    assert backend != "torch" or compiles is False  # for minutes, else
    assert validation["accuracy"] == pytest.approx(card["validation"]["val_accuracy"], abs=1e-6)
    assert test["accuracy"] == pytest.approx(card["test"]["accuracy"], abs=1e-6)
    assert card["validation"]["value"] == board("jax")[0]["value"]


@pytest.mark.parametrize("backend", TORCH_IN_LONG)
def test_a_trial_of_lanes_is_evaluated_and_exported_on_every_backend(jax, backend, tmp_path):
    shutil.copytree(jax, tmp_path / "copy")
    first = json.loads((jax / "sweeps/digits/card.json").read_text())
    evaluated = sweep("evaluate", "digits", "--backend", backend, "--format", "json", cwd=tmp_path / "copy").ok()
    assert f"was trained on jax: on {backend} its numbers may differ in the last digits" in evaluated.err
    assert json.loads(evaluated.out)["scores"]["loss"] == pytest.approx(first["test"]["loss"], rel=1e-5)
    other = str((first["trial"] + 1) % 3)
    exported = sweep("export", "digits", "--trial", other, "--backend", backend, cwd=tmp_path / "copy")
    assert (exported.code, exported.out) == (0, "digits.keras\n"), exported.err
    (tmp_path / f"copy/sweeps/digits/weights/{int(other):06d}.npz").unlink()
    refused = sweep("export", "digits", "--trial", other, "--backend", backend, cwd=tmp_path / "copy")
    assert refused.code == 2
    assert "must be trained again on jax, since only the best trials keep their weights" in refused.err
    assert f"but the backend is {backend}. Add `--backend jax`" in refused.err


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from keras_sweep.cli.main import main
main(["run", "digits.yaml", "--backend", "torch"])
"""


def test_a_missing_backend_is_named_with_the_command_that_installs_it(tmp_path):
    (tmp_path / "digits.yaml").write_text(DIGITS)
    (tmp_path / "without.py").write_text(WITHOUT_TORCH)
    ended = script("without.py", cwd=tmp_path, new=True, KERAS_BACKEND="torch")
    assert ended.code == 2
    assert "pip install 'keras-sweep[torch]'" in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "sweeps").exists()


@pytest.mark.soak
def test_the_lessons_own_point_gives_its_figures_on_tensorflow(tmp_path):
    """keras.utils.set_random_seed(42), RMSprop, five epochs: the figures that the lesson's own script prints."""
    space = Path(__file__).parents[2] / "search_spaces" / "reference.yaml"
    sweep("run", space, "--backend", "tensorflow", "--runner", "fit", cwd=tmp_path).ok()
    (row,) = leaderboard(tmp_path)
    assert row["value"] == 0.8458333611488342
    assert row["metrics"]["val_loss"] == pytest.approx(0.44444, abs=5e-6)
    card = json.loads((tmp_path / "sweeps" / "reference" / "card.json").read_text())
    assert card["test"]["accuracy"] == pytest.approx(0.8360, abs=5e-5)


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


@pytest.mark.soak
@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_keras_is_wholly_imported_before_a_module_of_the_users_begins(backend: str, tmp_path: Path) -> None:
    model, search = "{dense: {units: 2, activation: softmax}}", "{sampler: random, trials: 1}"
    (tmp_path / "space.yaml").write_text(small(data='{python: "mine:rows"}', model=model, search=search))
    (tmp_path / "mine.py").write_text(ROWS % (backend, backend))
    done = sweep("run", "space.yaml", "--quiet", "--backend", backend, cwd=tmp_path, new=True).ok()
    assert "Traceback" not in done.err
