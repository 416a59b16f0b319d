"""Workers that are processes of this machine, each on its share of the cores."""

import os
import pickle
import queue
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cloudpickle
from loky import ProcessPoolExecutor

from keras_sweep.process.backend import cores, keras_config
from keras_sweep.process.stop_request import end_with_parent
from keras_sweep.training.workers.pool import ExecutorPool

# Else loky begins a process anew that has grown by 300 MB, as by the rows and the programs that it keeps.
KEEP = {"LOKY_MAX_MEMORY_LEAK_SIZE": "1e18"}  # bytes


class ProcessPool(ExecutorPool):
    """So many processes, each in a pool of its own: one that is killed takes no other's work with it.

    They begin anew, as by `spawn`, but do not import the user's script, as that would.
    """

    are_alone = True

    def __init__(self, number: str) -> None:
        self.name = f"the processes of `--workers {number}`"
        self._count = count = int(number)
        self._folder = TemporaryDirectory(prefix=f"keras-sweep-{os.getpid()}-")
        self._stop = Path(self._folder.name, "stop")
        here = cores()
        self._idle: queue.LifoQueue[PoolProcess] = queue.LifoQueue()  # so that a trial goes on where its model is
        for place in reversed(range(count)):  # with more processes than cores some share one
            its_cores = here[place::count] or here[place % len(here) :][:1]
            self._idle.put(PoolProcess(its_cores, Path(self._folder.name, f"call-{place}")))
        super().__init__(ThreadPoolExecutor(count, thread_name_prefix="workers"))
        for _ in range(count):
            self.submit(keras_config)  # so that they import Keras beside this process

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        return super().submit(self._call, function, *arguments)

    def count(self) -> int:
        return self._count

    def on_each(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        together = threading.Barrier(self._count)  # so that none calls twice

        def call() -> Any:
            together.wait()
            return self._call(function, *arguments)

        try:
            return [future.result() for future in [self._executor.submit(call) for _ in range(self._count)]]
        except BaseException:  # a signal's, after which some may wait for others that are called off
            together.abort()
            raise

    def spread(self, payload: bytes) -> Any:
        path = Path(self._folder.name, f"payload-{time.monotonic_ns()}")
        path.write_bytes(payload)
        return path

    def stop_flag(self) -> Callable[[], bool]:
        return self._stop.exists

    def stop(self, *, now: bool) -> None:
        self._stop.touch() if now else self._stop.unlink(missing_ok=True)

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)
        for _ in range(self._count):
            self._idle.get().end()
        self._folder.cleanup()

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        process = self._idle.get()
        try:
            return process.call(function, *arguments)
        finally:
            self._idle.put(process)


class PoolProcess:
    """A process that is begun when it is first needed, and again where it ended.

    What is called and what comes back stand in a file: who reads a pipe waits for good, if the process that writes to
    it is killed half-way through a message. A path is written at one go.
    """

    def __init__(self, its_cores: list[int], file: Path) -> None:
        self._cores, self._file = its_cores, file
        self._pool: Any = None

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call it there. Raises ChildProcessError where the process ended."""
        if self._pool is None:
            about = os.getpid(), self._file.parent, self._cores
            self._pool = ProcessPoolExecutor(1, initializer=start_process, initargs=about, env=KEEP)
        self._file.write_bytes(cloudpickle.dumps((function, arguments)))
        try:
            self._pool.submit(call_from_file, self._file).result()
            return pickle.loads(self._file.read_bytes())
        except BrokenExecutor as error:
            self.end()
            raise ChildProcessError("a process of `--workers` ended: it was killed, or its memory ran out") from error

    def end(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(kill_workers=True)


def call_from_file(path: Path) -> None:
    """In a process that was begun: call what stands in a file, and leave there what comes back."""
    function, arguments = pickle.loads(path.read_bytes())
    path.write_bytes(cloudpickle.dumps(function(*arguments)))


def start_process(parent: int, folder: Path, its_cores: list[int]) -> None:
    """In a process that was begun: keep to these cores, leave Ctrl-C to the parent, end with it and its folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(2, 1)  # stdout carries the command's answer
    with suppress(AttributeError, OSError):  # of Linux alone, and a sandbox may refuse it
        os.sched_setaffinity(0, its_cores)
        # Else TensorFlow's threads, woken after an epoch, take the one core too soon, and it rests for up to 0.3 s.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    end_with_parent(parent, folder)
