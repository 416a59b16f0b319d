"""Pools of workers, which train beside this process: the protocol, the pool of an executor, and `--workers`."""

from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from pkgutil import resolve_name
from typing import Any, Protocol

from keras_sweep.errors import UsageError

FORMS = "a number of processes, dask://HOST:PORT, ray://HOST:PORT, or ray for the cluster that runs here"


class Pool(Protocol):
    """Workers, however many. A pool that derives from this class needs `name` and `submit`."""

    name: str  # what messages call the workers
    are_alone: bool = False  # whether this package has made their processes

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have a worker call a function of a module. Raises anything if no worker can be asked."""

    def on_each(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Return what every known worker, and at least one, returns. Raises what a worker raises."""
        return [self.submit(function, *arguments).result()]

    def count(self) -> int | None:
        """How many workers there are now; None if that is unknown. A worker trains one thing at a time."""
        return None

    def spread(self, payload: bytes) -> Any:
        """What to give `submit` in place of bytes that every call needs: they are sent once a worker."""
        return payload

    def stop_flag(self) -> Callable[[], bool]:
        """What a worker asks after every epoch: whether it is to stop there. It can be pickled."""
        return never_stop

    def stop(self, *, now: bool) -> None:
        """Set or clear what `stop_flag` reads."""
        del now

    def renew(self) -> None:
        """Open again what was lost. Raises SweepError if that can't be done."""
        return

    def close(self) -> None:
        """Let go of the workers; those that this process began end."""
        return


class ExecutorPool(Pool):
    """The workers of an executor of `concurrent.futures` that the user has made."""

    name = "the executor"

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        return self._executor.submit(function, *arguments)


def never_stop() -> bool:
    """The flag of workers that can't be told: they end with their segment."""
    return False


def error_of(future: Future[Any]) -> BaseException | None:
    """Why a call that has ended did not come back; None where it did."""
    return CancelledError() if future.cancelled() else future.exception()


KINDS = {
    "dask": "keras_sweep.training.workers.clusters:DaskCluster",
    "ray": "keras_sweep.training.workers.clusters:RayCluster",
    "": "keras_sweep.training.workers.processes:ProcessPool",
}


def workers_of(wanted: str | int | Executor | None) -> Callable[[], Pool] | None:
    """What opens the workers of `--workers`; None: all is trained in this process.

    It raises MissingPackage, and SweepError: the cluster does not answer. Raises UsageError: there is no such kind.
    """
    if wanted is None:
        return None
    if isinstance(wanted, ThreadPoolExecutor):
        raise UsageError("threads of this process are no workers", hint="It trains on all cores without `workers`")
    context = getattr(wanted, "_mp_context", None)  # of a `ProcessPoolExecutor`; nothing public says how it begins them
    if context is not None and context.get_start_method() == "fork":
        hint = "Make it with `mp_context=multiprocessing.get_context('spawn')`, or give a number"
        raise UsageError("processes that are forked from this one stand still, since Keras has threads here", hint=hint)
    if isinstance(wanted, Executor):
        return lambda: ExecutorPool(wanted)
    text = str(wanted).strip()
    kind, _, address = text.partition("://")
    if text.isdecimal() and int(text) >= 1:
        kind, address = "", text
    elif not (text == "ray" or (kind in KINDS and address)):
        raise UsageError(f"`--workers` must be {FORMS}, but got {text!r}", hint="For example `--workers 4`")
    return lambda: resolve_name(KINDS[kind])(address)
