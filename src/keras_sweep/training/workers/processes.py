"""Workers that are processes of this machine, each with its share of the cores."""

import os
import pickle
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cloudpickle
from loky import ProcessPoolExecutor

from keras_sweep.process.backend import keras_config
from keras_sweep.system.processes import (
    count_memory_kills,
    end_with_parent,
    ignore_keys,
    list_cores,
    list_gpus,
    pin_process,
)
from keras_sweep.training.workers.pool import ExecutorPool

# By default, loky restarts a process that has grown by 300 MB. Rows and programs take more.
WORKER_ENV = {"LOKY_MAX_MEMORY_LEAK_SIZE": "1e18"}  # bytes


class ProcessPool(ExecutorPool):
    """Worker processes, each with its own executor, so that a killed process loses only its own call.

    Processes start fresh, as with `spawn`, but do not import the user's script. If cores are few, processes share them.
    """

    are_alone = True

    def __init__(self, number: str, **env: str) -> None:  # variables of the processes, set before they import anything
        self.name, self.backend = f"the processes of `--workers {number}`", env.get("KERAS_BACKEND", "")
        self._count = count = int(number)
        # On Windows, a file stays as long as the worker that has it open takes to end.
        self._folder = TemporaryDirectory(prefix=f"keras-sweep-{os.getpid()}-", ignore_cleanup_errors=True)
        self._stop = Path(self._folder.name, "stop")
        all_cores, gpus = list_cores(), list_gpus()
        self.note = f"each worker uses one of {len(gpus)} GPUs: {', '.join(gpus[:count])}" if len(gpus) > 1 else None
        self._idle: queue.LifoQueue[PoolProcess] = queue.LifoQueue()  # last in, first out: a trial keeps its process
        for index in reversed(range(count)):
            own_cores = all_cores[index::count] or all_cores[index % len(all_cores) :][:1]
            own_env = {**WORKER_ENV, **({"CUDA_VISIBLE_DEVICES": gpus[index % len(gpus)]} if gpus else {}), **env}
            self._idle.put(PoolProcess(own_cores, Path(self._folder.name, f"call-{index}"), own_env))
        super().__init__(ThreadPoolExecutor(count, thread_name_prefix="workers"))
        for _ in range(count):
            self.submit(keras_config)  # imports Keras in parallel to this process

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        return super().submit(self._call, function, *arguments)

    def count(self) -> int:
        return self._count

    def on_each(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        barrier = threading.Barrier(self._count)  # each process calls once
        call = partial(self._call, function, *arguments, barrier=barrier)
        try:
            return [future.result() for future in [self._executor.submit(call) for _ in range(self._count)]]
        except BaseException:  # after a signal, threads may wait for cancelled calls
            barrier.abort()
            raise

    def spread(self, payload: bytes) -> Any:
        path = Path(self._folder.name, f"payload-{time.monotonic_ns()}")
        write_call(path, payload)
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

    def _call(self, function: Callable[..., Any], *arguments: Any, barrier: threading.Barrier | None = None) -> Any:
        process = self._idle.get()
        try:
            if barrier is not None:
                barrier.wait()
            return process.call(function, *arguments)
        finally:
            self._idle.put(process)


class PoolProcess:
    """A process that starts at the first call, and starts again if the process has ended.

    Calls and results pass through a file. The pipe carries only the file's path, in a single write: a process killed
    between two writes would leave the reader waiting forever.
    """

    def __init__(self, own_cores: list[int], file: Path, env: Mapping[str, str]) -> None:
        self._cores, self._file, self._env = own_cores, file, env
        self._pool: Any = None

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call the function in the process. Raises ChildProcessError if the process was killed or ended, MemoryError if
        the system killed it because memory was short."""
        kills = count_memory_kills()
        if self._pool is None:
            initargs = os.getpid(), self._file.parent, self._cores
            self._pool = ProcessPoolExecutor(1, initializer=start_process, initargs=initargs, env=self._env)
        write_call(self._file, cloudpickle.dumps((function, arguments)))
        try:
            with ThreadPoolExecutor(1) as thread:  # a signal, raised in the main thread, can't cut loky's start in two
                future = thread.submit(self._pool.submit, call_from_file, self._file).result()
            future.result()
            return pickle.loads(self._file.read_bytes())
        except BrokenExecutor as error:
            self.end()
            if count_memory_kills() > kills:
                raise MemoryError("the system killed the worker process, since memory was short") from error
            raise ChildProcessError("a worker process ended: it was killed or ran out of memory") from error

    def end(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(kill_workers=True)


def call_from_file(path: Path) -> None:
    """Call the function that is pickled in a file with its arguments, and write the result to the same file."""
    function, arguments = pickle.loads(path.read_bytes())
    write_call(path, cloudpickle.dumps(function(*arguments)))


def write_call(path: Path, content: bytes) -> None:
    """Write a file of the temporary folder. Raises OSError that names the file, also if the folder's disk is full."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def start_process(parent: int, folder: Path, own_cores: list[int]) -> None:
    """Set up a new process: pin it to `own_cores`, ignore Ctrl-C, end when process `parent` or `folder` is gone."""
    ignore_keys()
    os.dup2(2, 1)  # stdout is for the command's answer
    pin_process(own_cores)
    end_with_parent(parent, folder)
