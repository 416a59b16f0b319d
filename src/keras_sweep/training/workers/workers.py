"""Who trains beside this process: an executor of `concurrent.futures`, and what must be known of its workers."""

from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from pkgutil import resolve_name
from typing import Any

from keras_sweep.errors import UsageError

FORMS = "a number of processes, dask://HOST:PORT, ray://HOST:PORT, or ray for the cluster that runs here"


class Workers:
    """Workers of an executor that the user has made. Kinds that this package knows derive from it."""

    name = "the executor"  # what messages call them
    are_alone = False  # whether their processes are of this package's making

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have a worker call a function of a module. Raises anything where nobody can be asked."""
        return self._executor.submit(function, *arguments)

    def on_each(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """What every worker that is known, and at least one, gives for it. Raises what one of them raises."""
        return [self.submit(function, *arguments).result()]

    def count(self) -> int | None:
        """How many there are now, each of which trains one thing at a time; None where nobody says."""
        return None

    def spread(self, payload: bytes) -> Any:
        """What to give `submit` in place of bytes that every call needs: they are sent once a worker."""
        return payload

    def stop_flag(self) -> Callable[[], bool]:
        """What a worker asks after every epoch: whether it is to stop there. It can be pickled."""
        return never

    def stop(self, *, now: bool) -> None:
        """Set or clear what `stop_flag` reads."""

    def renew(self) -> None:
        """Open again what was lost. Raises SweepError where that can't be."""

    def close(self) -> None:
        """Let go of the workers; those that this process began end."""


def never() -> bool:
    """The flag of workers that can't be told: they end with their segment."""
    return False


def error_of(future: Future[Any]) -> BaseException | None:
    """Why a call that has ended did not come back; None where it did."""
    return CancelledError() if future.cancelled() else future.exception()


KINDS = {
    "dask": "keras_sweep.training.workers.dask_cluster:DaskCluster",
    "ray": "keras_sweep.training.workers.ray_cluster:RayCluster",
    "": "keras_sweep.training.workers.processes:Processes",
}


def workers_of(wanted: str | int | Executor | None) -> Callable[[], Workers] | None:
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
        return lambda: Workers(wanted)
    text = str(wanted).strip()
    kind, _, address = text.partition("://")
    if text.isdecimal() and int(text) >= 1:
        kind, address = "", text
    elif not (text == "ray" or (kind in KINDS and address)):
        raise UsageError(f"`--workers` must be {FORMS}, but got {text!r}", hint="For example `--workers 4`")
    return lambda: resolve_name(KINDS[kind])(address)
