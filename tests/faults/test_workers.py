"""Whoever trains, whatever befalls them: nothing is lost, and a sweep ends as one that this process trains alone."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import gettempdir
from threading import Lock, Thread, main_thread
from traceback import walk_stack
from typing import Any

import loky.process_executor
import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.data.catalog import load_search_data
from keras_sweep.errors import SweepError, UsageError
from keras_sweep.process.user_code import forget_edited_modules, load_python
from keras_sweep.process.user_objects import register_function
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.training.workers import task
from keras_sweep.training.workers.pool import ExecutorPool, Pool, workers_of
from tests.helpers.clusters import address_of, dask_cluster
from tests.helpers.command import PATIENCE, called, script, sweep
from tests.helpers.factory import make_spec
from tests.helpers.lane_trials import GENERATION, Watching, assert_same_bits, suggestions, train
from tests.helpers.long_sweep import Started, assert_as_alone, wait_for, write_long
from tests.helpers.whole_spaces import arguments, whole_text, write_whole
from tests.helpers.whole_sweeps import folder_of, outcome, run_space, whole

LONG = suggestions(*({"optimizer": "adam", "learning_rate": 0.01 / (1 + i), "epochs": 100} for i in range(2)))


@pytest.mark.soak  # in short one that is killed and resumed, one whose worker is killed, and the segments of folds
@pytest.mark.parametrize(
    "space",
    [
        *("folds_in_lanes", "own_fit", "fit", "own_loss", "plain", "halved", "bands", "pruned", "own_compile"),
        *("dataset", "varied", "seeds", "seeds_by_fit", "patient"),
    ],
)
def test_a_sweep_over_processes_is_the_sweep_of_this_one(tmp_path: Path, space: str) -> None:
    write_whole(tmp_path, space)
    sweep(*arguments(space, "--workers", "2"), cwd=tmp_path).ok()
    assert outcome(folder_of(tmp_path, space)) == whole(space)[2]


@pytest.mark.soak
def test_a_sweep_may_be_resumed_with_and_without_workers(tmp_path: Path) -> None:
    run_space(tmp_path, "bands", commits=9, nth=1, after=True, kind="kill")
    sweep(*arguments("bands", "--workers", "1", "--trials", "14"), cwd=tmp_path).ok()
    run_space(tmp_path, "bands").ok()
    assert outcome(folder_of(tmp_path, "bands")) == whole("bands")[2]


def children(parent: int) -> list[int]:
    """All processes below one."""
    tasks = Path(f"/proc/{parent}/task").glob("*/children")  # of each thread those that it began
    found = [int(one) for task in tasks for one in task.read_text().split()]
    return [*found, *(below for one in found for below in children(one))]


def trainers(parent: int) -> list[int]:
    """The processes of `--workers`, once they have begun to keep to their cores."""
    return [one for one in children(parent) if b"popen_loky" in Path(f"/proc/{one}/cmdline").read_bytes()]


def calls_of(parent: int) -> list[Path]:
    """The files by which processes of `--workers` are called, and answer."""
    return [*Path(gettempdir()).glob(f"keras-sweep-{parent}-*/call-*")]


def trains(parent: int) -> bool:
    """Whether a process of `--workers` is asked to train a segment."""
    return any(b"train_segment" in one.read_bytes() for one in calls_of(parent))


@pytest.fixture
def running(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Started]:
    """A sweep over processes, two unless it is said, which have begun; it takes long."""
    count = getattr(request, "param", 2)
    write_long(tmp_path)
    process = Started(tmp_path, "--workers", str(count))
    wait_for(lambda: len(trainers(process.pid)) == count, process)
    wait_for(folder_of(tmp_path, "long").exists, process)
    yield process
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.soak
def test_a_worker_that_is_killed_costs_a_segment_and_no_number(tmp_path: Path, running: Started) -> None:
    wait_for(lambda: trains(running.pid), running)
    os.kill(trainers(running.pid)[0], signal.SIGKILL)
    _, err = running.communicate()
    assert running.returncode == 0, err
    assert "again: a worker process ended: it was killed or ran out of memory" in err
    assert_as_alone(tmp_path)


one_worker = pytest.mark.parametrize("running", [1], indirect=True)  # each imports all that training needs


@one_worker
def test_ctrl_c_ends_workers_after_their_epochs_and_keeps_those(tmp_path: Path, running: Started) -> None:
    below = children(running.pid)
    wait_for(lambda: trains(running.pid), running)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate()
    assert running.returncode == 130, err
    assert "The same command resumes" in err.splitlines()[-1]
    wait_for(lambda: not any(Path(f"/proc/{one}").exists() for one in below))


@one_worker
def test_no_process_listens_beyond_loopback_and_all_end_with_a_parent_that_is_killed(
    tmp_path: Path, running: Started
) -> None:
    below = children(running.pid)
    for each in (running.pid, *below):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            sockets = {str(one.readlink()) for one in Path(f"/proc/{each}/fd").iterdir()}
            for table in ("tcp", "tcp6"):
                for line in Path(f"/proc/{each}/net/{table}").read_text().splitlines()[1:]:
                    _, local, _, state, *more = line.split()
                    if state == "0A" and f"socket:[{more[5]}]" in sockets:
                        assert local.startswith("0100007F:"), line
    (folder,) = Path(gettempdir()).glob(f"keras-sweep-{running.pid}-*")
    running.send_signal(signal.SIGKILL)
    wait_for(lambda: not any(Path(f"/proc/{one}").exists() for one in below))
    assert not folder.exists()


@pytest.mark.soak
def test_an_interrupt_waits_for_no_worker_that_waits_for_one_that_is_called_off(tmp_path: Path) -> None:
    processes: Pool = workers_of(2)()  # type: ignore[misc]
    processes.on_each(os.getpid)
    ended = tmp_path / "ended"

    def busy() -> None:
        while not ended.exists():
            time.sleep(0.05)

    processes.submit(busy)
    former = signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell may have had it ignore
    Thread(target=interrupt_in, args=("on_each",)).start()
    with pytest.raises(KeyboardInterrupt):
        processes.on_each(os.getpid)  # one of both is idle
    signal.signal(signal.SIGINT, former)
    ended.touch()
    processes.close()


def interrupt_in(function: str) -> None:
    """Interrupt the main thread once it waits below a function of that name."""
    thread = main_thread().ident or 0

    def calls() -> list[str]:
        return [frame.f_code.co_name for frame, _ in walk_stack(sys._current_frames()[thread])]

    wait_for(lambda: {function, "wait"} <= set(calls()))
    signal.pthread_kill(thread, signal.SIGINT)


@pytest.fixture(scope="module")
def one_process() -> Iterator[Pool]:
    with closing(workers_of(1)()) as processes:  # type: ignore[misc]
        processes.on_each(os.getpid)  # while it starts, a thread imports modules: `invalidate_caches` could fail then
        yield processes


def test_a_worker_that_lives_on_reads_an_edited_module_again_and_refuses_other_code(
    one_process: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = make_spec(model=ModelSpec("python", "edited_model:build"), folder=tmp_path)
    text = (
        "def build(input_shape):\n    import keras\n    layers = [keras.Input(input_shape), keras.layers.Dense(10)]\n"
    )
    text += "    return keras.Sequential(layers, name=NAME)\n"

    def look() -> tuple[int, str]:
        return os.getpid(), str(sys.modules["edited_model"].NAME)

    found = []
    for name in ("former", "edited"):
        (tmp_path / "edited_model.py").write_text(f"NAME = '{name}'\n{text}")
        forget_edited_modules(spec.code, tmp_path)
        found += task.Client(one_process, spec, load_search_data(spec), pytest.fail).look(look)
    assert [name for _, name in found] == ["former", "edited"] and len({process for process, _ in found}) == 1
    build: Any = load_python("edited_model:build", tmp_path)
    monkeypatch.setitem(build.__globals__, "NAME", "set")
    given = replace(spec, model=ModelSpec("python", register_function(build)))
    shared = task.Client(one_process, given, load_search_data(given), pytest.fail)
    with pytest.raises(SweepError, match="its code differs from the sweep's: the global `NAME`"):
        shared.look(look)


@pytest.mark.soak
def test_a_worker_that_grows_stays(one_process: Pool) -> None:
    """It keeps the rows and the programs, so that it would be begun anew after every segment of a large sweep."""

    def grow() -> int:
        loky.process_executor._MEMORY_LEAK_CHECK_DELAY = 0.0  # else it looks once a second
        sys.grown = [*getattr(sys, "grown", ()), b"x" * 350_000_000]  # type: ignore[attr-defined]
        return os.getpid()

    assert len({one_process.submit(grow).result(PATIENCE) for _ in range(3)}) == 1


def test_a_worker_that_is_killed_while_it_answers_is_not_waited_for(one_process: Pool, tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    def answer() -> bytes:
        begun.write_text(str(os.getpid()))
        return bytes(2**29)

    asked = one_process.submit(answer)
    wait_for(lambda: any(one.stat().st_size > 2**20 for one in calls_of(os.getpid())))  # it is half-way
    with suppress(ProcessLookupError):
        os.kill(int(begun.read_text()), signal.SIGKILL)
    with suppress(ChildProcessError):  # from the second, where it had answered before it was killed
        asked.result(PATIENCE)
        one_process.submit(pow, 2, 3).result(PATIENCE)
    assert one_process.submit(pow, 2, 3).result(PATIENCE) == 8


def test_an_executor_whose_process_ended_is_told_at_once_with_what_a_script_needs() -> None:
    """Each of its processes imports the script, which without `if __name__` begins processes itself."""
    spec = make_spec()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        shared = task.Client(ExecutorPool(executor), spec, load_search_data(spec), print)
        error = executor.submit(os._exit, 1).exception(PATIENCE)
        with pytest.raises(SweepError, match="a process of the executor ended and did not read the data: ") as told:
            shared.mark_lost("read the data", error or AssertionError())
    assert (told.value.hint or "").startswith('Put `ks.run` below `if __name__ == "__main__":`')


def test_a_worker_that_is_killed_while_a_sweep_begins_reads_again(one_process: Pool, tmp_path: Path) -> None:
    spec, killed = make_spec(), tmp_path / "killed"
    said: list[str] = []

    def look() -> str:
        with suppress(FileExistsError):
            killed.touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)
        return "seen"

    assert task.Client(one_process, spec, load_search_data(spec), said.append).look(look) == ["seen"]
    assert [one.partition(":")[0] for one in said] == ["workers read the data again"]


def test_a_model_that_cant_be_sent_is_said_before_anything_trains(tmp_path: Path) -> None:
    lock = Lock()

    def rows() -> Any:
        with lock:
            return np.ones((50, 4), np.float32), np.arange(50) % 2

    dense = {"dense": {"units": 2, "activation": "softmax"}}
    spec = ks.Spec(data=rows, model=dense, loss="sparse_categorical_crossentropy",
                   maximize="val_accuracy", metrics=["accuracy"], parameters={"epochs": 1})  # fmt: skip
    with pytest.raises(UsageError, match="the model or the data can't be sent to workers: "):
        ks.run(spec, name="own", workers=1, sweeps_dir=tmp_path)
    assert not list(tmp_path.iterdir())


SCRIPT = """\
import keras
import numpy as np
import keras_sweep as ks

x = np.random.default_rng(0).random((200, 4), np.float32)
y = (x.sum(axis=1) > 2).astype(int)

def build(units):
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(units), keras.layers.Dense(2, activation="softmax")])

spec = ks.Spec(data=(x, y), model=build, loss="sparse_categorical_crossentropy", metrics=["accuracy"],
               maximize="val_accuracy", search=ks.Optuna("random", trials=2), finalists="none",
               parameters={"model.units": 4, "learning_rate": ks.Float(1e-3, 1e-1, log=True), "epochs": 2})
boards = [ks.run(spec, name=f"by-{who}", workers=who).leaderboard() for who in (None, 1)]
assert len({tuple((row.number, row.value) for row in board) for board in boards}) == 1
"""


@pytest.mark.soak
def test_a_script_gives_its_own_arrays_and_functions_and_needs_no_guard(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(SCRIPT)
    script("own.py", cwd=tmp_path, new=True).ok()


def test_workers_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "plain.yaml").write_text(whole_text("plain"))
    ended = sweep("run", "plain.yaml", "--workers", "many", cwd=tmp_path)
    assert ended.code == 2 and "got 'many'" in ended.err and not (tmp_path / "sweeps").exists()


class Killing(Watching):
    """Calls something at the first event."""

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__()
        self.call, self.called = call, False

    def __call__(self, event: Any) -> None:
        if not self.called:
            self.called = True
            self.call()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with dask_cluster() as running:
        yield running


class TestDask:
    @pytest.fixture(autouse=True)
    def _patience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("keras_sweep.training.workers.clusters.CONNECT_SECONDS", 1.0)

    @pytest.fixture
    def data(self) -> Any:
        return load_search_data(make_spec())

    def test_a_scheduler_that_does_not_answer_is_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "plain.yaml").write_text(whole_text("plain"))
        code, _, err = called(["run", str(tmp_path / "plain.yaml"), "--workers", "dask://127.0.0.1:9"], tmp_path)
        assert code == 1
        assert err.splitlines()[-1].startswith("error: no Dask scheduler answers at 127.0.0.1:9. ")

    @pytest.mark.soak
    def test_a_cluster_without_workers_is_said_and_waited_for(self, data: Any) -> None:
        with dask_cluster(0) as empty, closing(workers_of(address_of(empty))()) as workers:  # type: ignore[misc]
            told: list[str] = []

            def tell(notice: str) -> None:
                told.append(notice)
                empty.scale(1)

            runner = CompiledRunner(make_spec(), data, workers=workers, notice=tell)
            results = train(runner, GENERATION)
        assert told == [f"{address_of(empty)} has no worker yet; the search begins when a worker connects"]
        assert_same_bits(results, train(CompiledRunner(make_spec(), data), GENERATION))

    @pytest.mark.soak
    @pytest.mark.parametrize("kind", [CompiledRunner, FitRunner], ids=["lanes", "fit"])
    def test_workers_that_are_killed_lose_no_trial(self, cluster: Any, data: Any, kind: Any) -> None:
        trials = LONG if kind is CompiledRunner else suggestions(*[{**LONG[0].params, "epochs": 40}] * 3)
        with closing(workers_of(address_of(cluster))()) as workers:  # type: ignore[misc]
            worker = next(iter(cluster.workers.values())).pid
            watch = Killing(lambda: os.kill(worker, signal.SIGKILL))
            results = train(kind(make_spec(), data, workers=workers), trials, watch)
        assert watch.called
        assert_same_bits(results, train(kind(make_spec(), data), trials))

    @pytest.mark.soak  # in short a worker that is killed, and a scheduler that does not answer
    def test_a_scheduler_that_ends_is_said(self, cluster: Any, data: Any) -> None:
        """It comes last: no other has the cluster after it."""
        with closing(workers_of(address_of(cluster))()) as workers:  # type: ignore[misc]
            runner = CompiledRunner(make_spec(), data, workers=workers)
            with pytest.raises(SweepError, match="no Dask scheduler answers"):
                train(runner, GENERATION, Killing(cluster.close))
