"""`sweep data` of a data set, of a space file and of a sweep; `--save` writes what it was trained and validated on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from keras_sweep.cli.main import main
from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.raw_rows import raw_rows
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep.open_record import open_study

SPACES = Path(__file__).parents[2] / "search_spaces"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with search_spaces/ and the records of three sweeps that were begun, one of them of `python:` data."""
    shutil.copytree(SPACES, tmp_path / "search_spaces")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SWEEPS_DIR", raising=False)
    for name in ("plants", "digits"):
        spec = read_space_file(Path(f"search_spaces/{name}.yaml"))
        open_study(SweepFolder(tmp_path / "sweeps" / name), spec, load_search_data(spec).fingerprint).close()
    spec = read_space_file(Path("search_spaces/own_data.yaml"))
    open_study(SweepFolder(tmp_path / "sweeps" / "own_data"), spec, "of rows that no one read").close()
    return tmp_path


def called(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["data", *words])
    return int(ended.value.code or 0)


def test_a_sweeps_name_shows_the_rows_that_it_was_run_on(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called("plants") == 0
    assert capsys.readouterr().out.startswith("plants.csv\n")
    rows = (here / "search_spaces/data/plants.csv").read_text().splitlines(keepends=True)
    (here / "search_spaces/data/plants.csv").write_text("".join(rows[:-9]))
    assert called("plants") == 0
    assert "note: these rows are not those that the sweep 'plants' was begun with" in capsys.readouterr().err


def test_a_record_alone_runs_no_code_for_its_rows(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "search_spaces/own_data.py").write_text("raise SystemExit('it was imported')")
    assert called("own_data") == 2
    told = " ".join(capsys.readouterr().err.split())
    assert (
        "come from `python: own_data:rings`, and a record alone runs no code. "
        "Give the space file, as in `sweep data SPACE.yaml`" in told
    )


def test_a_data_set_comes_before_a_sweep_of_its_name_which_is_said(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called("digits") == 0
    assert "note: 'digits' is a sweep too: give its space file" in " ".join(capsys.readouterr().err.split())
    assert called("iris") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plant"], "there is no data set 'plant', nor a sweep of that name. Did you mean `plants`?"),
        (
            ["foo"],
            "The data sets are fashion_mnist, mnist, digits, iris, wine, breast_cancer, diabetes; the",
        ),
        (["plants", "--set", "split.seed=1"], "`--set` changes a space file, and none is given"),
        (["plants", "--save", "rows.txt"], "`--save` takes a .npz file in a folder that is there, but got rows.txt"),
        (["plants", "--save", "no/rows.npz"], "but got no/rows.npz. For example"),
        (["plants", "--picture", "it.png"], "plants.csv has no pictures. Leave out `--picture`"),
    ],
)
def test_calls_that_can_not_be_answered(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    before = sorted(here.rglob("*"))
    assert called(*words) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize("name", ["plants", "houses", "moons", "diabetes", "cnn"])
def test_saved_rows_are_those_of_the_search_as_the_exported_model_takes_them(
    here: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(f"search_spaces/{name}.yaml", "--save", "rows.npz") == 0
    assert capsys.readouterr().out.endswith("\nrows.npz\n")
    spec = read_space_file(Path(f"search_spaces/{name}.yaml"))
    data = load_search_data(spec)
    with np.load("rows.npz", allow_pickle=False) as saved:
        arrays = dict(saved)
    for part, x, y in zip(
        ("train", "validation"), raw_rows(spec, data), (data.train.y, data.validation.y), strict=True
    ):
        given = x if isinstance(x, dict) else {"": x}
        for column, values in given.items():
            np.testing.assert_array_equal(arrays.pop(f"x_{part}/{column}" if column else f"x_{part}"), values)
        np.testing.assert_array_equal(arrays.pop(f"y_{part}"), y)
    assert arrays == {}  # among it no test row
