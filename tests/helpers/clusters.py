"""Workers for tests: processes, an executor, and a small Dask cluster on loopback.

Those that the user starts are forked from one process that has imported what they need, as seldom as that may be.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from multiprocessing.forkserver import ensure_running
from typing import Any

from keras_sweep.training.workers.pool import Pool, workers_of

IMPORTED = ["distributed", "keras", "keras_sweep.training.lanes.runner", "keras_sweep.training.workers.task"]


@cache
def forks() -> ForkServerContext:
    """One for all tests of the process: Dask, which would have it import other packages, finds it running."""
    context = get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    ensure_running()
    return context


@contextmanager
def dask_cluster(count: int = 2) -> Iterator[Any]:
    import dask
    from distributed import LocalCluster

    forks()
    with (
        dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}),
        LocalCluster(
            n_workers=count, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=50
        ) as cluster,
    ):
        yield cluster


def address_of(cluster: Any) -> str:
    return f"dask://{cluster.scheduler_address.removeprefix('tcp://')}"


@contextmanager
def processes() -> Iterator[Callable[[], Pool] | None]:
    yield workers_of(2)


@contextmanager
def executor() -> Iterator[Callable[[], Pool] | None]:
    with ProcessPoolExecutor(2, mp_context=forks()) as pool:
        yield workers_of(pool)


@contextmanager
def dask() -> Iterator[Callable[[], Pool] | None]:
    with dask_cluster() as cluster:
        yield workers_of(address_of(cluster))


KINDS = {"processes": processes, "executor": executor, "dask": dask}
