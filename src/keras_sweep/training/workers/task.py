"""Send a sweep to workers. A worker reads the data once per process, and keeps the programs that it creates."""

import gc
import os
import pickle
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar

from keras_sweep.data.catalog import load_variant
from keras_sweep.data.raw_rows import whole
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import SweepError, UsageError
from keras_sweep.models.build import data_code, find_changed_code, model_code
from keras_sweep.models.inspect_model import first_model
from keras_sweep.process.backend import (
    choose_backend,
    describe_config_changes,
    get_versions,
    keras_config,
    use_keras_config,
)
from keras_sweep.process.compiling import enable_compile_cache
from keras_sweep.process.user_code import forget_edited_modules, note_modules
from keras_sweep.process.user_objects import export_objects, import_objects
from keras_sweep.space.data_spec import SOURCES, Source
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training import build_trial
from keras_sweep.training.workers.pool import Pool

SAME = ("keras-sweep", "keras", "numpy")  # packages whose versions must match, like the backend's
TRIES = 3  # of a segment or the first inspection, before the search ends
LOOK_SECONDS = 0.2  # between two checks of the stop flag, and between attempts if no worker answers
Tool = TypeVar("Tool")


@dataclass(eq=False)
class Task:
    """What a worker needs to train a sweep. The worker receives the task pickled, and `open` reads the data there."""

    spec: SweepSpec
    given: Mapping[str, Any]  # arrays and functions from the user's program that the spec names
    sources: Mapping[str, Source]  # kinds of data that the user's program registered
    is_whole: bool  # whether to train on training and validation rows together
    code: Mapping[str, str]  # digests of the code of the model and of the function that returns the rows
    fingerprint: str  # of the data
    backend: str
    config: Mapping[str, Any]  # of Keras
    versions: Mapping[str, str]  # of packages that numbers depend on
    stop: Callable[[], bool]
    is_alone: bool  # whether this package started the worker's process
    data: SearchData = field(init=False)  # read by the worker

    def open(self) -> Self:
        """Read the data. Raises UsageError if packages, code, settings or data differ from the sweep's."""
        installed = get_versions()
        if packages := [name for name in (*SAME, self.backend) if installed.get(name) != self.versions.get(name)]:
            has, wants = (
                ", ".join(f"{name} {found.get(name, '-')}" for name in packages) for found in (installed, self.versions)
            )
            raise UsageError(
                f"it has {has}, but the sweep uses {wants}",
                hint="Install the same packages on the worker: other versions change numbers",
            )
        build_trial.others_draw = not self.is_alone
        import_objects(self.given)
        for name, source in self.sources.items():
            if name not in SOURCES:
                SOURCES.register(name, source)
        if changed := find_changed_code(self.code, _digest_code(self.spec)):
            raise UsageError(
                f"its code differs from the sweep's: {', '.join(changed)}",
                hint="Copy the same files to the worker. A value that your program sets in a module does not reach it",
            )
        use_keras_config(self.config)
        if changes := describe_config_changes(self.config, keras_config()):
            raise UsageError(
                f"its settings differ from the sweep's: {'; '.join(changes)}",
                hint="Start the worker with the same settings: they change numbers",
            )
        enable_compile_cache()
        data = load_variant(self.spec)
        self.data = (whole(self.spec, data) if self.is_whole else data).with_seeds(self.spec.search.seeds)
        if self.data.fingerprint != self.fingerprint:
            raise UsageError("the worker's data differ from the sweep's", hint="Copy the data files to the worker")
        self._programs: Any = None
        self._looked, self._stops = 0.0, False
        if self.is_alone:  # loky collects garbage after each call, which would scan all these objects
            gc.collect()
            gc.freeze()
        return self

    def get_programs(self, make: Callable[[SweepSpec, SearchData], Any]) -> Any:
        """Return the programs that train the sweep here. The first call creates them with `make`."""
        with _making:
            self._programs = self._programs or make(self.spec, self.data)
            return self._programs

    def stopping(self) -> bool:
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._stops, self._looked = self.stop(), time.monotonic()
        return self._stops


_opening, _making = threading.Lock(), threading.RLock()
_open: dict[str, Task] = {}  # by key: the current sweep's task, or its tasks for several variants of the data


def call_on_worker(key: str, payload: bytes | Path, function: Callable[..., Any], *arguments: Any) -> Any:
    """Return `function(task, *arguments)` on a worker. The first call with `key` reads the task from `payload`."""
    try:
        with _opening:
            if key not in _open:
                backend, pickled = pickle.loads(payload if isinstance(payload, bytes) else payload.read_bytes())
                choose_backend(backend)  # before unpickling imports the user's functions, and perhaps Keras
                forget_edited_modules()
                new_task: Task = pickle.loads(pickled)
                for old in [old for old, task in _open.items() if not are_variants(task.spec, new_task.spec)]:
                    del _open[old]
                _open[key] = new_task.open()
                note_modules()
            task = _open[key]
        use_keras_config(task.config)  # also in this thread: each has its own dtype policy
        return function(task, *arguments)
    except SweepError as error:  # name the worker; subclasses can't be pickled
        raise SweepError(f"worker {socket.gethostname()}:{os.getpid()}: {error.message}", hint=error.hint) from None


def are_variants(first: SweepSpec, second: SweepSpec) -> bool:
    """Return whether two specs of a sweep differ only in their data, because a parameter chooses the data."""
    return first.data != second.data and replace(first, data=second.data, scale=second.scale) == second


def inspect_worker(task: Task, look: Callable[[], Tool]) -> Tool:
    """Check that this worker can build the model, and return `look()`. Raises SweepError if the build fails."""
    if task.spec.model.kind == "python":
        first_model(task.spec, task.data)
    return look()


class Client:
    """Lets workers train a sweep, or the refit of its winner. Each worker receives the task once."""

    def __init__(self, workers: Pool, spec: SweepSpec, data: SearchData, notice: Callable[[str], None]) -> None:
        """Pickle the sweep. `notice` shows the user a sentence. Raises UsageError if user objects can't be pickled."""
        import cloudpickle
        import keras

        backend = workers.backend or keras.backend.backend()
        task = Task(
            replace(spec, space=replace(spec.space, count_weights=None)),
            export_objects(spec.code),
            sources={name: source for name, source in SOURCES.registered.items() if name == spec.data.kind},
            is_whole=data.train is data.validation and not data.folds,
            code=_digest_code(spec),
            fingerprint=data.fingerprint,
            backend=backend,
            config=keras_config(),
            versions=get_versions(),
            stop=workers.stop_flag(),
            is_alone=workers.are_alone,
        )
        try:
            self._payload: bytes = pickle.dumps((backend, cloudpickle.dumps(task)))
        except Exception as error:  # pickling a user's class may raise anything
            raise UsageError(
                f"the model or the data can't be sent to workers: {type(error).__name__}: {error}",
                hint="Create it inside the function, or run without `--workers`",
            ) from error
        self.workers = workers
        self._notice = notice
        self._key = uuid.uuid4().hex
        self._spread: Any = None
        self._tries: Counter[Hashable] = Counter()

    def look(self, look: Callable[[], Tool]) -> list[Tool]:
        """Let each worker read the data, build a model and call `look`. Return all results. Raises SweepError."""
        while True:
            try:
                if self.workers.count() == 0:
                    self._notice(f"{self.workers.name} has no worker yet; the search begins when a worker connects")
                return self.workers.on_each(call_on_worker, self._key, self._send_payload(), inspect_worker, look)
            except SweepError:
                raise
            except Exception as error:
                self.mark_lost("read the data", error)
                time.sleep(LOOK_SECONDS)  # until the scheduler knows about lost workers

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Let a worker call `function(task, *arguments)`. If no worker can be reached, the returned future fails."""
        try:
            return self.workers.submit(call_on_worker, self._key, self._send_payload(), function, *arguments)
        except Exception as error:
            failed: Future[Any] = Future()
            failed.set_exception(error)
            return failed

    def mark_lost(self, what: str, error: BaseException) -> None:
        """Count a failed call, named `what` ("read the data"), and reconnect. The third failure raises SweepError."""
        if isinstance(error, BrokenExecutor):  # the user's executor can't be renewed
            raise SweepError(
                f"a process of {self.workers.name} ended and did not {what}: {describe_line(error)}",
                hint='Put `ks.run` below `if __name__ == "__main__":`, since each process imports the script. '
                "If it is there already, the process was killed or ran out of memory. "
                "Every finished trial is kept, and the same call resumes",
            ) from error
        self._tries[what] += 1
        if self._tries[what] >= TRIES:
            raise SweepError(
                f"workers failed {TRIES} times to {what}: {describe_line(error)}",
                hint="Every finished trial is kept, and the same command resumes, with or without `--workers`",
            ) from error
        self.workers.renew()
        self._spread = None
        self._notice(f"workers {what} again: {describe_line(error)}")

    def _send_payload(self) -> Any:
        if self._spread is None:
            self._spread = self.workers.spread(self._payload)
        return self._spread


def _digest_code(spec: SweepSpec) -> dict[str, str]:
    return {**model_code(spec, now=True), **data_code(spec)}


def describe_line(error: BaseException) -> str:
    if isinstance(error, CancelledError) and not str(error):
        return "the connection to the workers was lost"
    text = " ".join(str(error).split())
    return text if isinstance(error, SweepError | ChildProcessError) else f"{type(error).__name__}: {text}"[:300]
