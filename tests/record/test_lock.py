import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from keras_sweep.errors import SweepBusy
from keras_sweep.record.lock import Owner, SweepLock, living_owner, read_owner
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder, set_aside
from tests.helpers.records import new_folder

HOLD = """
import sys
from pathlib import Path
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.sweep_folder import SweepFolder, set_aside
with SweepLock(SweepFolder(Path(sys.argv[1]))) as lock:
    print("held" if lock.taken_over is None else f"taken over from {lock.taken_over.pid}", flush=True)
    sys.stdin.read()
"""


def holder(folder: SweepFolder, **more: Any) -> subprocess.Popen[str]:
    """A process that takes the lock and holds it until its standard input ends."""
    command = [sys.executable, "-c", HOLD, str(folder.path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)


@contextmanager
def held(folder: SweepFolder) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock inside, and ends by itself if it was not killed."""
    with holder(folder) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.communicate("")
    assert process.returncode in (0, -signal.SIGKILL)


def killed(folder: SweepFolder) -> int:
    """The number of a process that was killed while it held the lock."""
    with held(folder) as process:
        process.kill()
    return process.pid


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    folder = SweepFolder(tmp_path / "dense")
    folder.make()
    return folder


def test_the_second_process_is_told_who_holds_it(folder: SweepFolder) -> None:
    with held(folder) as process:
        with pytest.raises(SweepBusy) as caught, SweepLock(folder):
            pass
        # Only a process of another host's can be overruled.
        with pytest.raises(SweepBusy), SweepLock(folder, force=True):
            pass
    assert caught.value.exit_code == 3
    text = str(caught.value)
    assert f"process {process.pid} on {socket.gethostname()} since 20" in text
    assert "'dense'" in text
    assert "sweep leaderboard" in text
    with SweepLock(folder) as lock:
        assert lock.taken_over is None


def test_the_lock_of_a_killed_process_is_taken_over(folder: SweepFolder) -> None:
    pid = killed(folder)
    assert read_owner(folder) is not None
    with SweepLock(folder) as lock:
        assert lock.taken_over.pid == pid
        assert getattr(read_owner(folder), "pid", None) == os.getpid()


@pytest.mark.posix
@pytest.mark.parametrize("removed", [["lock"], ["lock.json"], ["lock", "lock.json"]], ids=str)
def test_a_removed_file_lets_no_second_process_in(folder: SweepFolder, removed: list[str]) -> None:
    with held(folder):
        for name in removed:
            (folder.path / name).unlink()
        for force in (False, True):
            with pytest.raises(SweepBusy, match="runs in"), SweepLock(folder, force=force):
                pass
    with SweepLock(folder) as lock:
        assert lock.taken_over is None


def test_the_lock_file_that_another_host_holds_is_not_taken_by_force_either(folder: SweepFolder) -> None:
    with FileLock(folder.lock), pytest.raises(SweepBusy), SweepLock(folder, force=True):
        pass
    with SweepLock(folder) as lock:
        assert lock.taken_over is None


def test_a_note_says_whether_its_process_still_lives(folder: SweepFolder) -> None:
    with held(folder) as process:
        assert getattr(living_owner(folder), "pid", None) == process.pid
    killed(folder)
    assert read_owner(folder) is not None
    assert living_owner(folder) is None
    note = json.loads(folder.owner.read_text())
    folder.owner.write_text(json.dumps({**note, "pid": os.getpid()}))  # a later process of its number
    assert living_owner(folder) is None
    folder.owner.write_text(json.dumps({**note, "host": "elsewhere"}))
    assert living_owner(folder) is not None


def test_the_lock_of_another_host_is_taken_only_by_force(folder: SweepFolder) -> None:
    note = {"pid": 1234, "host": "elsewhere", "since": "2026-01-31T12:00:00+01:00", "command": "sweep run dense.yaml"}
    folder.owner.write_text(json.dumps(note))
    with (
        pytest.raises(SweepBusy, match=r"process 1234 on elsewhere since 2026-01-31 12:00.*--force"),
        SweepLock(folder),
    ):
        pass
    assert json.loads(folder.owner.read_text()) == note
    with SweepLock(folder, force=True) as lock:
        assert lock.taken_over == Owner(**note)  # type: ignore[arg-type]
    assert not folder.owner.exists()


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe\x00",
        b"[" * 4000,
        b'{"pid": "12", "host": "a", "since": "b", "command": "c"}',
        b'{"pid": 12, "host": null, "since": "b", "command": "c"}',
        b'{"pid": 12, "host": "a", "since": "b", "command": "' + b"x" * 10**6 + b'"}',
    ],
)
def test_a_note_that_makes_no_sense_is_no_obstacle(folder: SweepFolder, note: bytes) -> None:
    folder.owner.write_bytes(note)
    with SweepLock(folder) as lock:
        assert lock.taken_over is None
        folder.owner.write_bytes(note)
        with pytest.raises(SweepBusy, match="runs in another process"), SweepLock(folder):
            pass


def test_a_note_can_not_write_to_the_terminal(folder: SweepFolder) -> None:
    folder.owner.write_text(json.dumps({"pid": 9, "host": "\x1b[2J", "since": "a\nb", "command": "\x07"}))
    assert read_owner(folder) == Owner(9, "?[2J", "a?b", "?")


def test_a_lock_can_be_taken_again(folder: SweepFolder) -> None:
    lock = SweepLock(folder)
    for _ in range(2):
        with lock:
            assert lock.taken_over is None
            assert getattr(read_owner(folder), "pid", None) == os.getpid()
            with pytest.raises(SweepBusy), SweepLock(folder):
                pass
        assert not folder.owner.exists()


@pytest.mark.posix
def test_a_reader_that_holds_the_lock_for_a_moment_is_waited_for(folder: SweepFolder) -> None:
    import fcntl

    descriptor = os.open(folder.path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    timer = threading.Timer(0.1, os.close, [descriptor])
    timer.start()
    with SweepLock(folder) as lock:
        assert lock.taken_over is None
    timer.join()


def test_of_many_processes_that_start_at_once_one_gets_it(folder: SweepFolder) -> None:
    tries = [holder(folder, stderr=subprocess.PIPE) for _ in range(6)]
    losers = []
    while len(losers) < 5:  # the winner waits for its standard input, the others end by themselves
        losers = [process for process in tries if process.poll() is not None]
    (winner,) = [process for process in tries if process not in losers]
    assert winner.communicate("")[0] == "held\n"
    for process in losers:
        assert "SweepBusy" in process.communicate()[1]


def test_a_fresh_sweep_takes_the_lock_of_the_new_folder(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    with SweepLock(folder) as lock:
        moved = lock.move_aside()
        assert moved.name == "dense~1"
        assert not folder.exists()
        owner = read_owner(folder)
        assert owner.pid == os.getpid()
        assert read_owner(moved) is None
        with pytest.raises(SweepBusy), SweepLock(folder):
            pass
    assert not folder.owner.exists()
    assert len(RecordedSweep.read(moved).results) == 12


@pytest.mark.posix
def test_releasing_the_lock_of_a_folder_moved_away_leaves_the_new_ones_note(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    old = ExitStack()
    old.enter_context(SweepLock(folder))
    set_aside(folder.path)
    with SweepLock(folder):
        old.close()
        assert read_owner(folder) is not None
        with pytest.raises(SweepBusy), SweepLock(folder):
            pass
