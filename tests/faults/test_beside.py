"""Two sweeps of one name at once, and the lock of another host."""

import json
import re
import signal
import socket
from pathlib import Path

from tests.helpers.fault_driver import forked
from tests.helpers.long_sweep import Started, begun, trials, wait_for, write
from tests.helpers.whole_sweeps import check_sound, folder_of, run_space


def test_the_second_of_two_says_who_runs_it_and_leaves_the_first_alone(tmp_path: Path) -> None:
    write(tmp_path, trials=1000, epochs=2)
    first = Started(tmp_path)
    try:
        wait_for(begun(tmp_path), first)
        first.send_signal(signal.SIGSTOP)  # it computes nothing in the meantime
        second = forked(tmp_path, "run", "long.yaml")
        assert second.code == 3
        assert f"process {first.pid} on {socket.gethostname()} since 20" in second.err
        assert "(sweep run long.yaml)" in second.err
        assert forked(tmp_path, "run", "long.yaml", "--fresh", "--force").code == 3
        before = trials(tmp_path)
        first.send_signal(signal.SIGCONT)
        wait_for(lambda: trials(tmp_path) > before, first)
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    check_sound(folder_of(tmp_path, "long"))
    third = forked(tmp_path, "run", "long.yaml", "--trials", "8").ok()
    assert f"resumes where process {first.pid} stopped" in third.err


def test_a_lock_of_another_host_is_respected_without_force(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "plain")
    run_space(tmp_path, "plain", "--trials", "2").ok()
    note = {"pid": 1, "host": "elsewhere", "since": "2026-01-31T12:00:00+01:00", "command": "sweep run plain.yaml"}
    folder.owner.write_text(json.dumps(note))
    refused = run_space(tmp_path, "plain", "--trials", "3")
    assert refused.code == 3
    assert re.search(r"process 1 on elsewhere since 2026-01-31 12:00:00.*--force", refused.err)
    run_space(tmp_path, "plain", "--trials", "3", "--force").ok()
