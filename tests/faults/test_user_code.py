"""What a user's own code does to the process is told plainly, and nothing is lost by it."""

import json
from pathlib import Path

import pytest

from tests.helpers.fault_driver import Ended, forked
from tests.helpers.space_texts import small

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


def run(folder: Path, code: str, *words: str, data: str = "digits", trials: int = 1) -> Ended:
    space = small(
        data=data,
        model='{python: "odd:build"}',
        parameters="{optimizer: sgd, learning_rate: {min: 1e-3, max: 1e-1, log: true}, epochs: 1, batch_size: 383}",
        search=f"{{sampler: random, trials: {trials}, seed: 1}}",
    )
    (folder / "odd.yaml").write_text(space)
    (folder / "odd.py").write_text(f"import os, sys, warnings\nimport keras\n{code}")
    ended = forked(folder, "run", "odd.yaml", *words)
    assert "Traceback" not in ended.err
    assert "unexpected error (" not in ended.err
    return ended


@pytest.mark.parametrize("leave", ["sys.exit(0)", "raise KeyboardInterrupt", "os._exit"])
def test_a_model_function_that_leaves_is_an_error(tmp_path: Path, leave: str) -> None:
    ended = run(tmp_path, f"def build():\n    {leave}\n")
    assert (ended.code, ended.out) == (2, "")
    assert "error: odd:build " in ended.err
    assert not (tmp_path / "sweeps").exists()


@pytest.mark.parametrize(
    ("leave", "runner"),
    [
        ("sys.exit(0)", "compiled"),
        ("raise KeyboardInterrupt", "fit"),
        pytest.param("sys.exit(0)", "fit", marks=pytest.mark.soak),
        pytest.param("raise KeyboardInterrupt", "compiled", marks=pytest.mark.soak),
    ],
)
def test_a_layer_that_leaves_fails_its_trials(tmp_path: Path, leave: str, runner: str) -> None:
    ended = run(tmp_path, LEAVING.format(leave=leave), "--runner", runner)
    assert ended.code == 1
    assert "FAIL " + ("SystemExit: 0" if "exit" in leave else "KeyboardInterrupt") in ended.err


def test_a_model_function_that_counts_its_calls_is_named(tmp_path: Path) -> None:
    code = """
count = 0

def build():
    global count
    count += 1
    layers = [keras.layers.Input((64,)), keras.layers.Dense(count), keras.layers.Dense(10, activation="softmax")]
    return keras.Sequential(layers)
"""
    ended = run(tmp_path, code)
    assert "odd:build now returns another model than for trial 0: " in ended.err
    assert ended.err.rstrip().endswith("Make the model depend only on the function's arguments"), ended.err
    assert ended.code == 2


def test_what_code_changes_of_the_process_is_put_back(tmp_path: Path) -> None:
    rows = ROWS.replace("    print", f"    {CHANGES}\n    print", 1)
    module = f"{CHANGES}\nprint('module')\n{rows}{MODEL}"
    ended = run(tmp_path, module, "--json", data='{python: "odd:rows"}').ok()
    assert (tmp_path / "sweeps" / "odd" / "best.keras").exists()
    assert [json.loads(line)["event"] for line in ended.out.splitlines()][-1] == "sweep_ended"  # no print among them
    assert "module\n" in ended.err and "rows\n" in ended.err


LOUD = """
import ctypes, subprocess

def loud(where):
    subprocess.run(["echo", f"subprocess of {where}"], check=True)
    os.write(1, f"descriptor of {where}\\n".encode())
    ctypes.CDLL(None).printf(f"library of {where}\\n".encode())
    print(f"stream of {where}", file=sys.__stdout__)
"""
LOUD += ROWS.replace('print("rows")', 'loud("rows")') + MODEL.replace("():", "():\n    loud('build')")


@pytest.mark.soak
def test_what_is_written_below_python_is_no_part_of_the_answer(tmp_path: Path) -> None:
    lines = run(tmp_path, LOUD, "--json", data='{python: "odd:rows"}', trials=2).ok().out.splitlines()
    assert all(line.startswith('{"event": ') for line in lines)
    log = (tmp_path / "sweeps/odd/run.log").read_text()
    for what in ("subprocess", "descriptor", "library", "stream"):
        assert f"{what} of rows\n" in log and f"{what} of build\n" in log
    for words in (
        ["check", "odd.yaml", "--probe"],
        ["evaluate", "odd", "--trust"],
        ["export", "odd", "--trial", str(1 - json.loads(lines[-1])["best"]["number"]), "--trust"],
        ["data", "odd.yaml"],
        ["baseline", "odd.yaml"],
    ):
        ended = forked(tmp_path, *words).ok()
        assert ended.out
        assert " of rows" not in ended.out and " of build" not in ended.out
        assert "subprocess of rows\n" in ended.err or words[0] == "check"  # where it would tear the board


def test_changed_code_is_refused_and_the_former_goes_on(tmp_path: Path) -> None:
    run(tmp_path, MODEL).ok()
    refused = run(tmp_path, MODEL.replace("softmax", "sigmoid"), trials=2)
    assert refused.code == 2
    assert "the code of the model: odd.py (restore the old code to resume)" in refused.err
    refused = forked(tmp_path, "evaluate", "odd", "--trust")
    assert refused.code == 2
    assert "the code of the model has changed since the sweep 'odd' started: odd.py in " in refused.err
    forked(tmp_path, "export", "odd", "-o", "kept.keras").ok()  # the file of that code, copied
    run(tmp_path, "# the old code\n" + MODEL, trials=2).ok()
