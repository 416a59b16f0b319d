"""What is no space file at all, and keys that none has, are told by line, key and rule, never by a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from keras_sweep.errors import SpaceFileError
from keras_sweep.space_file.yaml_file import read_space_file, read_space_text
from keras_sweep.space_file.yaml_tree import tree_of_text
from tests.helpers.json_schema import schema_errors
from tests.helpers.space_faults import BadFile, BadFiles, check_told
from tests.helpers.space_texts import DENSE, dense, with_parameters

LR = "parameters.learning_rate"

BAD: BadFiles = {
    # not a document
    "empty": ("", None, "", "the file is empty"),
    "only comments": ("# nothing\n", None, "", "the file is empty"),
    "a list": ("- data\n", 1, "", "a space file is a map"),
    "a word": ("hello\n", 1, "", "a space file is a map"),
    "a tab": ("data: iris\n\tmodel: dense\n", 2, "", "not YAML"),
    "an open bracket": (DENSE + "early_terminate: {type: [\n", 13, "", "not YAML"),
    "an open quote": ('data: "iris\n', 2, "", "not YAML"),
    "bad indentation": (dense(data="data: iris\n  x: 1"), 2, "", "not YAML"),
    "two documents": (DENSE + "---\n" + DENSE, 12, "", "one document"),
    "old YAML": ("%YAML 1.1\n---\n" + DENSE, 2, "", "YAML 1.2 is read, but got 1.1"),
    "a control character": (dense(data="data: ir\x07is"), 1, "", "the character 0x7 is not allowed"),
    "too deep": (dense(data="data: " + "[" * 40 + "]" * 40), 1, "data.", "at most 12 levels deep"),
    "very deep": ("[" * 20_000, 1, "0.", "at most 12 levels deep"),
    "a list as a key": ("? [a, b]\n: 1\n", 1, "", "a key must be a word"),
    "a tag": (dense(data="data: !!python/object/apply:os.system [ls]"), 1, "data", "tags are not read"),
    "a tag of one's own": (dense(loss="loss: !loss mse"), 4, "loss", "tags are not read, but got '!loss'"),
    "a standard tag": (dense(loss="loss: !!str mse"), 4, "loss", "tags are not read"),
    "an unknown alias": (dense(loss="loss: *mse"), 4, "loss", "no anchor `&mse`"),
    "an alias in itself": (dense(data="data: &a [*a]"), 1, "data.0", "no anchor `&a`"),
    "a number of 100 digits": (dense(epochs="  epochs: " + "9" * 100), 10, "parameters.epochs", "must fit 64 bits"),
    "an infinite number": (dense(learning_rate="  learning_rate: {min: 1e-4, max: .inf}"), 9, LR + ".max", "finite"),
    "a number too large": (dense(learning_rate="  learning_rate: {min: 1e-4, max: 1e999}"), 9, LR + ".max", "finite"),
    "not a number": (dense(learning_rate="  learning_rate: .nan"), 9, LR, "must be finite, but got '.nan'"),
    "half a character": (dense(data='data: "\\ud800"'), 1, "data", "must be Unicode"),
    # keys
    "a key twice": (DENSE + "loss: mse\n", 12, "loss", "the key `loss` is there twice, first on line 4"),
    "a parameter twice": (with_parameters("seed: 1", "seed: 2"), 9, "parameters.seed", "there twice, first on line 8"),
    "an unknown key": (DENSE + "metrik: 1\n", 12, "metrik", "no such key here (did you mean `metric`?)"),
    "callbacks": (
        DENSE + "callbacks: [x]\n",
        12,
        "callbacks",
        "`epochs: {max: 20, take: best}` keeps each trial's best",
    ),
    "class weights": (DENSE + "class_weight: {0: 2}\n", 12, "class_weight", "may weigh classes in `compute_loss`"),
    "a merge key": (DENSE + "<<: {loss: mse}\n", 12, "<<", "no such key here"),
    "no data": (dense(data=""), None, "data", "`data` is missing (as in `data: fashion_mnist`)"),
    "no metric": (dense(metric=""), None, "metric", "`metric` is missing"),
    "only W&B's keys": ("parameters: {epochs: 1}\n", None, "model", "`model` is missing"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_fault_names_line_key_and_rule(bad: BadFile, tmp_path: Path) -> None:
    check_told(bad, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "an unknown key",
        "no data",
    ],
)
def test_an_editor_marks_it_by_the_schema(name: str) -> None:
    assert schema_errors(tree_of_text(BAD[name][0]).plain) != []


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"data: \xff\xfe\n", "must be UTF-8 text, but got the byte 0xff"),
        (DENSE.encode("utf-16"), "UTF-16"),
        (b"data: iris\0\n", "NUL"),
        (b"\x89PNG\r\n\x1a\n\0\0", "UTF-8"),
        (b"#" * (256 * 1024 + 1), "at most 262,144 bytes"),
        (b"a: " + b"[1, " * 3, "not YAML"),
    ],
)
def test_a_file_that_is_no_text_is_told(raw: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_bytes(raw)
    with pytest.raises(SpaceFileError, match=words):
        read_space_file(path)


def test_a_path_that_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "dense.yaml").write_text(DENSE)
    with pytest.raises(SpaceFileError, match=r"there is no such file \(did you mean `dense.yaml`\?\)"):
        read_space_file(tmp_path / "dens.yaml")
    with pytest.raises(SpaceFileError, match=r"this is a folder \(its space files are dense.yaml\)"):
        read_space_file(tmp_path)
    with pytest.raises(SpaceFileError, match=r"can't be read|no such file"):
        read_space_file(tmp_path / "a\0b.yaml")
    with pytest.raises(SpaceFileError, match="can't be read"):
        read_space_file(tmp_path / ("x" * 300))


def test_a_path_through_a_loop_of_links_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to(tmp_path / "b.yaml")
    (tmp_path / "b.yaml").symlink_to(tmp_path / "a.yaml")
    with pytest.raises(SpaceFileError):
        read_space_file(tmp_path / "a.yaml")


def test_aliases_that_grow_without_end_are_refused(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    with pytest.raises(SpaceFileError, match="at most 20,000 values"):
        read_space_text(bomb, path=tmp_path / "space.yaml")
