"""`sweep init` writes a space file that runs as it is, and never over another file."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_sweep as ks
from keras_sweep.space.sweep_spec import EarlyTerminate, SweepSpec
from keras_sweep.space_file.read import read_space_file
from tests.helpers.command import called
from tests.helpers.pages import blocks
from tests.helpers.ran import quiet
from tests.helpers.records import ROOT

DATA = ROOT / "search_spaces" / "data"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the files of data that come with the search spaces."""
    shutil.copytree(DATA, tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(*words: str) -> tuple[SweepSpec, str]:
    """What `sweep init` has written, read, and what it said."""
    code, out, err = called(["init", *words])
    assert code == 0, err
    return read_space_file(out.strip()), " ".join(err.split())


@pytest.mark.parametrize(
    ("source", "loss", "metric"),
    [
        ("data/houses.parquet", "mean_squared_error", "val_mae"),
        ("data/moons.npz", "binary_crossentropy", "val_accuracy"),
        ("fashion_mnist", "sparse_categorical_crossentropy", "val_accuracy"),
    ],
)
def test_labels_say_what_suits_them(here: Path, source: str, loss: str, metric: str) -> None:
    spec, _ = written(source)
    assert (spec.loss, spec.objective.name, spec.warnings) == (loss, metric, ())
    assert spec.early_terminate == EarlyTerminate("halving", min_iter=1, eta=2, first=32)
    assert spec.search.trials == 64 and spec.space.constants["epochs"] == 20
    assert spec.data.split.stratify == ("crossentropy" in loss and source != "fashion_mnist")


def test_a_space_file_has_a_name_that_a_sweep_may_have(here: Path) -> None:
    shutil.copy("data/plants.csv", "my rows (1).csv")
    assert called(["init", "my rows (1).csv"])[:2] == (0, "my_rows_1_.yaml\n")
    assert called(["init", "my rows (1).csv", "-o", "b.yaml"])[:2] == (0, "b.yaml\n")


@pytest.mark.soak
def test_what_is_written_runs_as_it_is(here: Path) -> None:
    assert "The target is 'species'; `--target` chooses another of 'height_cm'," in written("data/plants.csv")[1]
    found = ks.run("plants.yaml", trials=1, set={"finalists": "none"}, listener=quiet)
    assert (found.path / "best.keras").exists()


def test_the_page_shows_what_is_written(here: Path) -> None:
    written("--example", "fashion_mnist")
    (shown,) = [text for kind, text in blocks(ROOT / "docs/how-to/first-space-file.md") if kind == "yaml"]
    assert Path("fashion_mnist.yaml").read_text() == shown


def test_groups_of_a_table_stay_together_and_its_times_are_told(here: Path) -> None:
    start = np.datetime64("2024-01-01")
    rows = [f"P{row // 10:03},{start + row},{row % 7},{row % 3 % 2}" for row in range(200)]
    (here / "visits.csv").write_text("\n".join(["patient,day,pulse,ill", *rows, ""]))
    spec, told = written("visits.csv")
    assert spec.data.split.groups == "patient" and not spec.data.split.stratify
    assert "`split: {time: day}` holds out the latest" in told and "`split: {time: day}`" in spec.text


@pytest.mark.parametrize(("separator", "decimal"), [(",", "."), (";", ",")])
def test_what_numbers_and_dates_leave_open_is_written_and_told(here: Path, separator: str, decimal: str) -> None:
    rows = [f'"{row % 7 + 1},10{row % 9}"|0{row % 9 + 1}/01/2024|{"yes" if row % 2 else "no"}' for row in range(60)]
    table = "\n".join(["price|sold|left", *rows, ""]).replace("|", separator)
    (here / "sold.csv").write_text(table)
    spec, err = written("sold.csv")
    words = {"decimal": decimal, "dates": "day-first"} | ({} if separator == "," else {"separator": separator})
    assert spec.data.words == words
    assert f"Read with `decimal`: '{decimal}'; column 'price' has '1,100' in row 1, which may be 1100 or 1.1" in err
    assert "`dates`: 'day-first'; column 'sold' has '02/01/2024' in row 2, which may be 2024-01-02 or 2024-02-01" in err


def test_labels_that_are_near_copies_are_told(here: Path) -> None:
    rows = [f"{row % 9},{('yes', 'Yes', ' yes', 'no')[row % 4]}" for row in range(80)]
    (here / "left.csv").write_text("\n".join(["age,left", *rows, ""]))
    _, err = written("left.csv")
    assert "The labels have ' yes', 'Yes', 'yes', which differ only in case and spaces: write them alike" in err


def test_a_folder_of_pictures(here: Path) -> None:
    for place, shade in (("dark", 40), ("light", 200)):
        (here / "shades" / place).mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (8, 8), (shade + number,) * 3).save(here / "shades" / place / f"{number}.png")
    spec, _ = written("shades")
    assert (spec.data.kind, spec.loss) == ("images", "binary_crossentropy")


@pytest.mark.posix
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data/plants.csv", "-o", "data/there.yaml"], "data/there.yaml already exists. Choose another"),
        (["data/empty.csv"], "data/empty.csv can't be read as csv"),
        (["data/pipe.csv"], "there is no file data/pipe.csv"),
        (["data/header.csv"], "data/header.csv has no rows below its header"),
        (["data/plants.csv", "--target", "colour_"], "has no column 'colour_'. Did you mean 'colour'?"),
    ],
)
def test_calls_that_write_nothing(here: Path, words: list[str], message: str) -> None:
    (here / "data" / "there.yaml").write_text("mine")
    (here / "data" / "empty.csv").touch()
    (here / "data" / "header.csv").write_text("a,b\n")
    os.mkfifo(here / "data" / "pipe.csv")
    before = sorted(here.rglob("*"))
    code, _, err = called(["init", *words])
    assert code == 2 and message in " ".join(err.split())
    assert sorted(here.rglob("*")) == before and (here / "data" / "there.yaml").read_text() == "mine"


def customers(rows: int = 400) -> str:
    """A table from an office: `;`, an id, decimal commas, dates, gaps, NA, free text, rare leavers, unknown targets."""
    draw = np.random.default_rng(0)
    lines = ["customer_id;signed;age;income;plan;note;left"]
    for row in range(rows):
        leaves = draw.random() < 0.12
        age = "" if draw.random() < 0.05 else draw.integers(18, 80)
        income = "NA" if row % 16 == 3 else f"{draw.normal(3000 - 900 * leaves, 500):.1f}".replace(".", ",")
        plan, note = draw.choice(["basic", "plus", ""]), " ".join(map(str, draw.integers(0, 99, 5)))
        left = "" if row in (7, 99) else "yes" if leaves else "no"
        lines.append(f"{row + 1000};0{1 + row % 9}/21/2024;{age};{income};{plan};calls: {note};{left}")
    return "\n".join(lines) + "\n"


def test_a_table_as_it_comes_is_written_with_what_it_needs(here: Path) -> None:
    (here / "customers.csv").write_text(customers())
    spec, _ = written("customers.csv")
    assert spec.data.words == {
        "separator": ";",
        "decimal": ",",
        "drop": ["customer_id", "note"],
        "missing": ["NA"],
        "missing_target": "drop",
    }
    assert (spec.data.target, spec.loss, spec.objective.name) == ("left", "binary_crossentropy", "val_auc")
    assert spec.training.class_weight == "balanced" and spec.data.split.stratify
