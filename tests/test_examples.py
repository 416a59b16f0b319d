"""Every example runs as it stands, in an empty folder, with fewer trials; the notebook with all that it has."""

import os
import re
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.helpers.command import process, script

EXAMPLES = Path(__file__).parents[1] / "examples"
SAID = {
    "own_arrays": r"best: Trial\(\d+: 0\.\d+ ±",
    "own_model": r"leaderboard (0\.\d{4}), evaluate \1",
    "like_scikit_learn": r"test accuracy (0\.[6-9]|1)",
    "into_polars": r"params\.optimizer .* as good",
}


def test_each_example_has_its_check() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SAID)


# It trains for longest, and what it shows has tests of its own.
@pytest.mark.parametrize("name", [pytest.param(one, marks=[pytest.mark.soak] * (one == "own_model")) for one in SAID])
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    short = re.sub(r"trials=\d\d?\b", "trials=4", (EXAMPLES / f"{name}.py").read_text())
    (tmp_path / "example.py").write_text(short)
    ended = script("example.py", cwd=tmp_path).ok()
    assert re.search(SAID[name], ended.out), ended.out


def test_the_package_of_members_is_installed_and_keeps_their_contracts(tmp_path: Path) -> None:
    plugin, installed = tmp_path / "plugin", tmp_path / "installed"
    shutil.copytree(EXAMPLES / "plugin", plugin)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    process([*pip, "--target", installed, plugin], tmp_path).ok()
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    variables = {**os.environ, "PYTHONPATH": str(installed), "KERAS_BACKEND": "jax"}
    assert re.search(r"[23]\d passed", process(tests, plugin, variables).ok().out)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")  # of the machinery that runs notebooks
def test_the_notebook_shows_what_it_showed_when_it_was_written(tmp_path: Path) -> None:
    known = nbformat.read(EXAMPLES / "first_sweep.ipynb", as_version=4)
    again = nbformat.read(EXAMPLES / "first_sweep.ipynb", as_version=4)
    NotebookClient(again, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    for before, now in zip(known.cells, again.cells, strict=True):
        assert [output.output_type for output in now.get("outputs", [])] == [
            output.output_type for output in before.get("outputs", [])
        ]
    (board,) = again.cells[3].outputs
    assert "first: 16 of 16 trials" in board.data["text/html"]
    assert "done" in board.data["text/html"]
