"""The table of CONTRIBUTING.md is so: what it names is there, and a member needs nothing but to be registered."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from pathlib import Path

import numpy as np
import pytest

from keras_sweep.space.registry import Registry
from tests.helpers import toys
from tests.helpers.command import Ended, python

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.split("## To add a member")[1].splitlines()
    if line.startswith("| ") and not line.startswith("| to add")
]
TOYS = {
    "sampler": "Middle",
    "pruning rule": "Odd",
    "source": "stripes",
    "image set": "SET",
    "export format": "WEIGHTS",
    "view": "Count",
    "runner": "Patient",
}
SPACE = """\
data: {toy: "60"}
model: {dense: {activation: softmax}}
loss: sparse_categorical_crossentropy
metrics: [accuracy]
metric: {name: val_accuracy}
parameters: {learning_rate: {values: [0.01, 0.1, 0.5, 1.0]}, epochs: 2}
search: {sampler: toy, trials: 3}
early_terminate: {type: toy, min_iter: 1}
"""
# `sweep` where the packages of a folder are installed
SWEEP = """\
import sys
sys.path.insert(0, sys.argv.pop(1))
from keras_sweep.cli.main import main
main()
"""


def registry_of(cell: str) -> Registry[object]:
    name, file = re.findall(r"`(\w+)` in `([\w/]+)\.py`", cell)[0]
    return getattr(importlib.import_module("keras_sweep." + file.replace("/", ".")), name)


def group_of(kind: str) -> str:
    return f"keras_sweep.{kind.replace(' ', '_')}s"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder on the path into which a package with a toy of every kind is installed, and the files of its images."""
    folder = tmp_path_factory.mktemp("site")
    data = folder / "toy"
    data.mkdir()
    package = folder / "toy_members.py"
    package.write_text(
        f"{inspect.getsource(toys)}\n\nfrom keras_sweep.data.image_set import *\nSET = {toys.write_files(data)!r}\n"
    )
    about = folder / "toy_members-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-members\nVersion: 1.0\n")
    points = [f"[{group_of(kind)}]\ntoy = toy_members:{member}\n" for kind, member in TOYS.items()]
    (about / "entry_points.txt").write_text("\n".join(points))
    (folder / "space.yaml").write_text(SPACE)
    (folder / "images.yaml").write_text(re.sub(r"^(data:.*|search:.*)$", "", SPACE, flags=re.M) + "data: toy\n")
    return folder


def command(*arguments: str, installed: Path) -> str:
    done = ended(*arguments, installed=installed)
    assert done.code == 0, done.err
    return done.out + done.err


def ended(*arguments: str, installed: Path) -> Ended:
    return python(SWEEP, installed, *arguments, cwd=installed, SWEEP_DATA_DIR=str(installed / "toy"))


def test_the_table_has_every_kind() -> None:
    assert [row[0] for row in ROWS] == list(TOYS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_a_row_names_is_there(row: list[str]) -> None:
    kind, write, register, tested = row
    registry = registry_of(register)
    assert isinstance(registry, Registry) and registry.noun.partition(" ")[2] == kind
    assert registry.group == group_of(kind) and f"`{registry.group}`" in TEXT
    assert (ROOT / tested.strip("`")).is_file()
    assert all((ROOT / "src" / "keras_sweep" / file).is_file() for file in re.findall(r"`([\w/]+\.py)`", write))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_member_of_the_package_can_be_imported(row: list[str]) -> None:
    registry = registry_of(row[2])
    assert all(registry[name] is not None for name in registry) and len(registry) >= 1


def test_registered_toys_search_train_show_and_export(installed: Path) -> None:
    printed = command("run", "space.yaml", "--runner", "toy", "--view", "toy", installed=installed)
    assert re.search(r"^toy: \d+ events$", printed, re.M)
    rows = json.loads(command("leaderboard", "space", "--format", "json", installed=installed))
    assert {row["engine"] for row in rows} == {"optuna/toy"} and len(rows) == 3
    assert {row["number"]: row["state"] for row in rows} == {0: "COMPLETE", 1: "PRUNED", 2: "COMPLETE"}
    command("export", "space", "--format", "toy", installed=installed)
    with np.load(installed / "space.npz") as weights:
        assert [weights[name].shape for name in weights.files] == [(3, 3), (3,)]
    assert json.loads((installed / "space.card.json").read_text())["open"] == "numpy.load(path)"


def test_a_registered_image_set_brings_its_own_test_rows(installed: Path) -> None:
    printed = command("run", "images.yaml", "--trials", "2", installed=installed)
    assert "test" in printed
    card = json.loads((installed / "sweeps" / "images" / "card.json").read_text())
    assert card["test"]["rows"] == 30
    assert "flattened to 20" in json.dumps(card)


def test_registered_names_stand_in_help_messages_and_schema(installed: Path) -> None:
    for name, options in (("run", ("sampler", "runner", "view")), ("export", ("format",))):
        words = " ".join(command(name, "--help", installed=installed).split())
        assert words.count("also toy.") == len(options)
    (installed / "wrong.yaml").write_text(
        SPACE.replace("sampler: toy", "sampler: toi").replace("type: toy", "type: no").replace("{toy:", "{nothing:")
    )
    done = ended("check", "wrong.yaml", installed=installed)
    words = " ".join(done.err.split())
    assert done.code == 2
    assert "csv, parquet, npz, python, toy" in words
    assert "hyperband, median, successive_halving or toy" in words
    assert "tpe, random, grid, qmc, toy" in words


def test_a_record_is_read_without_importing_other_packages(installed: Path) -> None:
    (installed / "toy_members.py").rename(installed / "gone.py")
    try:
        done = ended("check", "space.yaml", installed=installed)
        assert done.code == 2
        assert "of the package toy-members can't be imported (ModuleNotFoundError" in " ".join(done.err.split())
        assert "Traceback" not in done.err
        command("list", installed=installed)
        command("run", "--help", installed=installed)
    finally:
        (installed / "gone.py").rename(installed / "toy_members.py")
