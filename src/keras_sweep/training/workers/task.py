"""What a worker has: the sweep's spec, its data, which it reads itself, once a process, and what it makes of both."""

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
from keras_sweep.models.build import find_changed_code, model_code
from keras_sweep.models.inspect_model import first_model
from keras_sweep.process.backend import choose_backend, config_changes, keras_config, use_keras_config, versions
from keras_sweep.process.given import give_again, given_of
from keras_sweep.process.user_code import forget_edited_modules, note_modules
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training import build_trial
from keras_sweep.training.compiling import enable_compile_cache
from keras_sweep.training.workers.pool import Pool

SAME = ("keras-sweep", "keras", "numpy")  # packages that a worker has in the same version, beside the backend
TRIES = 3  # of a segment, or of the first look, then the search ends
LOOK_SECONDS = 0.2  # between two looks at the stop flag, or at something else while no worker answers
Tool = TypeVar("Tool")


@dataclass(eq=False)
class Task:
    """A sweep that a worker trains for: what it is told of it and, once it is open, what it has in its process."""

    spec: SweepSpec
    given: Mapping[str, Any]  # arrays and functions of the user's program that the spec names
    is_whole: bool  # whether it trains on the training and validation rows together
    code: Mapping[str, str]  # digests of what makes the model
    fingerprint: str  # of the data
    backend: str
    config: Mapping[str, Any]  # of Keras
    versions: Mapping[str, str]  # of what numbers depend on
    stop: Callable[[], bool]
    is_alone: bool  # whether the worker's process is this package's own
    data: SearchData = field(init=False)  # which it reads itself

    def open(self) -> Self:
        """Read the data. Raises UsageError: they, or the packages, are others here than where the sweep is run."""
        here = versions()
        if others := [name for name in (*SAME, self.backend) if here.get(name) != self.versions.get(name)]:
            has, wants = (", ".join(f"{one} {each.get(one, '-')}" for one in others) for each in (here, self.versions))
            hint = "Install the same packages there: a sweep's numbers are those of one version"
            raise UsageError(f"it has {has}, but the sweep is run with {wants}", hint=hint)
        build_trial.others_draw = not self.is_alone
        give_again(self.given)
        if parts := find_changed_code(self.code, model_code(self.spec, now=True)):
            hint = "Put the same files there; what a program sets in a module does not reach workers"
            raise UsageError(f"the code of its model is other than that of the sweep: {', '.join(parts)}", hint=hint)
        use_keras_config(self.config)
        if changes := config_changes(self.config, keras_config()):
            hint = "Start it with the same settings: they move numbers"
            raise UsageError(f"its settings are others than the sweep's: {'; '.join(changes)}", hint=hint)
        enable_compile_cache()
        data = load_variant(self.spec)
        self.data = whole(self.spec, data) if self.is_whole else data
        if self.data.fingerprint != self.fingerprint:
            raise UsageError("its data are others than those of the sweep", hint="Put the same files there")
        self._tools: dict[Hashable, Any] = {}
        self._looked, self._stops = 0.0, False
        if self.is_alone:  # loky collects garbage after each call, and would look through all that is there by now
            gc.collect()
            gc.freeze()
        return self

    def tool(self, key: Hashable, make: Callable[[SweepSpec, SearchData], Tool]) -> Tool:
        """What is made once of the spec and the data, under a key of its own."""
        with _making:
            if key not in self._tools:
                self._tools[key] = make(self.spec, self.data)
            tool: Tool = self._tools[key]
            return tool

    def stopping(self) -> bool:
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._stops, self._looked = self.stop(), time.monotonic()
        return self._stops


_opening, _making = threading.Lock(), threading.RLock()
_open: dict[str, Task] = {}  # the one that this process works for, or one a variant of its data, by their keys


def call_on_worker(key: str, payload: bytes | Path, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a worker is asked to call: the function, with the `Task` that the payload is.

    Raises SweepError, whose message says on which worker; and what the function raises.
    """
    try:
        with _opening:
            if key not in _open:
                backend, pickled = pickle.loads(payload if isinstance(payload, bytes) else payload.read_bytes())
                choose_backend(backend)  # before the user's functions are there, which may import Keras
                forget_edited_modules()
                new: Task = pickle.loads(pickled)
                for other in [other for other, task in _open.items() if not are_variants(task.spec, new.spec)]:
                    del _open[other]
                _open[key] = new.open()
                note_modules()
            task = _open[key]
        use_keras_config(task.config)  # of this thread, too: each has a dtype policy of its own
        return function(task, *arguments)
    except SweepError as error:  # others of its kinds can't be pickled
        raise SweepError(f"worker {socket.gethostname()}:{os.getpid()}: {error.message}", hint=error.hint) from None


def are_variants(one: SweepSpec, other: SweepSpec) -> bool:
    """Whether they are of one sweep with several variants of its data, and not of the same."""
    return one.data != other.data and replace(one, data=other.data, scale=other.scale) == other


def inspect_worker(task: Task, look: Callable[[], Tool]) -> Tool:
    """What a function finds on a worker. Raises SweepError where the model can't be imported, or not built, there."""
    if task.spec.model.kind != "dense":
        first_model(task.spec, task.data)
    return look()


class Client:
    """A sweep, or its winner's refit, that workers train: each is told of it once."""

    def __init__(self, workers: Pool, spec: SweepSpec, data: SearchData, notice: Callable[[str], None]) -> None:
        """Nothing is sent yet. Raises UsageError: a function or an array of the user's can't be pickled."""
        import cloudpickle
        import keras

        backend = keras.backend.backend()
        task = Task(
            spec,
            given_of(spec.code),
            is_whole=data.train is data.validation and not data.folds,
            code=model_code(spec, now=True),
            fingerprint=data.fingerprint,
            backend=backend,
            config=keras_config(),
            versions=versions(),
            stop=workers.stop_flag(),
            is_alone=workers.are_alone,
        )
        try:
            self._payload: bytes = pickle.dumps((backend, cloudpickle.dumps(task)))
        except Exception as error:  # what a class of the user's may raise when it is pickled
            hint = "Let the function make it when it is called, or run without `--workers`"
            reason = f"{type(error).__name__}: {error}"
            raise UsageError(f"the model or the data can't be sent to workers: {reason}", hint=hint) from error
        self.workers = workers
        self._notice = notice
        self._key = uuid.uuid4().hex
        self._spread: Any = None
        self._tries: Counter[Hashable] = Counter()

    def look(self, look: Callable[[], Tool]) -> list[Tool]:
        """Have every worker read the data, build a model, and call this. Raises SweepError where one can't."""
        while True:
            try:
                if self.workers.count() == 0:
                    self._notice(f"{self.workers.name} has no worker yet: the search begins once one is there")
                return self.workers.on_each(call_on_worker, self._key, self._sent(), inspect_worker, look)
            except SweepError:
                raise
            except Exception as error:
                self.mark_lost("read the data", error)
                time.sleep(LOOK_SECONDS)  # until a scheduler knows, too, who is gone

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have a worker call this with its `Task` and these arguments; the future fails, too, if none is there."""
        try:
            return self.workers.submit(call_on_worker, self._key, self._sent(), function, *arguments)
        except Exception as error:
            lost: Future[Any] = Future()
            lost.set_exception(error)
            return lost

    def mark_lost(self, what: str, error: BaseException) -> None:
        """What workers were asked to do did not come back, and they are to be asked again.

        Raises SweepError where that has happened too often, or nobody is there any more.
        """
        if isinstance(error, BrokenExecutor):  # of the user's making, and used up
            raise SweepError(
                f"a process of {self.workers.name} ended when it was to {what}: {describe_line(error)}",
                hint='A script needs `if __name__ == "__main__":` before `ks.run`, since each process imports it; else '
                "one was killed, or its memory ran out. Everything finished is kept, and the same call goes on",
            ) from error
        self._tries[what] += 1
        if self._tries[what] >= TRIES:
            raise SweepError(
                f"workers failed {TRIES} times to {what}: {describe_line(error)}",
                hint="Everything finished is kept, and the same command goes on, with or without `--workers`",
            ) from error
        self.workers.renew()
        self._spread = None
        self._notice(f"workers {what} again: {describe_line(error)}")

    def _sent(self) -> Any:
        if self._spread is None:
            self._spread = self.workers.spread(self._payload)
        return self._spread


def describe_line(error: BaseException) -> str:
    """An error on one plain line."""
    if isinstance(error, CancelledError) and not str(error):
        return "the connection to the workers was lost"
    text = " ".join(str(error).split())
    return text if isinstance(error, SweepError | ChildProcessError) else f"{type(error).__name__}: {text}"[:300]
