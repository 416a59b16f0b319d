"""Pools of workers, which train in parallel to this process: the protocol, executor pools, and `--workers`."""

from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from pkgutil import resolve_name
from typing import Any, Protocol

from keras_sweep.errors import UsageError

FORMS = "a number of processes, dask://HOST:PORT, ray://HOST:PORT, or ray for the cluster on this machine"


class Pool(Protocol):
    """A pool of workers. A subclass must define `name` and `submit`; the other members have defaults."""

    name: str  # for messages
    are_alone: bool = False  # whether this package started their processes
    backend: str = ""  # of Keras in the workers; "": the backend of this process
    note: str | None = None  # for the user

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Let a worker call a function that a module defines. Raises any error if no worker can be reached."""

    def on_each(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Call the function on every worker. Return all results. If workers can't be listed, use a single worker."""
        return [self.submit(function, *arguments).result()]

    def count(self) -> int | None:
        """Return the number of workers, or None if it is unknown. A worker runs one call at a time."""
        return None

    def spread(self, payload: bytes) -> Any:
        """Send `payload` to each worker once. Return the argument that replaces `payload` in calls of `submit`."""
        return payload

    def stop_flag(self) -> Callable[[], bool]:
        """Return a picklable function that workers call after every epoch. Workers stop training if it returns True."""
        return bool  # It returns False: without a flag that reaches them early, workers stop after a segment.

    def stop(self, *, now: bool) -> None:
        """Set the stop flag if `now`, otherwise clear the flag."""
        del now

    def renew(self) -> None:
        """Restore a lost connection. Raises SweepError if that fails."""
        return

    def close(self) -> None:
        """Release the workers, and end the processes that this process started."""
        return


class ExecutorPool(Pool):
    """The workers of a `concurrent.futures` executor that the user created."""

    name = "the executor"

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        return self._executor.submit(function, *arguments)


def error_of(future: Future[Any]) -> BaseException | None:
    """Return the exception of a finished future, CancelledError if cancelled; None if the call succeeded."""
    return CancelledError() if future.cancelled() else future.exception()


KINDS = {
    "dask": "keras_sweep.training.workers.clusters:DaskCluster",
    "ray": "keras_sweep.training.workers.clusters:RayCluster",
    "": "keras_sweep.training.workers.processes:ProcessPool",
}


def workers_of(workers: str | int | Executor | None) -> Callable[[], Pool] | None:
    """Return a function that opens the pool of the option `--workers`; None if this process trains everything.

    Raises UsageError for a wrong value. The returned function raises MissingPackage, or SweepError without a cluster.
    """
    if workers is None:
        return None
    if isinstance(workers, ThreadPoolExecutor):
        raise UsageError("`--workers` can't be a thread pool", hint="Leave it out: this process uses all cores")
    context = getattr(workers, "_mp_context", None)  # private: nothing public tells the start method
    if context is not None and context.get_start_method() == "fork":
        raise UsageError(
            "forked worker processes would deadlock: Keras runs threads in this process",
            hint="Create the pool with `mp_context=multiprocessing.get_context('spawn')`, or give a number",
        )
    if isinstance(workers, Executor):
        return lambda: ExecutorPool(workers)
    text = str(workers).strip()
    kind, _, address = text.partition("://")
    if text.isdecimal() and int(text) >= 1:
        kind, address = "", text
    elif not (text == "ray" or (kind in KINDS and address)):
        raise UsageError(f"`--workers` must be {FORMS}, but got {text!r}", hint="For example `--workers 4`")
    return lambda: resolve_name(KINDS[kind])(address)
