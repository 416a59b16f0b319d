"""Two commands on one sweep: the second writer is turned away, readers are not."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

from tests.cli.command import sweep
from tests.faults.sweeps import folder_of
from tests.faults.test_signals import start, wait_for_trials
from tests.record.records import integrity


def test_a_second_run_is_told_who_runs_it_and_readers_are_served(tmp_path: Path) -> None:
    process = start(tmp_path)
    try:
        wait_for_trials(tmp_path)
        second = sweep("run", "plain.yaml", cwd=tmp_path)
        assert second.code == 3
        for what in (str(process.pid), socket.gethostname(), " since 2"):
            assert what in second.err
        for _ in range(2):
            for words in (("leaderboard", "--format", "json"), ("show", "plain", "0"), ("list",)):
                read = sweep(*words, cwd=tmp_path)
                assert read.code == 0, read.err
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = folder_of(tmp_path, "plain")
    assert integrity(found.study) == "ok"
    note = json.loads(found.owner.read_text())
    assert note["pid"] == process.pid

    after = sweep("run", "plain.yaml", "--more", "1", "--sampler", "random", cwd=tmp_path)
    assert after.code == 0, after.err
    assert f"process {process.pid}" in after.err
    assert not found.owner.exists()

    found.owner.write_text(json.dumps({**note, "pid": os.getpid(), "host": "another-host"}))
    refused = sweep("run", "plain.yaml", "--more", "1", "--sampler", "random", cwd=tmp_path)
    assert refused.code == 3
    assert "another-host" in refused.err
    assert "--force" in refused.err
    forced = sweep("run", "plain.yaml", "--more", "1", "--sampler", "random", "--force", cwd=tmp_path)
    assert forced.code == 0, forced.err
