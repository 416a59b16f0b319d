"""A sweep that runs in a process of its own until a test stops it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from keras_sweep.record import reader
from tests.helpers.command import PATIENCE
from tests.helpers.fault_driver import Forks
from tests.helpers.space_texts import small
from tests.helpers.whole_sweeps import folder_of

LONG = small(
    model='{python: "slow:build"}',
    parameters="{learning_rate: {min: 1e-4, max: 0.3, log: true}, batch_size: 256, epochs: EPOCHS}",
    search="{engine: optuna, sampler: random, trials: TRIALS, seed: 42}",
)
SLOW = """\
import keras

def build():
    return keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, activation="softmax")])
"""
# Signals are as a shell leaves them, whatever they are in the process that runs the tests.
START = """\
import signal, sys
for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(name, signal.SIG_DFL if name != signal.SIGINT else signal.default_int_handler)
from keras_sweep.cli.main import main
sys.argv[0] = "sweep"
main()
"""


def write(folder: Path, *, trials: int, epochs: int | str) -> None:
    (folder / "slow.py").write_text(SLOW)
    (folder / "long.yaml").write_text(LONG.replace("EPOCHS", str(epochs)).replace("TRIALS", str(trials)))


def start_new(folder: Path, *words: str, **options: object) -> subprocess.Popen[str]:
    """Of a new interpreter."""
    command = [sys.executable, "-c", START, "run", "long.yaml", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(command, cwd=folder, text=True, **pipes)  # type: ignore[call-overload, no-any-return]


class Started:
    """A sweep in a process that is forked from one that has imported everything."""

    def __init__(self, folder: Path, *words: str, nohup: bool = False) -> None:
        self._output = Path(tempfile.mkdtemp(dir=folder))
        self.returncode: int | None = None
        words = ("run", "long.yaml", *words)
        job = {"folder": str(folder), "output": str(self._output), "arguments": words, "nohup": nohup}
        self.pid: int = Forks("jax").ask(detached=True, **job)["pid"]

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = Forks("jax").ask(poll=self.pid)["code"]
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self) -> int:
        deadline = time.monotonic() + PATIENCE
        while (code := self.poll()) is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return code

    def communicate(self) -> tuple[str, str]:
        """What it has written, once it has ended."""
        self.wait()
        out, err = ((self._output / name).read_text(errors="replace") for name in ("out", "err"))
        return out, err


def trials(folder: Path) -> int:
    sweep = folder_of(folder, "long")
    return len(reader.read_results(sweep)) if sweep.exists() else 0


def wait_for(what: Callable[[], bool], process: subprocess.Popen[str] | Started) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def begun(folder: Path) -> Callable[[], bool]:
    """Whether it trains: its first generation is through, and the next one is long."""
    return lambda: trials(folder) >= 16
