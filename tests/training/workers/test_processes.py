"""Processes of this machine: what they keep to, how they are called, and that one that ends is begun again."""

import copy
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from loky.process_executor import _ExecutorManagerThread

from keras_sweep.errors import DataError, TableError
from keras_sweep.system.processes import list_cores
from keras_sweep.training.workers import processes as module
from keras_sweep.training.workers.processes import PoolProcess, ProcessPool
from tests.helpers.long_sweep import wait_for


@pytest.fixture(scope="module")
def two() -> Iterator[ProcessPool]:
    """Two, which do not import Keras first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "keras_config", os.getpid)
        found = ProcessPool("2")
    yield found
    found.close()


def test_each_has_a_share_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "list_cores", lambda: [0, 2, 4])
    asked: list[Any] = []
    monkeypatch.setattr(ProcessPool, "submit", lambda self, function: asked.append(function))
    for count, shares in ((1, [[0, 2, 4]]), (2, [[0, 4], [2]]), (5, [[0], [2], [4], [0], [2]])):
        found = ProcessPool(str(count))
        idle = [found._idle.get() for _ in range(count)]
        assert [one._cores for one in idle] == shares
        assert [one._file.name for one in idle] == [f"call-{place}" for place in range(count)]
        assert (found.count(), found.name, found.are_alone) == (count, f"the processes of `--workers {count}`", True)
        found._folder.cleanup()
    assert asked == [module.keras_config] * 8


def test_each_sees_one_of_the_gpus_that_the_user_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "keras_config", os.getpid)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, 2,7")
    pool = ProcessPool("2")
    try:
        assert sorted(pool.on_each(os.getenv, "CUDA_VISIBLE_DEVICES")) == ["2", "4"]
        assert pool.note == "each worker uses one of 3 GPUs: 4, 2"
    finally:
        pool.close()


def test_more_workers_than_gpus_share_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProcessPool, "submit", lambda self, function: None)
    for visible, gpus, note in (
        ("0,1", ["0", "1", "0"], "each worker uses one of 2 GPUs: 0, 1"),
        ("3", ["3", "3", "3"], None),
        ("", [None, None, None], None),
    ):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        pool = ProcessPool("3")
        idle = [pool._idle.get() for _ in range(3)]
        assert [process._env.get("CUDA_VISIBLE_DEVICES") for process in idle] == gpus
        assert pool.note == note
        pool._folder.cleanup()


def about() -> dict[str, Any]:
    """What a process keeps to."""
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "cores": os.sched_getaffinity(0),
        "policy": os.sched_getscheduler(0),
        "interrupt": signal.getsignal(signal.SIGINT),
        "out": (os.fstat(1).st_dev, os.fstat(1).st_ino) == (os.fstat(2).st_dev, os.fstat(2).st_ino),
        "watching": [one.daemon for one in threading.enumerate() if one.name == "end-with-parent"],
        "memory": os.environ["LOKY_MAX_MEMORY_LEAK_SIZE"],
    }


@pytest.mark.posix
def test_a_process_keeps_to_its_cores_and_leaves_interrupts_and_the_answer_to_its_parent(two: ProcessPool) -> None:
    found = two.on_each(about)
    here = list_cores()
    expected = [set(here[place::2] or here[:1]) for place in range(2)]
    assert sorted(map(sorted, (one["cores"] for one in found))) == sorted(map(sorted, expected))
    for one in found:
        assert one["pid"] != os.getpid() == one["parent"]
        assert (one["policy"], one["interrupt"]) == (os.SCHED_BATCH, signal.SIG_IGN)
        assert (one["out"], one["watching"], one["memory"]) == (True, [True], "1e18")


def test_each_is_called_once_with_the_arguments_and_what_it_raises_comes_back(two: ProcessPool) -> None:
    assert len({*two.on_each(os.getpid)}) == two.count() == 2
    assert two.on_each(pow, 2, 5) == [32, 32]
    assert two.submit(pow, 2, 3).result() == 8
    with pytest.raises(ZeroDivisionError):
        two.submit(divmod, 1, 0).result()
    with pytest.raises(ZeroDivisionError):
        two.on_each(divmod, 1, 0)
    assert {two.submit(os.getpid).result() for _ in range(3)} <= {*two.on_each(os.getpid)}


def test_the_flag_is_read_wherever_it_is_sent(two: ProcessPool) -> None:
    flag: Callable[[], bool] = pickle.loads(pickle.dumps(two.stop_flag()))
    for now in (True, True, False, False):
        two.stop(now=now)
        assert flag() is two.submit(flag).result() is now


def test_what_every_call_needs_stands_in_a_file_of_its_own(two: ProcessPool) -> None:
    assert [two.spread(text).read_bytes() for text in (b"rows", b"others")] == [b"rows", b"others"]


@pytest.mark.posix
def test_a_signal_while_a_process_starts_leaves_no_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    start, before = _ExecutorManagerThread.start, set(psutil.Process().children())

    def start_late(thread: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)  # meanwhile the main thread could raise
        start(thread)

    monkeypatch.setattr(_ExecutorManagerThread, "start", start_late)
    process = PoolProcess(list_cores()[:1], tmp_path / "call", {})
    with pytest.raises(KeyboardInterrupt):
        process.call(os.getpid)
    process.end()
    left = set(psutil.Process().children()) - before
    assert not [child for child in left if "resource_tracker" not in " ".join(child.cmdline())]


def end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_one_that_is_killed_is_begun_again_beside_the_other(two: ProcessPool) -> None:
    before = {*two.on_each(os.getpid)}
    with pytest.raises(ChildProcessError, match="a worker process ended: it was killed or ran out of memory"):
        two.submit(end).result()
    assert len(before & {*two.on_each(os.getpid)}) == 1


def test_closed_they_end_and_leave_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "keras_config", os.getpid)
    found = ProcessPool("1")
    process, folder = found.submit(os.getpid).result(), Path(found._folder.name)
    waiting = [found.submit(time.sleep, 0.01) for _ in range(20)]
    found.close()
    wait_for(lambda: not Path(f"/proc/{process}").exists())
    assert not folder.exists() and any(one.cancelled() for one in waiting)


def test_an_error_of_a_table_comes_back_from_a_process_as_it_is(two: ProcessPool) -> None:
    error = TableError(
        "rows.csv", [DataError("column 'age' is text", hint="Drop it")], "All of them", {"drop": ["age"]}
    )
    back = two.submit(copy.copy, error).result()
    assert (str(back), vars(back).keys(), back.place, back.options) == (
        str(error),
        vars(error).keys(),
        "rows.csv",
        error.options,
    )
