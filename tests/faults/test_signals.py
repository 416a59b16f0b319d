"""Signals, a reader that goes away, a terminal that closes: nothing finished is lost, and the same command goes on."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from keras_sweep.record import reader
from tests.cli.command import sweep
from tests.faults.spaces import SPACES
from tests.faults.sweeps import folder_of

TRIALS = 4000  # more than are trained before the signal comes
COMMAND = [sys.executable, "-m", "keras_sweep", "run", "plain.yaml", "--trials", str(TRIALS), "--sampler", "random"]


def start(folder: Path, **options: Any) -> subprocess.Popen[str]:
    """A long sweep in a session of its own, begun."""
    (folder / "plain.yaml").write_text(SPACES["plain"])
    return subprocess.Popen(COMMAND, cwd=folder, text=True, start_new_session=True, **options)


def wait_for_trials(folder: Path, count: int = 4) -> None:
    found = folder_of(folder, "plain")
    deadline = time.monotonic() + 90
    while not found.exists() or len(reader.read_results(found)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def goes_on(folder: Path) -> None:
    """The record is what a sweep of so many trials in one piece is, and the next run adds to it."""
    found = folder_of(folder, "plain")
    before = reader.read_results(found)
    assert [one.number for one in before] == list(range(len(before)))
    more = sweep("run", "plain.yaml", "--more", "2", "--sampler", "random", cwd=folder)
    assert more.code == 0, more.err
    after = reader.read_results(found)
    assert len(after) == len(before) + 2
    assert [(one.params, one.value) for one in after[: len(before)]] == [(one.params, one.value) for one in before]


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda one: one.name)
def test_the_first_signal_finishes_what_runs(tmp_path: Path, name: signal.Signals) -> None:
    process = start(tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for_trials(tmp_path)
    process.send_signal(name)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "val_accuracy" in out
    assert "The same command resumes" in err
    assert "Traceback" not in err
    if name is signal.SIGINT:
        goes_on(tmp_path)


def test_the_second_signal_stops_at_once(tmp_path: Path) -> None:
    process = start(tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for_trials(tmp_path)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    since = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert time.monotonic() - since < 5
    assert "Traceback" not in err
    goes_on(tmp_path)


def test_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    (tmp_path / "plain.yaml").write_text(SPACES["plain"])
    line = f"set -o pipefail; {sys.executable} -m keras_sweep run plain.yaml --json | head -1"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    json.loads(done.stdout)
    assert "Traceback" not in done.stderr
    again = sweep("run", "plain.yaml", cwd=tmp_path)
    assert again.code == 0, again.err
    assert len(reader.read_results(folder_of(tmp_path, "plain"))) == 18


def test_a_terminal_is_left_with_its_cursor(tmp_path: Path) -> None:
    shown = _in_a_terminal(tmp_path, twice=False)
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l") >= 0


def test_a_terminal_is_left_with_its_cursor_after_two_signals(tmp_path: Path) -> None:
    shown = _in_a_terminal(tmp_path, twice=True)
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l") >= 0


def _in_a_terminal(folder: Path, *, twice: bool) -> str:
    """What a sweep that is interrupted writes to a terminal."""
    main, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color"}
    process = start(folder, stdin=terminal, stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)
    shown = b""
    signalled = False
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        if select.select([main], [], [], 0.1)[0]:
            try:
                shown += os.read(main, 1 << 16)
            except OSError:  # the other end is closed
                break
        found = folder_of(folder, "plain")
        if not signalled and found.exists() and len(reader.read_results(found)) >= 4:
            signalled = True
            for _ in range(1 + twice):
                process.send_signal(signal.SIGINT)
    os.close(main)
    assert process.wait(timeout=30) == 130
    return shown.decode(errors="replace")
