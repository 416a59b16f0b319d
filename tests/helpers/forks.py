"""The process of tests/helpers/fault_driver.py, which forks for each command: the imports are paid once."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from typing import Any

from tests.helpers.records import ROOT


class Forks:
    """Runs commands one after the other, on JAX, each in a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.helpers.fault_driver"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self._process.stdout is not None
        while (line := self._process.stdout.readline()) != "ready\n":
            assert line, "the driver does not start"

    def run(self, **job: Any) -> dict[str, Any]:
        """How the job ended; both as fault_driver.py says."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(json.dumps(job) + "\n")
        stdin.flush()
        ended: dict[str, Any] = json.loads(stdout.readline())
        return ended


@cache
def forks() -> Forks:
    """The one of these tests: it ends when its input does, with them."""
    return Forks()
