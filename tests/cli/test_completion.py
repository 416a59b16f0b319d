"""A shell completes commands, and the names of sweeps where one is wanted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command import PATIENCE, sweep


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("sweep sh", ["show"]), ("sweep show ", ["digits"]), ("sweep export dig", ["digits"]), ("sweep list x", [])],
)
def test_what_is_offered(finished, typed, offered):
    words = typed.split(" ")
    ended = sweep(
        cwd=finished,
        _SWEEP_COMPLETE="complete_bash",
        COMP_WORDS=typed,
        COMP_CWORD=str(len(words) - 1),
    )
    assert ended.out.split() == offered
    assert (ended.code, ended.err) == (0, "")  # what is said there stands amid the line that is typed


def test_a_real_bash_completes_once_that_is_installed(finished, tmp_path):
    script = """
        sweep --install-completion; echo "code $?"
        . ~/.bashrc
        COMP_WORDS=(sweep show dig); COMP_CWORD=2; _sweep_completion sweep
        echo "offered: ${COMPREPLY[*]}"
    """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if name != "SWEEPS_DIR"}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=finished,
        env={**environment, "HOME": str(tmp_path), "PATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stderr == ""
    assert "code 0\n" in done.stdout and done.stdout.endswith("offered: digits\n")
