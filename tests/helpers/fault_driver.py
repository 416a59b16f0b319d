"""Runs `sweep` commands, each in a process forked from one that has imported everything; a second saved every time.

    python -m tests.helpers.fault_driver

reads jobs as JSON, one a line: `folder` (the working folder), `arguments`, perhaps `kind`, `nth`, `after`, `what` and
`commits` of a fault (see tests/helpers/disk_faults.py) or `kill_after` (seconds). For each it prints one line of JSON:
`code` (negative: by a signal), `calls` (names of the calls to the disk; null where it was killed), `seconds`. What the
command prints is in `out` and `err` in the folder. The parent starts no thread and uses no device, so that its children
can.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Serve jobs until the end of the input."""
    _import()
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        job = json.loads(line)
        calls = Path(job["folder"], "calls")
        calls.unlink(missing_ok=True)
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            _run(job)
        code = _ended(child, job.get("kill_after"))
        names = json.loads(calls.read_text()) if calls.exists() else None
        answer = {"code": code, "calls": names, "seconds": time.monotonic() - started}
        print(json.dumps(answer), flush=True)  # noqa: T201


def _import() -> None:
    os.environ["KERAS_BACKEND"] = "jax"
    import keras  # noqa: F401
    import keras_tuner  # noqa: F401
    import optuna  # noqa: F401
    import sklearn.datasets

    import keras_sweep.cli.main
    import keras_sweep.cli.showing
    import keras_sweep.search.keras_tuner.engine
    import keras_sweep.search.sampler_engine
    import keras_sweep.training.lanes.runner  # noqa: F401
    import tests.helpers.disk_faults  # noqa: F401

    sklearn.datasets.load_digits()


def _run(job: dict[str, Any]) -> None:
    """The child: never returns."""
    os.setsid()
    os.chdir(job["folder"])
    for name, descriptor in (("out", 1), ("err", 2)):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, descriptor)
    code = 99
    try:
        from keras_sweep.cli.main import main as sweep
        from tests.helpers.disk_faults import Faults, injected

        names: list[str] = []

        class Listed(Faults):
            def call(self, what: str, *arguments: Any) -> Any:
                names.append(what)
                return super().call(what, *arguments)

        faults = Listed(
            job.get("nth", 0),
            job.get("kind", "kill"),
            after=job.get("after", False),
            what=job.get("what"),
            commits=job.get("commits", 0),
        )
        sys.argv = ["sweep", *job["arguments"]]
        try:
            with injected(faults):
                sweep()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        finally:
            Path("calls").write_text(json.dumps(names))
            sys.stdout.flush()
            sys.stderr.flush()
    finally:
        os._exit(code)


def _ended(child: int, kill_after: float | None) -> int:
    deadline = None if kill_after is None else time.monotonic() + kill_after
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if deadline is not None and time.monotonic() >= deadline:
            deadline = None
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.002)


if __name__ == "__main__":
    main()
