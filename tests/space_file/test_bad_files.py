"""What is wrong in a file is told by line, key and rule: all of it at once, readable, and never by a traceback."""

from pathlib import Path

import pytest

from keras_sweep.errors import SpaceFileError
from keras_sweep.space_file.read import read_space_file
from tests.helpers.bad_files import BAD_FILES, BadFile
from tests.helpers.space_texts import DENSE, dense


def faults_of(text: str, path: Path = Path("space.yaml")) -> SpaceFileError:
    """The error of a text that is read as if it stood in the file."""
    with pytest.raises(SpaceFileError) as caught:
        read_space_file(path, text=text)
    return caught.value


@pytest.mark.parametrize("bad", BAD_FILES.values(), ids=BAD_FILES)
def test_a_fault_names_line_key_and_rule(bad: BadFile, tmp_path: Path) -> None:
    text, line, key, words = bad
    (tmp_path / "there.csv").write_text("x,y\n1,2\n")
    path = tmp_path / "space.yaml"
    path.write_text(text)
    with pytest.raises(SpaceFileError) as caught:
        read_space_file(path)
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith(str(path))
    told = [fault for fault in caught.value.faults if words in fault.text(path)]
    if key.endswith("."):
        assert any(fault.key.startswith(key) for fault in told), caught.value
    else:
        assert (line, key) in [(fault.line, fault.key) for fault in told], caught.value


@pytest.mark.parametrize("name", ["unknown loss", "a metric twice", "when in a circle", "for some optimizers"])
def test_a_bad_file_has_only_the_fault_that_was_put_in(name: str) -> None:
    assert len(faults_of(BAD_FILES[name][0]).faults) == 1


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    text = """\
data: {csv: nowhere.csv, traget: y}
model: {dense: {units: none, activaton: softmax}}
loss: mean_squared_eror
metrics: [mae, foo]
metric: {name: val_acc, goal: up}
parameters:
  optimizer: {values: [sgd, adamm, adam]}
  momentum: {min: 1.0, max: 0.0, log: 3, foo: 1}
  nesterov: true
  epochs: {min: 0, max: 3}
  momentun: 0.9
search: {engine: optuna, sampler: hyperband, trials: 1.5, sedes: 1}
early_terminate: {type: median, eta: 0}
"""
    found = faults_of(text).faults
    assert [fault.line for fault in found] == sorted(fault.line or 0 for fault in found)
    keys = """data.csv data.traget data.target model.dense.units model.dense.activaton loss metrics.1 metric.goal
        parameters.optimizer.values.1 parameters.momentum.log parameters.momentum.foo parameters.momentum.min
        parameters.nesterov parameters.epochs.min parameters.momentun search.trials search.sedes search.sampler
        early_terminate.eta"""
    assert {fault.key for fault in found} == set(keys.split())


def test_a_fault_shows_control_characters_as_escapes() -> None:
    text = dense(data='data: "\\e[31mred\\r\\n\\u202e"', loss='"\\e[2J": 1')
    error = faults_of(text, Path("bad\x1b[0m.yaml"))
    assert all(char.isprintable() or char == "\n" for char in str(error))
    assert len(str(error).splitlines()) == len(error.faults)


def test_a_long_value_is_cut() -> None:
    assert len(str(faults_of(dense(data="data: " + "x" * 10_000)))) < 400


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"data: \xff\xfe\n", "must be UTF-8 text, but got the byte 0xff"),
        (b"data: iris\0\n", "the character 0x0 is not allowed"),
        (b"#" * (256 * 1024 + 1), "at most 262,144 bytes"),
    ],
)
def test_a_file_that_is_no_text_is_told(raw: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_bytes(raw)
    with pytest.raises(SpaceFileError, match=words):
        read_space_file(path)


def test_a_path_that_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "dense.yaml").write_text(DENSE)
    with pytest.raises(SpaceFileError, match=r"this file does not exist \(did you mean `dense.yaml`\?\)"):
        read_space_file(tmp_path / "dens.yaml")
    with pytest.raises(SpaceFileError, match="this is data, not a space file"):
        read_space_file(tmp_path)
    with pytest.raises(SpaceFileError, match=r"can't be read|does not exist"):
        read_space_file(tmp_path / "a\0b.yaml")
    with pytest.raises(SpaceFileError, match="can't be read"):
        read_space_file(tmp_path / ("x" * 300))
