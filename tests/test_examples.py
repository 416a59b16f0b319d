"""Every example runs as it stands, in an empty folder, with fewer trials; the notebook with all that it has."""

import json
import os
import re
import shutil
import sys
import sysconfig
import venv
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.helpers.command import PATIENCE, process, script
from tests.helpers.records import ROOT

EXAMPLES = ROOT / "examples"
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


def run_cells(notebook: nbformat.NotebookNode, folder: Path, **environment: str) -> None:
    """Run a notebook in a folder by a new kernel."""
    client = NotebookClient(notebook, timeout=PATIENCE, resources={"metadata": {"path": str(folder)}})
    client.execute(env={**os.environ, **environment})


def check_cloud(cells: list[nbformat.NotebookNode]) -> None:
    run, checked = cells[-3], cells[-1]
    assert "cloud: 8 of 8 trials" in run.outputs[-2].data["text/html"]
    assert "'learning_rate'" in run.outputs[-1].data["text/plain"]
    assert checked.outputs[-1].data["text/plain"] == "True"


@pytest.mark.filterwarnings("ignore")  # of the machinery that runs notebooks
def test_the_notebook_for_the_cloud_runs_where_the_package_is_installed(tmp_path: Path) -> None:
    notebook = nbformat.read(EXAMPLES / "cloud.ipynb", as_version=4)
    assert notebook.cells[1].source == "%pip install --quiet keras-sweep"
    notebook.cells[1].source = "pass"
    run_cells(notebook, tmp_path)
    check_cloud(notebook.cells)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
def test_the_notebook_for_the_cloud_runs_as_it_is_in_an_environment_without_the_package(tmp_path: Path) -> None:
    """`%pip install` finds a wheel of this checkout. All other packages are links to those of the tests."""
    process([sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT], tmp_path).ok()
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    python, (site,) = tmp_path / "venv" / "bin" / "python", (tmp_path / "venv" / "lib").glob("*/site-packages")
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if "keras_sweep" not in package.name:
            (site / package.name).symlink_to(package)
    assert process([python, "-c", "import keras_sweep"], tmp_path).code == 1
    kernel = tmp_path / "share" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    start = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": start, "display_name": "new", "language": "python"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
        notebook = nbformat.read(EXAMPLES / "cloud.ipynb", as_version=4)
        run_cells(notebook, tmp_path, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path))
    check_cloud(notebook.cells)
    where = process([python, "-c", "import keras_sweep; print(keras_sweep.__file__)"], tmp_path).ok().out
    assert where.startswith(str(site))


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
def test_the_notebook_shows_what_it_showed_when_it_was_written(tmp_path: Path) -> None:
    known = nbformat.read(EXAMPLES / "first_sweep.ipynb", as_version=4)
    again = nbformat.read(EXAMPLES / "first_sweep.ipynb", as_version=4)
    run_cells(again, tmp_path)
    for before, now in zip(known.cells, again.cells, strict=True):
        assert [output.output_type for output in now.get("outputs", [])] == [
            output.output_type for output in before.get("outputs", [])
        ]
    _, board = again.cells[3].outputs  # the first was the board while the sweep ran
    assert "first: 16 of 16 trials" in board.data["text/html"]
    assert "done" in board.data["text/html"]
