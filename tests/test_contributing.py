"""What CONTRIBUTING.md names is there, and a member of another package needs nothing but its entry point."""

import importlib
import inspect
import json
import re
from pathlib import Path

import pytest

from tests.helpers import toys
from tests.helpers.command import python
from tests.helpers.fault_driver import Ended
from tests.helpers.space_texts import small

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.split("## Add a member")[1].split("\n## ")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| to add")
]
TOYS = {"sampler": "Middle", "pruning_rule": "Odd", "source": "STRIPES", "runner": "Patient", "tracker": "Notes"}
SPACE = small(
    data='{toy: "60"}',
    model="{dense: {activation: softmax}}",
    parameters="{learning_rate: {values: [0.01, 0.1, 0.5, 1.0]}, epochs: 2}",
    search="{sampler: toy, trials: 3}",
    early_terminate="{type: toy, min_iter: 1}",
)
# `sweep` where the packages of a folder are installed
SWEEP = """\
import sys
sys.path.insert(0, sys.argv.pop(1))
from keras_sweep.cli.main import main
main()
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder on the path where a package with a toy of every kind is installed, and a space file that uses it."""
    (tmp_path / "toy_members.py").write_text(inspect.getsource(toys))
    about = tmp_path / "toy_members-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-members\nVersion: 1.0\n")
    points = [f"[keras_sweep.{kind}s]\ntoy = toy_members:{member}\n" for kind, member in TOYS.items()]
    (about / "entry_points.txt").write_text("\n".join(points))
    (tmp_path / "space.yaml").write_text(SPACE)
    return tmp_path


def sweep(installed: Path, *arguments: str) -> Ended:
    return python(SWEEP, installed, *arguments, cwd=installed)


def test_the_table_has_every_kind_of_member() -> None:
    assert {row[0].replace(" ", "_") for row in ROWS} == {*TOYS, "image_set", "export_format"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_a_row_names_is_there_and_every_member_can_be_imported(row: list[str]) -> None:
    kind, write, register, tested = row
    name, file = re.findall(r"`(\w+)` in `([\w/]+)\.py`", register)[0]
    members = getattr(importlib.import_module("keras_sweep." + file.replace("/", ".")), name)
    assert members and all(members[name] is not None for name in members)
    group = f"keras_sweep.{kind.replace(' ', '_')}s"
    assert (getattr(members, "group", None) == group) == (f"`{group}`" in TEXT) == (kind.replace(" ", "_") in TOYS)
    assert (ROOT / tested.strip("`")).is_file()
    assert all((ROOT / "src" / "keras_sweep" / file).is_file() for file in re.findall(r"`([\w/]+\.py)`", write))


def test_installed_toys_search_and_train(installed: Path) -> None:
    sweep(installed, "run", "space.yaml", "--runner", "toy").ok()
    rows = json.loads(sweep(installed, "leaderboard", "space", "--format", "json").out)
    assert {row["engine"] for row in rows} == {"optuna/toy"}
    assert {row["number"]: row["state"] for row in rows} == {0: "COMPLETE", 1: "PRUNED", 2: "COMPLETE"}
    sweep(installed, "log", "space", "--to", "toy").ok()
    assert (installed / "notes.txt").read_text() == "trial-0 trial-1 trial-2 "


def test_installed_names_stand_in_help_and_messages(installed: Path) -> None:
    assert " ".join(sweep(installed, "run", "--help").out.split()).count("also toy.") == 2
    wrong = SPACE.replace("sampler: toy", "sampler: toi").replace("type: toy", "type: no").replace("{toy:", "{no:")
    (installed / "space.yaml").write_text(wrong)
    done = sweep(installed, "check", "space.yaml")
    words = " ".join(done.err.split())
    assert done.code == 2
    assert "csv, parquet, sql, npz, images, series, python, toy" in words
    assert "hyperband, halving, median, successive_halving or toy" in words
    assert "tpe, random, grid, gp, cmaes, qmc, nsgaii, toy" in words


def test_a_record_is_read_without_importing_other_packages(installed: Path) -> None:
    (installed / "toy_members.py").write_text("raise ValueError('of version 2')\n")
    done = sweep(installed, "check", "space.yaml")
    assert done.code == 2
    assert "of toy-members can't be imported (ValueError: of version 2)" in " ".join(done.err.split())
    assert "Traceback" not in done.err
    sweep(installed, "list").ok()
    sweep(installed, "run", "--help").ok()
