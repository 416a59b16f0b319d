"""`sweep data` of a data set, of a space file and of a sweep; `--save` writes what it was trained and validated on."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.api.run import read_spec
from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.raw_rows import raw_rows
from keras_sweep.errors import SweepWarning
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep.resume import open_study
from tests.helpers.command import called

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


def data(*words: str) -> tuple[int, str, str]:
    """The exit code of `sweep data`, what it answers, and what else it says, on one line."""
    code, out, err = called(["data", *words])
    return code, out, " ".join(err.split())


def test_rows_of_a_program_are_named_by_the_call_that_has_them_and_a_file_of_one_is_read(here: Path) -> None:
    def build(units: int, input_shape: tuple[int, ...], classes: int) -> keras.Model:
        return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(classes, "softmax")])

    about = {"model": build, "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    rows = {"mine": (np.ones((90, 2)), np.arange(90) % 3), "table": ks.Csv("search_spaces/data/plants.csv", "species")}
    for name, given in rows.items():
        whole = ks.Spec(given, parameters={"epochs": 1, "model.units": 2}, maximize="val_accuracy", **about)
        spec = read_spec(whole, name=name)
        open_study(SweepFolder(here / "sweeps" / name), spec, load_search_data(spec).fingerprint).close()
    code, answered, told = data("mine", "--save", "rows.npz")
    assert (code, answered, Path("rows.npz").exists()) == (2, "", False)
    assert "the rows of the sweep 'mine' come from a Python program" in told
    assert "In that program call `sweep = ks.run(spec, name='mine')`: `sweep.validation()` returns the rows" in told
    assert data("table", "--save", "rows.npz")[0] == 0
    with np.load("rows.npz") as saved:
        assert len(saved["y_train"]) > len(saved["y_validation"]) > 0


def test_a_picture_that_has_no_place_is_told_with_the_option_that_names_another(here: Path) -> None:
    code, _, told = data("iris", "--save", "/proc/self/rows.npz")
    assert (code, "error: can't write /proc/self/rows.npz: " in told) == (1, True)
    code, _, told = data("search_spaces/digits.yaml", "--picture", "/proc/self/it.png")
    assert (code, "error: can't write /proc/self/it.png: " in told) == (1, True)


def test_a_sweeps_name_shows_the_rows_that_it_was_run_on(here: Path) -> None:
    assert data("plants")[1].startswith("plants.csv\n")
    rows = (here / "search_spaces/data/plants.csv").read_text().splitlines(keepends=True)
    (here / "search_spaces/data/plants.csv").write_text("".join(rows[:-9]))
    code, _, told = data("plants")
    assert code == 0 and "note: the rows have changed since the sweep 'plants' started" in told


def test_a_record_alone_runs_no_code_for_its_rows(here: Path) -> None:
    (here / "search_spaces/own_data.py").write_text("raise SystemExit('it was imported')")
    code, _, told = data("own_data")
    assert code == 2 and "come from `python: own_data:rings`, and `sweep` runs no code that only a record names" in told


def test_a_sweep_comes_before_a_data_set_of_its_name_which_is_said(here: Path) -> None:
    assert "note: 'digits' is a sweep and a data set: these are the rows of the sweep" in data("digits")[2]
    assert data("iris")[::2] == (0, "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plant"], "there is no data set or sweep 'plant'. Did you mean `plants`?"),
        (["plants", "--set", "split.seed=1"], "`--set` needs a space file, but got plants"),
        (["plants", "--save", "rows.txt"], "`--save` must be a .npz file in an existing folder, but got rows.txt"),
        (["plants", "--picture", "it.png"], "plants.csv has no pictures. Leave out `--picture`"),
    ],
)
def test_calls_that_can_not_be_answered(here: Path, words: list[str], message: str) -> None:
    before = sorted(here.rglob("*"))
    code, _, told = data(*words)
    assert code == 2 and message in told
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize("name", ["plants", "houses", "cnn"])
def test_saved_rows_are_those_of_the_search_as_the_exported_model_takes_them(here: Path, name: str) -> None:
    assert data(f"search_spaces/{name}.yaml", "--save", "rows.npz")[1].endswith("\nrows.npz\n")
    spec = read_space_file(Path(f"search_spaces/{name}.yaml"))
    rows = load_search_data(spec)
    with np.load("rows.npz", allow_pickle=False) as saved:
        arrays = dict(saved)
    for part, x, y in zip(
        ("train", "validation"), raw_rows(spec, rows), (rows.train.y, rows.validation.y), strict=True
    ):
        given = x if isinstance(x, dict) else {"": x}
        for column, values in given.items():
            np.testing.assert_array_equal(arrays.pop(f"x_{part}/{column}" if column else f"x_{part}"), values)
        np.testing.assert_array_equal(arrays.pop(f"y_{part}"), y)
    assert arrays == {}  # among it no test row


SERIES = """\
data: {series: waves.csv, target: height, window: 3}
model: dense
loss: mean_squared_error
metric: {name: val_loss, goal: minimize}
parameters: {data.horizon: {values: [6, 1]}, learning_rate: 0.1, epochs: 2}
search: {sampler: grid, trials: 2}
finalists: none
"""


def test_where_rows_are_a_parameter_those_of_the_winner_are_saved(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    heights = "\n".join(str(round(float(np.sin(row / 5)), 3)) for row in range(150))
    Path("waves.csv").write_text(f"height\n{heights}\n")
    Path("waves.yaml").write_text(SERIES)
    code, _, told = data("waves.yaml", "--save", "rows.npz")
    assert (code, Path("rows.npz").exists()) == (2, False)
    advice = "For example add `--set data.horizon=6`"
    assert f"the trials have different rows, which depend on 'data.horizon'. {advice}" in told
    assert data("waves.yaml", "--set", "data.horizon=6", "--save", "six.npz")[0] == 0
    with pytest.warns(SweepWarning, match="split in time"):
        best = ks.run("waves.yaml", test=False).best
    code, _, told = data("waves", "--save", "rows.npz")
    assert code == 0 and f"these are the rows for data.horizon={best.params['data.horizon']}" in told
    with np.load("rows.npz", allow_pickle=False) as saved:
        loss = keras.saving.load_model("sweeps/waves/best.keras").evaluate(saved["x_validation"], saved["y_validation"])
    assert loss == pytest.approx(best.value, rel=1e-5)
