"""What differs between systems about processes: signals, priorities, cores, and the streams of C libraries."""

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# What a user or a shell sends to end a program. Windows has Ctrl-Break, also for a closed window, in place of SIGHUP.
_NAMES = "SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"
SIGNALS: tuple[signal.Signals, ...] = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))


def ignore_keys() -> None:
    """Ignore Ctrl-C and Ctrl-Break: the terminal sends them to the workers of a command, too."""
    for name in ("SIGINT", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


@contextlib.contextmanager
def delay_interrupt() -> Iterator[None]:
    """Delay KeyboardInterrupt to the end of the block, since a half imported NumPy can't be imported again."""
    usual, came = signal.default_int_handler, list[int]()
    with contextlib.ExitStack() as stack:
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is usual:
            signal.signal(signal.SIGINT, lambda number, _: came.append(number))
            stack.callback(signal.signal, signal.SIGINT, usual)
        try:
            yield
        finally:
            if came:
                raise KeyboardInterrupt


def is_running(process: int) -> bool:
    """Check whether there is a process of this number, of any user."""
    import psutil

    with contextlib.suppress(OverflowError):  # no process number
        return bool(psutil.pid_exists(process))
    return True


def call_in_forks(function: Callable[[], object]) -> None:
    """Call the function at the start of each process that is forked from this process. Windows has no fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=function)


def list_cores() -> list[int]:
    """List the cores that this process may use, by number. If the system has no CPU affinity, list all cores."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [*range(os.cpu_count() or 1)]


def list_gpus() -> list[str]:
    """List the NVIDIA GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them. Linux has a list of them."""
    every = ",".join(str(index) for index, _ in enumerate(Path("/proc/driver/nvidia/gpus").glob("*")))
    return [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", every).split(",") if name.strip()]


def pin_process(cores: list[int]) -> None:
    """Run this process on these cores alone, as a batch job, if the system can: Linux, and a sandbox may refuse."""
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setaffinity(0, cores)
        # Otherwise TensorFlow's threads wake after an epoch and take the core too early. It then idles for up to 0.3 s.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def end_with_parent(parent: int, folder: Path) -> None:
    """Start a thread that ends this process and removes `folder` once the process `parent` is gone."""
    import shutil

    import psutil

    def watch() -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(parent)
            # On Windows the number of the parent stays when the parent is gone. A new process may get the number.
            while os.getppid() == parent and process.is_running():
                time.sleep(1.0)
        shutil.rmtree(folder, ignore_errors=True)  # a parent that ends normally does this
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def limit_process(seconds: float, memory: int = -1) -> None:
    """End this process after `seconds`, and let it have at most `memory` bytes (-1: any), where systems can."""
    timer = threading.Timer(seconds, os._exit, (1,))
    timer.daemon = True
    timer.start()
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows, or a lower limit that can't be raised
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def count_memory_kills() -> int:
    """Return how many processes this system has killed to free memory. 0 if the system does not count them."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text(encoding="utf-8").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def can_write(descriptor: int) -> bool:
    """Check whether a write would not wait, as for a full pipe. Windows can't tell: assume that it would not."""
    return not hasattr(select, "poll") or bool(select.select([], [descriptor], [], 0)[1])


def flush_c_streams() -> None:
    """Write out what C libraries have printed so far."""
    import ctypes

    with contextlib.suppress(OSError):
        ctypes.CDLL(None if hasattr(select, "poll") else "ucrtbase").fflush(None)
