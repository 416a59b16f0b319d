"""What a worker is told of a sweep and makes of it, and what becomes of calls that do not come back."""

import os
import pickle
import socket
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import replace
from threading import Lock
from typing import Any

import cloudpickle
import pytest

from keras_sweep.data.catalog import load_search_data
from keras_sweep.errors import SweepError, UsageError
from keras_sweep.process.backend import get_versions
from keras_sweep.space.data_spec import Split
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.training import build_trial
from keras_sweep.training.workers import task as module
from keras_sweep.training.workers.pool import ExecutorPool, Pool
from keras_sweep.training.workers.task import Client, Task, are_variants, describe_line
from tests.helpers.factory import make_spec

SPEC = make_spec()
DATA = load_search_data(SPEC)


class Watched(ExecutorPool):
    """A thread's, of which it is kept what was asked of them."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        super().__init__(pool)
        self.counts: list[int | None] = [1]
        self.asked: list[Any] = []

    def count(self) -> int | None:
        return self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]

    def spread(self, payload: bytes) -> Any:
        self.asked.append("spread")
        return payload

    def renew(self) -> None:
        self.asked.append("renew")


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr(build_trial, "others_draw", False)
    monkeypatch.setattr(module, "_open", {})
    with ThreadPoolExecutor(1) as pool:
        yield Watched(pool)


def shared(workers: Pool, notice: Any = pytest.fail, spec: Any = SPEC) -> Client:
    return Client(workers, spec, DATA, notice)


def told(sweep: Client) -> Task:
    found: Task = pickle.loads(pickle.loads(sweep._payload)[1])
    return found


def alter(sweep: Client, **changes: Any) -> None:
    backend, pickled = pickle.loads(sweep._payload)
    sweep._payload = pickle.dumps((backend, cloudpickle.dumps(replace(pickle.loads(pickled), **changes))))


def rows_of(worker: Task, more: int = 0) -> tuple[int, int]:
    return len(worker.data.train), len(worker.data.validation) + more


def test_a_worker_reads_the_rows_once_and_calls_with_them(workers: Watched) -> None:
    sweep = shared(workers)
    rows = len(DATA.train), len(DATA.validation)
    assert sweep.submit(rows_of).result() == rows
    assert sweep.submit(rows_of, 5).result() == (rows[0], rows[1] + 5)
    (opened,) = module._open.values()
    assert workers.asked == ["spread"]  # once, for all calls
    assert sweep.look(lambda: 7) == [7] and list(module._open.values()) == [opened]
    assert build_trial.others_draw  # its process is another program's, too


def test_a_worker_of_all_rows_trains_on_both_parts(workers: Watched) -> None:
    data = replace(DATA, validation=DATA.train)
    assert told(Client(workers, SPEC, data, pytest.fail)).is_whole
    assert not told(shared(workers)).is_whole
    in_folds = replace(data, folds=(1,))  # type: ignore[arg-type]
    assert not told(Client(workers, SPEC, in_folds, pytest.fail)).is_whole


def test_another_sweep_takes_the_place_of_the_last_and_a_variant_stands_beside_it(workers: Watched) -> None:
    first, other = shared(workers), shared(workers, spec=replace(SPEC, name="other"))
    variant = replace(SPEC, data=replace(SPEC.data, split=Split(validation=0.3)))
    assert are_variants(SPEC, variant) and not are_variants(SPEC, SPEC)
    assert not are_variants(SPEC, replace(variant, name="other"))
    first.submit(rows_of).result()
    assert list(module._open) == [first._key]
    other.submit(rows_of).result()
    assert list(module._open) == [other._key]
    of_variant = shared(workers, spec=replace(variant, name="other"))
    alter(of_variant, fingerprint=load_search_data(variant).fingerprint)
    of_variant.submit(rows_of).result()
    assert set(module._open) == {other._key, of_variant._key}


@pytest.mark.parametrize("name", ["keras", "numpy", "keras-sweep", "jax"])
def test_a_worker_with_another_version_says_which_and_where_it_runs(workers: Watched, name: str) -> None:
    sweep, here = shared(workers), get_versions()
    alter(sweep, versions={**here, name: "0.1", "optuna": "0.1"})  # on that nothing depends
    where = f"worker {socket.gethostname()}:{os.getpid()}: "
    with pytest.raises(SweepError) as raised:
        sweep.look(rows_of)  # type: ignore[arg-type]
    assert raised.value.message == f"{where}it has {name} {here[name]}, but the sweep uses {name} 0.1"
    assert raised.value.hint == "Install the same packages on the worker: other versions change numbers"
    assert type(raised.value) is SweepError


def test_other_data_and_a_model_that_is_not_there_are_said(workers: Watched) -> None:
    sweep = shared(workers)
    alter(sweep, fingerprint="other")
    with pytest.raises(SweepError, match="the worker's data differ from the sweep's"):
        sweep.look(lambda: 1)
    spec = replace(SPEC, model=ModelSpec("python", "nowhere:build"))
    with pytest.raises(SweepError, match="nowhere"):
        shared(workers, spec=spec).look(lambda: 1)


def test_what_a_worker_makes_it_makes_once(workers: Watched) -> None:
    def programs(worker: Task) -> Any:
        return worker.get_programs(lambda spec, data: (spec.name, len(data.train))), worker.get_programs(pytest.fail)

    assert shared(workers).submit(programs).result() == (("digits", len(DATA.train)),) * 2


def test_a_worker_looks_at_the_flag_again_only_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, moments = [False, True, False], iter([100.0, 100.0, 100.19, 100.21, 100.21, 100.22, 100.5, 100.5])
    worker = Task(SPEC, {}, {}, False, {}, "", "jax", {}, {}, lambda: looks.pop(0), True)
    worker._looked, worker._stops = 0.0, False
    monkeypatch.setattr(module.time, "monotonic", lambda: next(moments))
    assert [worker.stopping() for _ in range(5)] == [False, False, True, True, False] and looks == []


def test_what_cant_be_pickled_is_said(workers: Watched) -> None:
    workers.stop_flag = lambda: Lock().locked  # type: ignore[method-assign]
    with pytest.raises(UsageError, match="the model or the data can't be sent to workers: TypeError: cannot pickle"):
        shared(workers)


def test_what_is_lost_is_asked_for_again_twice(workers: Watched) -> None:
    heard: list[str] = []
    sweep = shared(workers, heard.append)
    sweep.submit(rows_of).result()
    sweep.mark_lost("train trial 3", OSError("gone"))
    sweep.submit(rows_of).result()
    assert workers.asked == ["spread", "renew", "spread"]  # whoever is new has nothing
    sweep.mark_lost("train trial 4", CancelledError())
    sweep.mark_lost("train trial 3", ChildProcessError("it was killed"))
    assert heard == [
        "workers train trial 3 again: OSError: gone",
        "workers train trial 4 again: the connection to the workers was lost",
        "workers train trial 3 again: it was killed",
    ]
    with pytest.raises(SweepError, match="workers failed 3 times to train trial 3: its disk is full") as raised:
        sweep.mark_lost("train trial 3", SweepError("its disk is full"))
    assert "the same command resumes" in str(raised.value.hint)
    assert workers.asked.count("renew") == 3


def test_a_look_that_is_lost_is_taken_again_and_workers_are_waited_for(
    workers: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(module.time, "sleep", slept.append)
    heard: list[str] = []
    sweep, tries = shared(workers, heard.append), [OSError("gone"), None]
    workers.counts = [0, None]

    def on_each(*_: Any) -> list[Any]:
        if (error := tries.pop(0)) is not None:
            raise error
        return ["seen"]

    workers.on_each = on_each  # type: ignore[method-assign]
    assert sweep.look(lambda: 1) == ["seen"]
    assert heard == [
        "the executor has no worker yet; the search begins when a worker connects",
        "workers read the data again: OSError: gone",
    ]
    assert slept == [module.LOOK_SECONDS]


def test_where_nobody_can_be_asked_the_future_fails(workers: Watched) -> None:
    workers._executor.shutdown()
    assert isinstance(shared(workers).submit(rows_of).exception(), RuntimeError)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (CancelledError(), "the connection to the workers was lost"),
        (CancelledError("by hand"), "CancelledError: by hand"),
        (ValueError("two\n  lines"), "ValueError: two lines"),
        (SweepError("its own", hint="Do"), "its own. Do"),
        (ChildProcessError("ended"), "ended"),
        (ValueError("x" * 400), "ValueError: " + "x" * 288),
    ],
)
def test_an_error_is_said_in_a_line(error: BaseException, line: str) -> None:
    assert describe_line(error) == line


def test_a_worker_with_other_settings_that_move_numbers_is_refused(
    workers: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = told(shared(workers))
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    words = "its settings differ from the sweep's: XLA_FLAGS: none -> --xla_cpu_enable_fast_math=true"
    with pytest.raises(UsageError, match=words):
        worker.open()
