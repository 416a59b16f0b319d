"""A sweep that runs in a process of its own until a test stops it."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from keras_sweep.record.recorded_sweep import RecordedSweep
from tests.helpers.command import PATIENCE, sweep
from tests.helpers.fault_driver import Forks
from tests.helpers.space_texts import small
from tests.helpers.whole_spaces import SIZE, whole_text
from tests.helpers.whole_sweeps import folder_of, outcome

SLOW = """\
import keras

def build():
    return keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, activation="softmax")])
"""


def write(folder: Path, *, trials: int, epochs: int | str) -> None:
    space = small(
        model='{python: "slow:build"}',
        parameters=f"{{learning_rate: {{min: 1e-4, max: 0.3, log: true}}, batch_size: 383, epochs: {epochs}}}",
        search=f"{{engine: optuna, sampler: random, trials: {trials}, seed: 42}}",
    )
    (folder / "slow.py").write_text(SLOW)
    (folder / "long.yaml").write_text(space)


def write_long(folder: Path) -> None:
    """A sweep for workers: four trials of many batches, and finalists."""
    text = (
        whole_text("plain")
        .replace("trials: 18", "trials: 4")
        .replace("{min: 1, max: 3}", "{min: 40, max: 60}")
        .replace(f"batch_size: {SIZE}", "batch_size: 8")
    )
    (folder / "long.yaml").write_text(text)


class Started:
    """A sweep in a process that is forked from one that has imported everything; it is used as one of `subprocess`."""

    def __init__(
        self,
        folder: Path,
        *words: str,
        command: Sequence[str] = ("run", "long.yaml"),
        nohup: bool = False,
        windows: bool = False,
        **more: Any,
    ) -> None:
        self._forks = Forks("jax", windows)
        self._output = Path(tempfile.mkdtemp(dir=folder))
        self.returncode: int | None = None
        job = {"folder": str(folder), "output": str(self._output), "nohup": nohup, **more}
        self.pid: int = self._forks.ask(detached=True, arguments=(*command, *words), **job)["pid"]

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._forks.ask(poll=self.pid)["code"]
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self) -> list[str]:
        """What it has written, once it has ended: its answer, and what else it says."""
        wait_for(lambda: self.poll() is not None)
        return [(self._output / name).read_text(errors="replace") for name in ("out", "err")]


def trials(folder: Path) -> int:
    sweep = folder_of(folder, "long")
    return len(RecordedSweep.read(sweep).results) if sweep.exists() else 0


def wait_for(what: Callable[[], bool], process: subprocess.Popen[str] | Started | None = None) -> None:
    """Wait until something is so; a process that is given must not end before."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def begun(folder: Path) -> Callable[[], bool]:
    """Whether it trains: its first generation is through, and the next one is long."""
    return lambda: trials(folder) >= 16


def assert_as_alone(folder: Path, *words: str) -> None:
    """The long sweep there is, to the bit, what one process trains that is run with these words."""
    sweep("run", "long.yaml", "--name", "alone", *words, cwd=folder).ok()
    assert sweep("compare", "long", "alone", cwd=folder).ok()
    mine, alone = (outcome(folder_of(folder, name)) for name in ("long", "alone"))
    for part in ("studies", "weights", "best"):
        assert str(mine[part]).replace("long", "alone") == str(alone[part])
