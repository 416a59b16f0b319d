"""What a user's own code does to the process is told plainly, and nothing is lost by it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.whole_sweeps import Driver

SPACE = """\
data: DATA
model: {python: "odd:build"}
loss: sparse_categorical_crossentropy
metrics: [accuracy]
metric: {name: val_accuracy, goal: maximize}
parameters:
  optimizer: sgd
  learning_rate: {min: 1e-3, max: 1e-1, log: true}
  epochs: 1
  batch_size: 256
search: {sampler: random, trials: TRIALS, seed: 1}
"""
MODEL = """
def build():
    return keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(10, activation="softmax")])
"""
LEAVING = """
class Leaving(keras.layers.Layer):
    def call(self, inputs, training=False):
        if training:
            {leave}
        return inputs

def build():
    return keras.Sequential([keras.layers.Input((64,)), Leaving(), keras.layers.Dense(10, activation="softmax")])
"""
CHANGES = "warnings.simplefilter('error'); os.chdir('/'); sys.excepthook = None"
ROWS = """
def rows():
    print("rows")
    from sklearn.datasets import load_digits
    x, y = load_digits(return_X_y=True)
    return x / 16, y
"""


def run(
    driver: Driver, folder: Path, code: str, *words: str, data: str = "digits", trials: int = 1
) -> tuple[int, str, str]:
    (folder / "odd.yaml").write_text(SPACE.replace("DATA", data).replace("TRIALS", str(trials)))
    (folder / "odd.py").write_text(f"import os, sys, warnings\nimport keras\n{code}")
    ended = driver.sweep(folder, ["run", "odd.yaml", *words])
    assert "Traceback" not in ended.err
    assert "should not have happened" not in ended.err
    return ended.code, ended.out, ended.err


@pytest.mark.parametrize("leave", ["sys.exit(0)", "raise KeyboardInterrupt", "os._exit"])
def test_a_model_function_that_leaves_is_an_error(driver: Driver, tmp_path: Path, leave: str) -> None:
    code, out, err = run(driver, tmp_path, f"def build():\n    {leave}\n")
    assert (code, out) == (2, "")
    assert "error: odd:build " in err
    assert not (tmp_path / "sweeps").exists()


@pytest.mark.parametrize("runner", ["compiled", "fit"])
@pytest.mark.parametrize("leave", ["sys.exit(0)", "raise KeyboardInterrupt"])
def test_a_layer_that_leaves_fails_its_trials(driver: Driver, tmp_path: Path, leave: str, runner: str) -> None:
    code, _, err = run(driver, tmp_path, LEAVING.format(leave=leave), "--runner", runner)
    assert code == 1
    assert "FAIL " + ("SystemExit: 0" if "exit" in leave else "KeyboardInterrupt") in err


def test_what_code_changes_of_the_process_is_put_back(driver: Driver, tmp_path: Path) -> None:
    rows = ROWS.replace("    print", f"    {CHANGES}\n    print", 1)
    module = f"{CHANGES}\nprint('module')\n{rows}{MODEL}"
    code, out, err = run(driver, tmp_path, module, "--json", data='{python: "odd:rows"}')
    assert code == 0, err
    assert (tmp_path / "sweeps" / "odd" / "best.keras").exists()
    assert [json.loads(line)["event"] for line in out.splitlines()][-1] == "sweep_ended"  # no print among the events
    assert "module\n" in err and "rows\n" in err


def test_prints_of_layers_are_no_part_of_the_answer(driver: Driver, tmp_path: Path) -> None:
    code, out, err = run(driver, tmp_path, LEAVING.format(leave="print('layer')"), "--json")
    assert code == 0, err
    assert all(line.startswith('{"event": ') for line in out.splitlines())
    assert "layer\n" in err


LOUD = """
import ctypes, subprocess

def loud(where):
    subprocess.run(["echo", f"subprocess of {where}"], check=True)
    os.write(1, f"descriptor of {where}\\n".encode())
    ctypes.CDLL(None).printf(f"library of {where}\\n".encode())
    print(f"stream of {where}", file=sys.__stdout__)
"""
LOUD += ROWS.replace('print("rows")', 'loud("rows")') + MODEL.replace("():", "():\n    loud('build')")


def test_what_is_written_below_python_is_no_part_of_the_answer(driver: Driver, tmp_path: Path) -> None:
    source = '{python: "odd:rows"}'
    code, out, err = run(driver, tmp_path, LOUD, "--json", data=source, trials=2)
    assert code == 0, err
    assert all(line.startswith('{"event": ') for line in out.splitlines())
    log = (tmp_path / "sweeps/odd/run.log").read_text()
    for what in ("subprocess", "descriptor", "library", "stream"):
        assert f"{what} of rows\n" in log and f"{what} of build\n" in log
    for words in (
        ["check", "odd.yaml", "--probe"],
        ["evaluate", "odd", "--trust"],
        ["export", "odd", "--trial", str(1 - json.loads(out.splitlines()[-1])["best"]["number"]), "--trust"],
        ["data", "odd.yaml"],
        ["baseline", "odd.yaml"],
    ):
        ended = driver.sweep(tmp_path, words)
        assert ended.code == 0, ended.err
        assert ended.out
        assert " of rows" not in ended.out and " of build" not in ended.out
        assert "subprocess of rows\n" in ended.err or words[0] == "check"  # where it would tear the board


def test_changed_code_is_refused_and_the_former_goes_on(driver: Driver, tmp_path: Path) -> None:
    assert run(driver, tmp_path, MODEL)[0] == 0
    changed = MODEL.replace("softmax", "sigmoid")
    code, _, err = run(driver, tmp_path, changed, trials=2)
    assert code == 2
    assert "the code of the model: odd.py (bring it back to go on)" in err
    ended = driver.sweep(tmp_path, ["evaluate", "odd", "--trust"])
    assert ended.code == 2
    assert "the code of the model has changed since the sweep 'odd' was run: odd.py in " in ended.err
    assert driver.sweep(tmp_path, ["export", "odd", "-o", "kept.keras"]).code == 0  # the file of that code, copied
    code, _, err = run(driver, tmp_path, "# the former code\n" + MODEL, trials=2)
    assert code == 0, err
