"""A first space file for somebody's data: what the labels say, which column is predicted, and how a file is read."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from keras_sweep.data.source import RawRows, SourceRows
from keras_sweep.errors import DataError, SweepError, UsageError
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep.init import FEWEST, MOST_CLASSES, RARE, _data_section, _derive_task, write_space_file

ACCURACY = {"name": "val_accuracy", "goal": "maximize"}


def task(y, *, class_names=None, split=False, **places):
    """What labels say."""
    rows = RawRows(np.zeros((len(y), 2)), np.asarray(y), places=places)
    parts = {"train": rows} if split else {"rows": rows}
    return _derive_task(SourceRows("rows", class_names=class_names, **parts), rows)


def test_classes_say_the_loss_and_how_rows_are_held_out():
    held = {"validation": 0.2, "test": 0.2, "seed": 42, "stratify": True}
    usual = {"split": held, "metric": ACCURACY, "rare": False}
    three = task(["a", "b", "c"] * 10)
    assert three == {**usual, "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    two = task([0, 1] * 10)
    assert two == {**usual, "loss": "binary_crossentropy", "metrics": ["accuracy", "auc"]}
    assert task([0, 1] * 10, split=True)["split"] == {}  # the source brings its own


def test_a_class_with_less_than_two_fifths_of_its_even_share_is_rare():
    assert RARE == 0.4
    rare, common = task(["a"] * 81 + ["b"] * 19), task(["a"] * 80 + ["b"] * 20)
    assert (rare["rare"], common["rare"]) == (True, False)
    assert (rare["metric"], common["metric"]) == ({"name": "val_auc", "goal": "maximize"}, ACCURACY)
    assert FEWEST == 4  # rows of a class that can be shared out
    assert ["stratify" in task(["a"] * 90 + ["b"] * rows)["split"] for rows in (4, 3)] == [True, False]
    of_three = task(["a"] * 50 + ["b"] * 50 + ["c"] * 5)
    assert (of_three["loss"], of_three["metrics"]) == ("categorical_crossentropy", ["accuracy", "auc"])


def test_whole_numbers_of_many_values_are_no_classes_unless_they_have_names():
    assert MOST_CLASSES == 20
    many, few = np.arange(21).repeat(5), np.arange(20).repeat(5)
    error = {"loss": "mean_squared_error", "metrics": ["mae"], "metric": {"name": "val_mae", "goal": "minimize"}}
    found = task(many)
    assert {name: found[name] for name in error} == error and found["split"].keys() == {"validation", "test", "seed"}
    assert not found["rare"]
    assert task(few)["loss"] == "sparse_categorical_crossentropy"
    assert task(many, class_names=tuple(map(str, range(21))))["loss"] == "sparse_categorical_crossentropy"
    assert task([f"kind {number}" for number in many])["loss"] == "sparse_categorical_crossentropy"
    assert task(np.linspace(0, 1, 50))["loss"] == "mean_squared_error"


def test_labels_of_several_columns_are_one_hot_or_each_a_class_or_numbers():
    draw = np.random.default_rng(0)
    assert task(np.eye(3)[[0, 1, 2] * 10])["loss"] == "categorical_crossentropy"
    assert task(np.eye(2)[[0, 1] * 10])["loss"] == "categorical_crossentropy"
    assert task(np.array([[0], [1]] * 10))["loss"] == "binary_crossentropy"
    several = task(draw.integers(0, 2, (40, 4)))
    assert (several["loss"], several["metrics"], several["rare"]) == ("binary_crossentropy", ["accuracy", "auc"], 0)
    assert "stratify" not in several["split"]
    assert task(draw.normal(size=(40, 4)))["loss"] == "mean_squared_error"
    with pytest.raises(DataError):
        task(np.array([["a", "b"], ["c", "d"]] * 10))


def test_groups_go_before_shares_of_classes_and_a_column_with_gaps_is_none():
    y = [0, 1] * 10
    whole, gaps = np.arange(1, 21), np.arange(20)
    assert task(y, patient=whole)["split"]["groups"] == "patient"
    assert "stratify" not in task(y, patient=whole)["split"]
    assert task(y, ward=gaps, patient=whole, day=whole)["split"]["groups"] == "patient"
    assert task(y, ward=gaps)["split"]["stratify"] and "groups" not in task(y, ward=gaps)["split"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def data_of(source: str, target: str | None = None, path: str = "a.yaml"):
    notes: list[str] = []
    return _data_section(source, Path(path), target, notes), notes


@pytest.mark.parametrize(
    ("name", "mark", "said"),
    [
        ("rows.csv", ",", {}),
        ("rows.tsv", "\t", {"separator": "\t"}),
        ("ROWS.CSV", "|", {"separator": "|"}),
    ],
)
def test_a_table_is_read_by_the_mark_that_parts_its_first_line_and_predicts_its_last_column(folder, name, mark, said):
    (folder / name).write_text("\n".join(mark.join(words) for words in (("a", "b, c", "last"), ("1", "2", "3"))))
    data, notes = data_of(name)
    assert data == {"csv": name, **said, "target": "last"}
    assert notes[0].startswith("The target is 'last'; `--target` chooses another of 'a', ")


def test_the_only_column_of_a_usual_name_is_predicted_wherever_it_stands(folder):
    usual = [(f"a,{name},b", name) for name in ("target", "Label", "labels", "class", "outcome", "survived")]
    for head, target in (*usual, ("label,a,target", "target"), ("a,b,c", "c"), ("y,a,b", "y")):
        (folder / "rows.csv").write_text(f"\ufeff{head}\n1,2,3\n")
        assert data_of("rows.csv")[0]["target"] == target
    assert data_of("rows.csv", "a") == ({"csv": "rows.csv", "target": "a"}, [])
    pl.DataFrame({"class": [1], "b": [2]}).write_parquet(folder / "rows.parquet")
    assert data_of("rows.parquet")[0] == {"parquet": "rows.parquet", "target": "class"}
    (folder / "bad.parquet").write_bytes(b"no table")
    (folder / "bad.csv").write_bytes(b"\xff\xfe no text")
    for kind in ("parquet", "csv"):
        assert data_of(f"bad.{kind}") == ({kind: f"bad.{kind}", "target": "?"}, [])


def test_arrays_name_a_target_only_where_they_have_no_y(folder):
    np.savez("a.npz", x=np.zeros(2), y=np.zeros(2), z=np.zeros(2))
    np.savez("b.npz", x_train=np.zeros(2), y_train=np.zeros(2))
    np.savez("c.npz", x=np.zeros(2), species=np.zeros(2))
    assert [data_of(name)[0] for name in ("a.npz", "b.npz", "c.npz")] == [
        {"npz": "a.npz"},
        {"npz": "b.npz"},
        {"npz": "c.npz", "target": "species"},
    ]


def test_a_source_is_named_from_the_space_files_folder_or_by_its_own_name(folder):
    (folder / "data").mkdir()
    (folder / "data" / "rows.csv").write_text("a,b\n1,2\n")
    assert data_of("data/rows.csv", path="spaces/a.yaml")[0]["csv"] == "../data/rows.csv"
    assert data_of("data")[0] == {"images": "data"} and data_of("digits") == ("digits", [])
    must = r"must be a \.csv, \.tsv, \.parquet or \.npz file, .*, but got"
    for name, fault, hint in (
        ("digit", must, "Did you mean `digits`?"),
        ("rows.xls", must, "Name a file, or "),
        ("no.csv", "there is no file", "Name a file, or "),
    ):
        with pytest.raises(UsageError, match=f"{fault} {name}") as refused:
            data_of(name)
        assert str(refused.value.hint).startswith(hint)


def written(folder: Path, head: str, *rows: str, **more) -> tuple:
    notes: list[str] = []
    (folder / "rows.csv").write_text("\n".join((head, *rows, "")))
    (folder / "a.yaml").unlink(missing_ok=True)
    write_space_file("rows.csv", Path("a.yaml"), notes, **{"target": None, "wandb": None, **more})
    return read_space_file("a.yaml"), notes


def test_ids_texts_and_gaps_are_written_as_options_with_a_note_of_each(folder):
    rows = [f"{row + 100},{row % 7},{'NA' if row % 9 == 0 else row % 5},{row % 3 % 2}" for row in range(60)]
    spec, notes = written(folder, "id,size,age,ill", *rows)
    assert spec.data.words == {"drop": ["id"], "missing": ["NA"]} and spec.data.target == "ill"
    assert any(note.startswith("Read with `missing`: 'NA'") for note in notes)
    assert not any("missing_target" in note for note in notes)
    rows[3] = rows[3][:-1]
    spec, notes = written(folder, "id,size,age,ill", *rows)
    assert spec.data.words == {"drop": ["id"], "missing": ["NA"], "missing_target": "drop"}
    spec, _ = written(folder, "size,age,ill", *(row.partition(",")[2] for row in rows[10:] if "NA" not in row))
    assert spec.data.words == {}


@pytest.mark.parametrize(
    ("values", "transform"),
    [
        ((1.0, 2.0, 9.99), None),
        ((1.0, 2.0, 10.1), "log"),
        ((0.0, 40.0, 3.5), "standard"),
        ((1.0, 1.01, 1.2), "standard"),
    ],
)
def test_a_target_over_a_decade_is_learned_as_its_logarithm_and_one_of_another_size_as_its_deviations(
    folder, values, transform
):
    rows = [f"{row % 5},{values[row % 3] + row % 7 * 1e-6}" for row in range(60)]
    spec, _ = written(folder, "a,price", *rows)
    assert (spec.data.transform, spec.loss) == (transform, "mean_squared_error")


def test_rows_that_no_search_could_learn_from_are_refused_before_a_file_is_written(folder):
    with pytest.raises(SweepError, match="the training rows have a single class: 'same'"):
        written(folder, "a,b", *(f"{row},same" for row in range(40)))
    with pytest.raises(SweepError):
        written(folder, "a,b", "1,x", "2,y")  # which can't be parted
    assert not (folder / "a.yaml").exists()


def test_nothing_is_written_over_a_file_or_into_no_folder(folder):
    written(folder, "a,b", *(f"{row},{row % 2}" for row in range(40)))
    before = (folder / "a.yaml").read_text()
    for path, what in (("a.yaml", "a.yaml already exists"), ("no/a.yaml", "there is no folder no")):
        with pytest.raises(UsageError, match=what) as refused:
            write_space_file("digits", Path(path), [], target=None, wandb=None)
        assert refused.value.hint == "Choose another file: `-o FILE`"
    assert (folder / "a.yaml").read_text() == before
