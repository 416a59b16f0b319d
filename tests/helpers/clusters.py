"""Workers for tests: processes, an executor, and a small Dask cluster on loopback."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from keras_sweep.training.workers.workers import Workers, workers_of


@contextmanager
def dask_cluster(count: int = 2) -> Iterator[Any]:
    """A cluster of so many processes, which ends with the test."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=count, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:
        yield cluster


def address_of(cluster: Any) -> str:
    """As `--workers` takes it."""
    return f"dask://{cluster.scheduler_address.removeprefix('tcp://')}"


@contextmanager
def processes() -> Iterator[Callable[[], Workers] | None]:
    yield workers_of(2)


@contextmanager
def executor() -> Iterator[Callable[[], Workers] | None]:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield workers_of(pool)


@contextmanager
def dask() -> Iterator[Callable[[], Workers] | None]:
    with dask_cluster() as cluster:
        yield workers_of(address_of(cluster))


KINDS = {"processes": processes, "executor": executor, "dask": dask}
