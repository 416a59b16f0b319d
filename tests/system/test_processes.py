"""Signals, cores and parents, as the system has them."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from keras_sweep.system import processes
from tests.helpers.command import PATIENCE, process
from tests.helpers.long_sweep import wait_for

WATCHES = """
import os, sys, time
from pathlib import Path
from keras_sweep.system.processes import end_with_parent

parent, folder, stays = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "True"
if stays:
    os.getppid = lambda: parent
(folder / "watches").write_text(str(os.getpid()))
end_with_parent(parent, folder)
time.sleep(600)
"""
PARENT = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid()), *sys.argv[2:]])
time.sleep(600)
"""


@pytest.mark.parametrize("stays", [False, True], ids=["", "whose number stays"])
def test_a_process_ends_with_its_parent_and_removes_the_folder(tmp_path: Path, stays: bool) -> None:
    """On Windows `os.getppid` stays the number of a parent that is gone."""
    folder = tmp_path / "calls"
    folder.mkdir()
    parent = subprocess.Popen([sys.executable, "-c", PARENT, WATCHES, str(folder), str(stays)])
    try:
        wait_for(lambda: (folder / "watches").exists() and (folder / "watches").read_text() != "", parent)
        child = psutil.Process(int((folder / "watches").read_text()))
        time.sleep(1.5)  # it has looked once and goes on
        assert child.is_running()
    finally:
        parent.kill()
        parent.wait()
    wait_for(lambda: not folder.exists())
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_process_whose_parent_is_gone_at_its_start_ends_at_once(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / "calls").mkdir()
    command = [sys.executable, "-c", WATCHES, str(gone.pid), str(tmp_path / "calls"), "True"]
    assert subprocess.run(command, timeout=PATIENCE, stderr=subprocess.DEVNULL).returncode == 1
    assert not (tmp_path / "calls").exists()


def test_a_process_runs_until_it_has_ended() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert [processes.is_running(number) for number in (os.getpid(), ended.pid, 10**30)] == [True, False, True]


def test_cores_are_those_of_the_process_or_all_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    every = list(range(os.cpu_count() or 1))
    assert set(processes.list_cores()) <= set(every)
    for name in ("sched_getaffinity", "sched_setaffinity", "sched_setscheduler"):
        if name in vars(os):
            monkeypatch.delattr(os, name)  # as on macOS
    assert processes.list_cores() == every
    processes.pin_process([0])


def test_gpus_are_those_that_the_user_lists_or_all_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    for visible, gpus in (("1,0", ["1", "0"]), ("GPU-8a, GPU-3b", ["GPU-8a", "GPU-3b"]), ("", [])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert processes.list_gpus() == gpus
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(Path, "glob", lambda folder, pattern: [folder / "0000:01:00.0", folder / "0000:02:00.0"])
    assert processes.list_gpus() == ["0", "1"]


def test_keys_of_the_terminal_are_ignored_and_other_signals_are_not() -> None:
    former = {number: signal.getsignal(number) for number in processes.SIGNALS}
    try:
        for number in processes.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        processes.ignore_keys()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@pytest.mark.posix
def test_a_full_pipe_would_wait_for_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    assert processes.can_write(writer)
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, bytes(1 << 16))
    assert not processes.can_write(writer)
    monkeypatch.delattr(select, "poll")  # as on Windows
    assert processes.can_write(writer)
    os.close(reader)
    os.close(writer)


PRINTS = """
import ctypes, os
from keras_sweep.system.processes import flush_c_streams
ctypes.CDLL(None).puts(b"printed by C")
flush_c_streams()
os._exit(0)
"""


def test_what_c_libraries_printed_is_written_out(tmp_path: Path) -> None:
    assert process([sys.executable, "-c", PRINTS], tmp_path).ok().out == "printed by C\n"


@pytest.mark.posix
def test_a_function_is_called_in_forks(tmp_path: Path) -> None:
    code = (
        "import os\nfrom keras_sweep.system.processes import call_in_forks\n"
        "call_in_forks(lambda: print('forked', flush=True))\nif os.fork() == 0: os._exit(0)\nos.wait()"
    )
    assert process([sys.executable, "-c", code], tmp_path).ok().out == "forked\n"


@pytest.mark.posix
@pytest.mark.skipif(sys.platform != "linux", reason="other systems can't limit memory")
def test_a_process_gets_no_more_memory_than_its_limit(tmp_path: Path) -> None:
    code = (
        "from keras_sweep.system.processes import limit_process\nlimit_process(60, 1 << 30)\n"
        "try: bytes(1 << 31)\nexcept MemoryError: print('refused')"
    )
    assert process([sys.executable, "-c", code], tmp_path).ok().out == "refused\n"


def test_a_process_ends_after_its_time(tmp_path: Path) -> None:
    code = "import time\nfrom keras_sweep.system import processes\nprocesses.limit_process(0.1, 1 << 40)\ntime.sleep(9)"
    ended = process([sys.executable, "-c", code], tmp_path)
    assert (ended.code, ended.out, ended.err) == (1, "", "")
