"""Whole processes that train the trials of a space, ours and the peers', and what they say meanwhile."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SPACE = HERE.parent / "search_spaces" / "dense.yaml"
PEERS = HERE / "peers"
OURS = "sweep run"


@dataclass(frozen=True)
class Peer:
    """Another way to search."""

    script: str  # in peers/
    backend: str
    package: str  # that its interpreter must have
    least: tuple[int, ...] = ()  # version of the package
    steps_per_execution: int = 1
    alone: bool = False  # it listens on every network interface, so it runs only where there is none but loopback
    workers: bool = False  # it trains in processes that nobody waits for: their CPU time is not known


PEER_PROGRAMS: Mapping[str, Peer] = {
    "Optuna + Keras, TensorFlow": Peer("optuna_keras.py", "tensorflow", "optuna"),
    "Optuna + Keras, JAX": Peer("optuna_keras.py", "jax", "optuna"),
    "KerasTuner, TensorFlow": Peer("keras_tuner_keras.py", "tensorflow", "keras_tuner"),
    "KerasTuner, JAX": Peer("keras_tuner_keras.py", "jax", "keras_tuner"),
    "Ray Tune + Keras, TensorFlow": Peer(
        "ray_tune_keras.py", "tensorflow", "ray", (2, 60, 0), alone=True, workers=True
    ),
    "Ray Tune + Keras, JAX": Peer("ray_tune_keras.py", "jax", "ray", (2, 60, 0), alone=True, workers=True),
    "Optuna + Keras, TensorFlow, 50 steps per execution": Peer(
        "optuna_keras.py", "tensorflow", "optuna", steps_per_execution=50
    ),
    "Optuna + Keras, JAX, 50 steps per execution": Peer("optuna_keras.py", "jax", "optuna", steps_per_execution=50),
}


@dataclass(frozen=True)
class Trial:
    """A finished trial as its process told of it."""

    at: float  # seconds since its process was started
    value: float | None  # validation accuracy
    epochs: int  # trained
    params: Mapping[str, Any]
    train: float | None  # seconds of fit or of its share of the lanes, without compiling
    compile: float | None


@dataclass(frozen=True)
class Run:
    """A process from start to exit."""

    seconds: float  # wall time
    cpu: float  # seconds of it and of those processes it started that it waited for
    trials: tuple[Trial, ...]
    ended: bool  # by itself; else it was stopped

    @property
    def epochs(self) -> int:
        """Trial-epochs."""
        return sum(trial.epochs for trial in self.trials)

    @property
    def whole(self) -> float:
        """Milliseconds a trial-epoch, everything included."""
        return 1000 * self.seconds / self.epochs

    @property
    def training(self) -> float:
        """Milliseconds a trial-epoch of training alone, over the trials that can tell it from compiling."""
        known = [trial for trial in self.trials if trial.train is not None and trial.compile is not None]
        return 1000 * sum(trial.train or 0.0 for trial in known) / max(sum(trial.epochs for trial in known), 1)


def run_ours(
    arguments: Sequence[str],
    *,
    space: Path = SPACE,
    until: Callable[[Trial], bool] | None = None,
    limit: float = 3600,
) -> Run:
    """`sweep run` of a space file with these arguments, in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        sweep = Path(sys.executable).with_name("sweep")
        command = [str(sweep), "run", str(space), "--json", "--sweeps-dir", folder, *arguments]
        return _run(command, until, limit)


def run_peer(
    name: str,
    python: Path,
    *,
    task: str = SPACE.stem,
    points: Sequence[Mapping[str, Any]] | None = None,
    seed: int = 42,
    until: Callable[[Trial], bool] | None = None,
    limit: float = 3600,
) -> Run:
    """A peer on these points of a task of peers/tasks.py, or searching on its own."""
    from keras_sweep.data.image_sets import FASHION_MNIST

    peer = PEER_PROGRAMS[name]
    command = [str(python), str(PEERS / peer.script), "--backend", peer.backend, "--data", str(FASHION_MNIST.locate())]
    command += ["--task", task, "--seed", str(seed), "--steps-per-execution", str(peer.steps_per_execution)]
    with tempfile.TemporaryDirectory() as folder:
        if points is not None:
            file = Path(folder) / "points.json"
            file.write_text(json.dumps(list(points)))
            command += ["--points", str(file)]
        return _run(command, until, limit)


def missing(name: str, python: Path) -> str | None:
    """Why this interpreter can't run a peer; None if it can."""
    peer = PEER_PROGRAMS[name]
    code = f"from importlib.metadata import version; print(version({peer.package.replace('_', '-')!r}))"
    found = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    if found.returncode:
        return f"{name} is left out: {peer.package} is not installed for {python}"
    if peer.least and tuple(int(part) for part in found.stdout.strip().split(".")[:3]) < peer.least:
        least = ".".join(map(str, peer.least))
        return f"{name} is left out: {peer.package} {found.stdout.strip()} is older than {least}"
    if peer.alone and [interface for _, interface in socket.if_nameindex()] != ["lo"]:
        return f"{name} is left out: it listens on every network interface; benchmarks/README.md says how to contain it"
    return None


@contextmanager
def empty_caches() -> Iterator[None]:
    """Inside, our processes find no cache of data or of compiled programs, as on their first day on a machine."""
    before = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["XDG_CACHE_HOME"]
            else:
                os.environ["XDG_CACHE_HOME"] = before


def as_installed() -> dict[str, str]:
    """The environment of a process, in which Python keeps what it compiled of our source: a package has it compiled."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _run(command: Sequence[str], until: Callable[[Trial], bool] | None, limit: float) -> Run:
    """Start a process, read its finished trials, and stop it once one is what is looked for, or at the limit.

    Raises:
        RuntimeError: it failed.
    """
    trials: list[Trial] = []
    with tempfile.TemporaryFile("w+") as complaints:
        before, started = os.times(), time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env=as_installed(),
            start_new_session=True,  # so that its own children end with it
        )
        timer = threading.Timer(limit, _stop, [process])
        timer.start()
        stopped = False
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if not line.startswith('{"event": "trial_ended"'):
                    continue
                trials.append(_trial(json.loads(line), time.perf_counter() - started))
                if until is not None and until(trials[-1]):
                    stopped = True
                    break
            if stopped:
                _stop(process)
            code = process.wait()
            seconds, after = time.perf_counter() - started, os.times()
        finally:
            stopped = stopped or not timer.is_alive()
            timer.cancel()
            _stop(process)
        if code and not stopped:
            complaints.seek(0)
            raise RuntimeError(f"{' '.join(command)} ended with {code}:\n{complaints.read()[-2000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(seconds, cpu, tuple(trials), ended=not stopped)


def _trial(line: Mapping[str, Any], at: float) -> Trial:
    seconds = line["seconds"]
    return Trial(at, line["value"], line["epochs"], line["params"], seconds["train"], seconds["compile"])


def _stop(process: subprocess.Popen[str]) -> None:
    """End a process that this benchmark started, and the processes that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
