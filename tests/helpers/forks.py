"""The process of tests/helpers/fault_driver.py, which forks for each command: the imports are paid once."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from typing import Any

from tests.helpers.records import ROOT


class Forks:
    """Runs commands one after the other, on a backend, each in a process of its own."""

    def __init__(self, backend: str) -> None:
        command = [sys.executable, "-m", "tests.helpers.fault_driver", backend]
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
def forks(backend: str = "jax") -> Forks:
    """The one of these tests and a backend: it ends when its input does, with them."""
    return Forks(backend)


def backend_of(words: list[str]) -> str:
    """The backend that the words of a command name."""
    return words[words.index("--backend") + 1] if "--backend" in words else "jax"
