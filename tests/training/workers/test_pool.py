"""Who may be given as workers, and what is known of those of an executor."""

from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

from keras_sweep.errors import UsageError
from keras_sweep.training.workers.pool import ExecutorPool, error_of, workers_of


def test_processes_that_would_stand_still_and_threads_are_refused() -> None:
    with (
        ProcessPoolExecutor(1, get_context("fork")) as pool,
        pytest.raises(UsageError, match="forked worker processes would deadlock"),
    ):
        workers_of(pool)
    with ThreadPoolExecutor(1) as threads, pytest.raises(UsageError, match="`--workers` can't be a thread pool"):
        workers_of(threads)


@pytest.mark.parametrize(
    "wanted", ["0", "-1", "1.5", "many", "dask:", "dask://", "http://x:1", "ray:", "ray://", "rays", ""]
)
def test_what_names_no_workers_is_refused_with_all_that_do(wanted: str) -> None:
    says = "a number of processes, dask://HOST:PORT, ray://HOST:PORT, or ray for the cluster on this machine"
    with pytest.raises(UsageError, match=f"`--workers` must be {says}, but got {wanted!r}"):
        workers_of(wanted)


@pytest.mark.parametrize(
    ("wanted", "kind", "address"),
    [
        (2, "ProcessPool", "2"),
        (" 12 ", "ProcessPool", "12"),
        ("1", "ProcessPool", "1"),
        ("dask://10.0.0.1:8786", "DaskCluster", "10.0.0.1:8786"),
        ("ray", "RayCluster", ""),
        ("ray://host:10001", "RayCluster", "host:10001"),
    ],
)
def test_each_kind_is_opened_at_its_address(
    monkeypatch: pytest.MonkeyPatch, wanted: Any, kind: str, address: str
) -> None:
    module = "processes" if kind == "ProcessPool" else "clusters"
    monkeypatch.setattr(f"keras_sweep.training.workers.{module}.{kind}", lambda address: (kind, address))
    make = workers_of(wanted)
    assert make is not None and make() == (kind, address)


def test_an_executor_of_the_users_calls_and_nothing_more_is_known_of_it() -> None:
    with ProcessPoolExecutor(1, get_context("spawn")) as processes:
        assert workers_of(processes) is not None and workers_of(None) is None
    with ThreadPoolExecutor(1) as pool:
        workers = ExecutorPool(pool)
        assert workers.submit(pow, 2, 5).result() == 32
        assert workers.on_each(pow, 3, 2) == [9]
        assert workers.count() is None and workers.spread(b"rows") == b"rows"
        assert workers.stop_flag()() is False
        assert (workers.name, workers.are_alone) == ("the executor", False)
        workers.close()
        assert workers.submit(pow, 2, 2).result() == 4  # it is the user's to close


def test_why_a_call_did_not_come_back() -> None:
    done, failed, cancelled = Future[int](), Future[int](), Future[int]()
    done.set_result(1)
    failed.set_exception(OSError("gone"))
    cancelled.cancel()
    assert error_of(done) is None
    assert isinstance(error_of(failed), OSError) and isinstance(error_of(cancelled), CancelledError)
