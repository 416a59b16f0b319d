"""TensorFlow is an extra: the core needs and imports none of it, and what needs it says so before it does anything."""

import os
import sys
from pathlib import Path

import pytest

from tests.helpers.command import process
from tests.helpers.fault_driver import Ended
from tests.helpers.space_texts import small

WITHOUT = str(Path(__file__).parents[1] / "helpers" / "no_tensorflow")
INSTALL = "pip install 'keras-sweep[tensorflow]'"

CORE = """
import sys
from keras_sweep.cli.start import main
from keras_sweep.errors import SweepError

for words in [
    "check digits.yaml",
    "run digits.yaml --trials 2",
    "run digits.yaml --trials 2 --name tuned --engine keras-tuner --sampler bayesian",
    "run digits.yaml --trials 1 --name fitted --runner fit",
    "leaderboard digits",
    "show digits 0",
    "report digits",
    "export digits -o digits.keras",
    "verify digits.keras",
    "replay digits 0",
]:
    sys.argv = ["sweep", *words.split()]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, words
assert "tensorflow" not in sys.modules
"""

NEEDS = """
import keras
import numpy as np
import keras_sweep as ks
from keras.layers import Dense, Hashing, Input
from keras_sweep.errors import MissingPackage

x, y = np.arange(400).reshape(100, 4) % 7, np.arange(100) % 2


def hashed():
    return keras.Sequential([Input((4,), dtype="int64"), Hashing(5), Dense(2, activation="softmax")])


def rows():
    import tensorflow

    return tensorflow.zeros(1)


def board():
    return keras.callbacks.TensorBoard()


table = ks.Csv("reviews.csv", target="mood", text="review")  # an empty file, which would be refused
for data, model, callbacks in [
    (table, hashed, []),
    ((np.array(["good", "bad"] * 50), y), hashed, []),
    ((x, y), hashed, []),
    (rows, hashed, []),
    ((x, y), {"dense": {}}, [board]),
]:
    spec = ks.Spec(
        data=data,
        model=model,
        loss="sparse_categorical_crossentropy",
        minimize="val_loss",
        parameters={"learning_rate": [0.1, 0.2], "epochs": 1},
        training={"callbacks": callbacks} if callbacks else {},
        search=ks.Optuna("random", trials=1),
    )
    try:
        ks.run(spec, name="needs")
    except MissingPackage as error:
        print(error)
"""


def run(*words: str, cwd: Path, without: bool = True) -> Ended:
    """A program of a new interpreter, in which TensorFlow can't be imported."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return process([sys.executable, *words], cwd, variables | ({"PYTHONPATH": WITHOUT} if without else {}))


@pytest.mark.parametrize("without", [True, False], ids=["not installed", "installed"])
def test_the_core_needs_and_imports_no_tensorflow(without: bool, tmp_path: Path) -> None:
    (tmp_path / "digits.yaml").write_text(small())
    run("-c", CORE, cwd=tmp_path, without=without).ok()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "digits.card.json", "digits.keras", "digits.yaml", "reports", "sweeps",
    ]  # fmt: skip


def test_what_needs_tensorflow_says_so_before_anything_is_read_trained_or_written(tmp_path: Path) -> None:
    (tmp_path / "needs.py").write_text(NEEDS)
    (tmp_path / "reviews.csv").touch()
    texts, array, layer, source, callback = run("needs.py", cwd=tmp_path).ok().out.splitlines()
    for line in (texts, array, layer, source, callback):
        assert line.startswith("TensorFlow is not installed") and line.endswith(INSTALL)
    assert "reviews.csv are texts, which need it" in texts and "are texts, which need it" in array
    assert "needs.py:12: ImportError: Layer Hashing requires TensorFlow" in layer
    assert "needs.py:16: ModuleNotFoundError" in source
    assert "but the callback board needs it" in callback
    assert not (tmp_path / "sweeps").exists()


def test_its_backend_is_refused_with_the_command_that_installs_it(tmp_path: Path) -> None:
    (tmp_path / "digits.yaml").write_text(small())
    ended = run("-m", "keras_sweep", "run", "digits.yaml", "--backend", "tensorflow", cwd=tmp_path)
    message = f"error: TensorFlow is not installed, but the backend is tensorflow. {INSTALL}\n"
    assert (ended.code, ended.out, ended.err) == (2, "", message)
    assert not (tmp_path / "sweeps").exists()


@pytest.mark.parametrize("form", ["onnx", "savedmodel", "litert"])
def test_formats_that_it_writes_are_refused_with_their_extra(form: str, finished: Path, tmp_path: Path) -> None:
    output = str(tmp_path / "model")
    ended = run("-m", "keras_sweep", "export", "digits", "--format", form, "-o", output, cwd=finished)
    assert (ended.code, ended.out) == (2, "")
    if form == "savedmodel":  # any name is one of a folder
        assert ended.err == "error: TensorFlow is not installed. pip install 'keras-sweep[savedmodel]'\n"
