"""Runs the command as a user does, in a process of its own."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from keras_sweep.cli.main import main
from tests.helpers.fault_driver import Ended, Forks, forked
from tests.helpers.records import ROOT

parsed = cache(typer.main.get_command)  # typer makes every option of every command anew for each call
PATIENCE = 800.0  # seconds before what is waited for counts as hanging: no test may depend on a machine's speed


def sweep(*arguments: str | Path, cwd: Path, new: bool = False, **environment: str) -> Ended:
    """`sweep ARGUMENTS` in a folder. Of a new interpreter, if so asked: where imports read the environment."""
    words = list(map(str, arguments))
    variables = {**_variables(), **environment}
    if not new:
        return forked(cwd, *words, environment=variables)
    return process([sys.executable, "-m", "keras_sweep", *words], cwd, variables)


def python(code: str, *arguments: str | Path, cwd: Path, backend: str = "jax", **environment: str) -> Ended:
    """`python -c CODE ARGUMENTS` in a folder, of an interpreter that has imported Keras on a backend."""
    variables = {**_variables(), "KERAS_BACKEND": backend, **environment}
    words = list(map(str, arguments))
    return Forks(backend).run(folder=str(cwd), arguments=words, program=code, environment=variables)


def script(file: str, *, cwd: Path, new: bool = False, **environment: str) -> Ended:
    """`python FILE` in a folder; of a new interpreter, if so asked."""
    if new:
        return process([sys.executable, file], cwd, {**_variables(), "KERAS_BACKEND": "jax", **environment})
    return python(f"import runpy\nrunpy.run_path({file!r}, run_name='__main__')", cwd=cwd, **environment)


def process(words: Sequence[str | Path], cwd: Path = ROOT, environment: Mapping[str, str] | None = None) -> Ended:
    """Any program; in an environment of its own where one is given."""
    command = list(map(str, words))
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def _variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("KERAS_BACKEND", "SWEEPS_DIR")}


def called(arguments: list[str], sweeps: Path | None = None) -> tuple[int, str, str]:
    """A command in this process: its exit code, what it answers and what else it says."""
    out, err = io.StringIO(), io.StringIO()
    words = arguments if sweeps is None else [*arguments, "--sweeps-dir", str(sweeps)]
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        patch.setattr(typer.main, "get_command", parsed)
        main(words)
    return int(ended.value.code or 0), out.getvalue(), err.getvalue()


def leaderboard(folder: Path, *words: str) -> list[dict[str, Any]]:
    return json.loads(sweep("leaderboard", *words, "--format", "json", cwd=folder).ok().out)
