"""A trial that fails is a FAIL with its reason and traceback; the others go on."""

import json
import os
from pathlib import Path

import pytest

from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.trial.result import TrialState
from tests.helpers.fault_driver import Ended, forked
from tests.helpers.space_texts import small
from tests.helpers.whole_sweeps import folder_of

SPACE = small(
    model='{python: "models:build"}',
    parameters="{model.kind: {values: [good, raises, memory, disk, silent, code, nan]},"
    " learning_rate: 0.01, optimizer: sgd, batch_size: 383, epochs: 1}",
    search="{engine: optuna, sampler: grid, trials: 7, seed: 42}",
)
MODELS = """\
import errno
import pathlib

import keras

class Silent(keras.Sequential):
    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return {}

    def get_metrics_result(self):
        return {"loss": 0.0}


def build(kind="good"):
    with open("built", "a") as file:
        file.write(kind + "\\n")
    if kind == "raises":
        raise ValueError("no \\x1b[31msuch[/] model")
    if kind == "memory":
        raise MemoryError("Unable to allocate 8 TiB")
    if kind == "disk" and pathlib.Path("built").read_text().count("disk") < 3:
        raise OSError(errno.EIO, "Input/output error")
    if kind == "code":
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "weights.npy")
    cls = Silent if kind == "silent" else keras.Sequential
    scale = float("nan") if kind == "nan" else 1.0
    return cls([keras.Input((64,)), keras.layers.Rescaling(scale), keras.layers.Dense(10, activation="softmax")])
"""


def run(folder: Path, *words: str, models: str = MODELS) -> Ended:
    (folder / "models.py").write_text(models)
    (folder / "kinds.yaml").write_text(SPACE)
    return forked(folder, "run", "kinds.yaml", *words)


@pytest.mark.parametrize("runner", ["compiled", pytest.param("fit", marks=pytest.mark.soak)])
def test_trials_fail_with_reason_and_traceback_and_the_others_go_on(tmp_path: Path, runner: str) -> None:
    ended = run(tmp_path, "--runner", runner).ok()
    found = {one.params["model.kind"]: one for one in RecordedSweep.read(folder_of(tmp_path, "kinds")).results}
    assert len(found) == 7
    assert found["good"].state is found["disk"].state is TrialState.COMPLETE
    for kind, reason in {
        "raises": "ValueError: no",
        "memory": "MemoryError: Unable",
        "code": "FileNotFoundError: ",
        "silent": "the metric 'val_accuracy' was not logged",
        "nan": "diverged",
    }.items():
        assert found[kind].state is TrialState.FAIL
        assert reason in (found[kind].reason or "")
        assert found[kind].is_out_of_memory == (kind == "memory")
        if kind in ("raises", "memory", "code"):
            assert "models.py" in (found[kind].traceback or "")
    number = found["raises"].number
    shown = forked(tmp_path, "show", "kinds", str(number))
    assert "models.py" in shown.out
    assert "\x1b[31m" not in shown.out + ended.err
    assert "[31msuch[/] model" in shown.out  # no markup is read either
    asjson = json.loads(forked(tmp_path, "show", "kinds", str(number), "--format", "json").out)
    assert "Traceback" in asjson["traceback"]
    if (
        runner == "fit"
    ):  # what disk or network failed is tried twice more; too little memory and a trial's own fault are not
        built = (tmp_path / "built").read_text().split()
        first_look = built.count("raises") - 1  # some kinds are built once more, before the first trial
        assert first_look in (0, 1)
        assert built.count("memory") - 1 in (0, 1)
        assert built.count("code") - 1 in (0, 1)
        assert ended.err.count("is trained again, since the machine failed it: ") <= 2 and "OSError: " in ended.err
        assert ": MemoryError: Unable to allocate" in ended.err  # with the user's file and line before it
        assert "FileNotFoundError" in ended.err


def test_a_sweep_whose_first_trials_all_fail_stops_and_explains_the_first(tmp_path: Path) -> None:
    (tmp_path / "now").touch()
    ended = run(tmp_path, models=MODELS.replace('kind == "raises"', 'pathlib.Path("now").exists()'))
    assert ended.code in (1, 2)
    assert "no" in ended.err and "such[/] model" in ended.err
    assert "Traceback" not in ended.err


def test_too_many_failures_end_the_sweep(tmp_path: Path) -> None:
    ended = run(tmp_path, "--max-failures", "1")
    assert ended.code == 1
    assert "2 trials failed, but `--max-failures` is 1" in ended.err
    run(tmp_path, "--max-failures", "100").ok()


SIZES = small(
    model='{python: "models:build"}',
    parameters="{model.size: {min: 1, max: 6}, learning_rate: {min: 0.001, max: 0.1}, optimizer: sgd,"
    " batch_size: 383, epochs: 1}",
    search="{engine: optuna, sampler: tpe, trials: 12, seed: SEED}",
)
TOO_LARGE = """\
import os
import signal

import keras

def build(size=1):
    if os.getenv("KILLED") and size > 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if size > 2:
        raise MemoryError(f"Unable to allocate {size} TiB")
    return keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, activation="softmax")])
"""


@pytest.mark.parametrize("seed", range(4))
def test_models_that_need_too_much_memory_fail_once_each_and_the_search_finds_those_that_fit(
    tmp_path: Path, seed: int
) -> None:
    (tmp_path / "models.py").write_text(TOO_LARGE)
    (tmp_path / "sizes.yaml").write_text(SIZES.replace("SEED", str(seed)))
    ended = forked(tmp_path, "run", "sizes.yaml", "--runner", "fit").ok()
    results = RecordedSweep.read(folder_of(tmp_path, "sizes")).results
    assert len(results) == 12 and "the machine failed it" not in ended.err
    for one in results:
        assert one.is_out_of_memory == (one.params["model.size"] > 2) == (one.state is TrialState.FAIL)
    assert sum(one.state is TrialState.COMPLETE for one in results) >= 2


@pytest.mark.soak
def test_a_trial_that_ends_its_process_three_times_fails_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(TOO_LARGE)
    space = SIZES.replace("SEED", "0").replace("min: 1, max: 6", "values: [1, 2, 3]").replace("trials: 12", "trials: 6")
    (tmp_path / "sizes.yaml").write_text(space)
    words = ("run", "sizes.yaml", "--runner", "fit", "--workers", "1")
    forked(tmp_path, *words, environment={**os.environ, "KILLED": "1"}).ok()
    results = RecordedSweep.read(folder_of(tmp_path, "sizes")).results
    assert len(results) == 6
    for one in results:
        assert (one.state is TrialState.FAIL) == (one.params["model.size"] == 3)
        assert one.state is not TrialState.FAIL or "workers failed 3 times" in (one.reason or "")
