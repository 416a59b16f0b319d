"""Runs `sweep` commands, each in a process forked from one that has imported everything; seconds saved every time.

    python -m tests.helpers.fault_driver BACKEND

reads jobs as JSON, one a line: `folder` (the working folder), `arguments`, perhaps `program` (Python code that is run
in place of `sweep`), `kind`, `nth`, `after`, `what` and `commits` of a fault (see tests/helpers/disk_faults.py),
`kill_after` (seconds), or `signal` (a number) with `epochs` (how many must have been told before), `nohup` (SIGHUP is
ignored), `environment` (all of it), `terminal` (the one that it runs on). For each it prints one line of JSON: `code`
(negative: by a signal), `calls` (names of the calls to the disk; null where it was killed), `seconds`. A job that is
`detached` is answered at once by its `pid`, and `poll` with that number by its `code`, null while it runs. What the
command prints is in `out` and `err` in the folder `output`. The parent starts
no thread and uses no device, so that its children can.
"""

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import pytest

from keras_sweep.record.study_file import read_empty_tables
from tests.helpers.records import ROOT

# The environment of a process to whose keras-sweep the system looks like Windows, as tests/helpers/windows.py says.
WINDOWS = {"PYTHONPATH": str(ROOT / "tests" / "helpers" / "windows_site")}


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it left behind."""

    code: int  # negative: killed by that signal
    out: str
    err: str
    calls: list[str] | None = None  # to the disk; None where it was killed
    seconds: float = 0.0

    def ok(self) -> Self:
        """The same, which must have ended with 0."""
        assert self.code == 0, self.out + self.err
        return self


@cache
class Forks:
    """The driver for a backend, one for all tests: it ends when its input does, with them."""

    def __init__(self, backend: str, windows: bool = False) -> None:
        if not hasattr(os, "fork"):
            pytest.skip("the system forks no processes")
        command = [sys.executable, "-m", "tests.helpers.fault_driver", backend]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **WINDOWS} if windows else None,
        )
        assert '"ready"\n' in self._process.stdout, "the driver does not start"

    def ask(self, **job: Any) -> dict[str, Any]:
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def run(self, **job: Any) -> Ended:
        with tempfile.TemporaryDirectory() as output:
            answer = self.ask(output=output, **job)
            out, err = (Path(output, name).read_text(errors="replace") for name in ("out", "err"))
        return Ended(out=out, err=err, **answer)


def forked(folder: Path, *words: str, windows: bool = False, **job: Any) -> Ended:
    """Run `sweep` with these words in a folder, by the driver of the backend that they name. `windows`: see WINDOWS."""
    backend = words[words.index("--backend") + 1] if "--backend" in words else "jax"
    return Forks(backend, windows).run(folder=str(folder), arguments=words, **job)


def answer(value: object) -> None:
    print(json.dumps(value), flush=True)  # noqa: T201


def main() -> None:
    _import(sys.argv[1])
    answer("ready")
    for line in sys.stdin:
        job = json.loads(line)
        if "poll" in job:
            found, status = os.waitpid(job["poll"], os.WNOHANG)
            answer({"code": os.waitstatus_to_exitcode(status) if found else None})
            continue
        for name in ("out", "err"):  # a child that is killed at once creates none
            Path(job["output"], name).touch()
        calls = Path(job["output"]) / "calls"
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            _run(job)
        if job.get("detached"):
            answer({"pid": child})
            continue
        code = _ended(child, job)
        names = json.loads(calls.read_text()) if calls.exists() else None
        answer({"code": code, "calls": names, "seconds": time.monotonic() - started})


# What each command would else import itself.
IMPORTED = """
    keras keras_tuner optuna.samplers platformdirs.unix polars rich._unicode_data.unicode17-0-0 ruamel.yaml
    sklearn.datasets keras_sweep.api.session keras_sweep.cli.main keras_sweep.honest.estimate
    keras_sweep.honest.best_set keras_sweep.search.keras_tuner.engine keras_sweep.search.samplers
    keras_sweep.search.sampler_engine
    keras_sweep.record.candidates keras_sweep.sweep.validation_outputs keras_sweep.sweep.replay
    keras_sweep.training.fit.programs
    keras_sweep.training.fit.runner keras_sweep.views.report.page tests.helpers.disk_faults
"""
OF_BACKEND = {
    "jax": """
        jax.experimental.multihost_utils jaxlib.mlir.dialects.mhlo keras_sweep.training.lanes.lane_support
        keras_sweep.training.lanes.runner
    """,
    "tensorflow": "tensorflow",
    "torch": "torch",
}


def _import(backend: str) -> None:
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in (*IMPORTED.split(), *OF_BACKEND[backend].split()):
        importlib.import_module(name)
    sys.modules["sklearn.datasets"].load_digits()
    read_empty_tables()
    gc.freeze()  # or each child would copy what its first collection marks


def _run(job: dict[str, Any]) -> None:
    """The child: never returns."""
    os.setsid()
    # As a shell leaves them, whatever they are in the process that runs the tests.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN if job.get("nohup") else signal.SIG_DFL)
    if "terminal" in job:
        terminal = os.open(job["terminal"], os.O_RDWR | os.O_NOCTTY)
        for descriptor in range(3):
            os.dup2(terminal, descriptor)
        os.close(terminal)
    else:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for name, descriptor in (("out", 1), ("err", 2)):
            file = os.open(Path(job["output"], name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(file, descriptor)
    os.chdir(job["folder"])
    del sys.path[0]  # as in `sweep`, the working folder is not on the path
    if "environment" in job:
        os.environ.clear()
        os.environ.update(job["environment"])
    code = 99
    try:
        from keras_sweep.cli.main import main as sweep
        from tests.helpers.disk_faults import Faults, injected

        faults = Faults(**{key: job[key] for key in ("nth", "kind", "after", "what", "commits") if key in job})
        sys.argv = ["sweep", *job["arguments"]]
        try:
            with injected(faults):
                code = _program(job["program"]) if "program" in job else sweep()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        finally:
            Path(job["output"], "calls").write_text(json.dumps(faults.names))
            sys.stdout.flush()
            sys.stderr.flush()
    finally:
        os._exit(code)


def _program(code: str) -> int:
    """Run it as `python -c` does; the exit code."""
    sys.path.insert(0, "")
    try:
        exec(code, sys.modules["__main__"].__dict__)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def _ended(child: int, job: dict[str, Any]) -> int:
    started = time.monotonic()
    number = job.get("signal", signal.SIGKILL if "kill_after" in job else None)
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if number is not None and _is_time(job, time.monotonic() - started):
            with suppress(ProcessLookupError):  # the child is not yet the first of its group
                os.killpg(child, number)
                number = None
        time.sleep(0.002)


def _is_time(job: dict[str, Any], seconds: float) -> bool:
    if "kill_after" in job:
        return bool(seconds >= job["kill_after"])
    told = Path(job["output"], "out").read_bytes().count(b'"epoch_ended"')
    return bool(told >= job["epochs"])


if __name__ == "__main__":
    main()
