"""Runs the command as a user does, in a process of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from keras_sweep.cli.main import main

PATIENCE = 800.0  # seconds before what is waited for counts as hanging: no test may depend on a machine's speed


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str


def sweep(*arguments: str | Path, cwd: Path, **environment: str) -> Ended:
    """`sweep ARGUMENTS` in a folder."""
    variables = {name: value for name, value in os.environ.items() if name not in ("KERAS_BACKEND", "SWEEPS_DIR")}
    done = subprocess.run(
        [sys.executable, "-m", "keras_sweep", *map(str, arguments)],
        cwd=cwd,
        env={**variables, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def called(arguments: list[str], sweeps: Path) -> tuple[int, str, str]:
    """A command in this process: its exit code, what it answers and what else it says."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main([*arguments, "--sweeps-dir", str(sweeps)])
    return int(ended.value.code or 0), out.getvalue(), err.getvalue()
