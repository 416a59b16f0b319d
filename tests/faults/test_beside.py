"""Two sweeps of one name at once, and readers beside a sweep."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from keras_sweep.record.sweep_folder import SweepFolder
from tests.helpers.command import PATIENCE
from tests.helpers.long_sweep import Started, begun, trials, wait_for, write
from tests.helpers.whole_sweeps import Driver, check_sound, folder_of


def test_the_second_of_two_says_who_runs_it_and_leaves_the_first_alone(driver: Driver, tmp_path: Path) -> None:
    write(tmp_path, trials=100_000, epochs=2)
    first = Started(tmp_path)
    try:
        wait_for(begun(tmp_path), first)
        first.send_signal(signal.SIGSTOP)  # it computes nothing in the meantime
        second = driver.sweep(tmp_path, ["run", "long.yaml"])
        assert second.code == 3
        assert f"process {first.pid} on {socket.gethostname()} since 20" in second.err
        assert "(sweep run long.yaml)" in second.err
        assert driver.sweep(tmp_path, ["run", "long.yaml", "--fresh", "--force"]).code == 3
        before = trials(tmp_path)
        first.send_signal(signal.SIGCONT)
        wait_for(lambda: trials(tmp_path) > before, first)
    finally:
        first.kill()
        first.wait()
    check_sound(folder_of(tmp_path, "long"))
    third = driver.sweep(tmp_path, ["run", "long.yaml", "--trials", "8"])
    assert third.code == 0, third.err
    assert f"goes on where process {first.pid} left it" in third.err


def test_a_lock_of_another_host_is_respected_without_force(driver: Driver, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "plain")
    assert driver.run(tmp_path, "plain", "--trials", "2").code == 0
    note = {"pid": 1, "host": "elsewhere", "since": "2026-01-31T12:00:00+01:00", "command": "sweep run plain.yaml"}
    folder.owner.write_text(json.dumps(note))
    refused = driver.run(tmp_path, "plain", "--trials", "3")
    assert refused.code == 3
    assert re.search(r"process 1 on elsewhere since 2026-01-31 12:00:00.*--force", refused.err)
    forced = driver.run(tmp_path, "plain", "--trials", "3", "--force")
    assert forced.code == 0, forced.err


READ = """\
import subprocess, sys, time
words = sys.argv[1:]
from keras_sweep.cli.main import main
count = 0
print("ready", flush=True)
while not __import__("pathlib").Path("enough").exists():
    try:
        main(words)
    except SystemExit as end:
        assert end.code == 0, end.code
    count += 1
print(f"read {count} times", file=sys.stderr)
"""
OPTUNA = """\
import optuna, pathlib, sys
optuna.logging.set_verbosity(optuna.logging.ERROR)
count = 0
print("ready", flush=True)
while not pathlib.Path("enough").exists():
    study = optuna.load_study(study_name="long", storage="sqlite:///sweeps/long/study.db")
    trials = study.trials
    assert [one.number for one in trials] == list(range(len(trials)))
    assert all(one.state.is_finished() for one in trials)
    count += 1
print(f"read {count} times", file=sys.stderr)
"""


COMMANDS = [["leaderboard", "--format", "json"], ["leaderboard"], ["list"], ["show", "long", "0"]]


@pytest.mark.parametrize(
    ("commands", "optunas"),
    [
        pytest.param(COMMANDS[:1], 1, id="two"),
        pytest.param(COMMANDS * 2, 2, marks=[pytest.mark.soak, pytest.mark.timeout(280)], id="ten"),
    ],
)
def test_readers_neither_stop_a_sweep_nor_see_half_of_one(
    tmp_path: Path, commands: list[list[str]], optunas: int
) -> None:
    write(tmp_path, trials=32, epochs=2)
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    programs = [[sys.executable, "-c", READ, *words] for words in commands] + [[sys.executable, "-c", OPTUNA]] * optunas
    first = Started(tmp_path, "--trials", "2")  # so that there is something to read
    _, err = first.communicate()
    assert first.returncode == 0, err
    readers = [
        subprocess.Popen(
            one, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for one in programs
    ]
    try:
        code = Started(tmp_path).wait()
        (tmp_path / "enough").touch()
        ends = [reader.communicate(timeout=PATIENCE)[1] for reader in readers]
    finally:
        for reader in readers:
            reader.kill()
    assert code == 0
    assert trials(tmp_path) == 32
    assert [reader.returncode for reader in readers] == [0] * len(readers), ends
    assert all(int(end.split()[-2]) >= 1 for end in ends), ends
    check_sound(folder_of(tmp_path, "long"))
    optuna = [str(Path(sys.executable).with_name("optuna")), "trials", "--study-name", "long", "--storage"]
    storage = f"sqlite:///{SweepFolder(tmp_path / 'sweeps' / 'long').study}"
    listed = subprocess.run([*optuna, storage], capture_output=True, text=True, timeout=PATIENCE, env=environment)
    assert listed.returncode == 0, listed.stderr
