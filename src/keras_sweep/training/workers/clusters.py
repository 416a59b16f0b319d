"""Use the workers of a running Dask or Ray cluster. This package starts no cluster.

Dask's own configuration says how to connect, including TLS. A new Ray cluster would listen on all networks.
"""

import signal
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from keras_sweep.errors import MissingPackage, SweepError
from keras_sweep.training.workers.pool import ExecutorPool, Pool

CONNECT_SECONDS = 10.0
LARGE = 1_000_000  # bytes; larger payloads are sent only once
NAMESPACE = "keras-sweep"


class DaskCluster(ExecutorPool):
    """The workers of a Dask scheduler. Workers may join and leave during a sweep."""

    def __init__(self, address: str) -> None:
        """Connect to the scheduler at HOST:PORT. Raises MissingPackage, or SweepError if no scheduler answers."""
        try:
            import dask
        except ImportError as error:
            raise MissingPackage("Dask is not installed", hint="pip install 'keras-sweep[dask]'") from error
        logging = {"distributed.client": "critical", **dask.config.get("logging", {})}  # no tracebacks
        dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB", "logging": logging})
        self.name = f"dask://{address}"
        self._address = address
        self._event = f"keras-sweep-{uuid.uuid4().hex}"
        self._client: Any = None
        self.renew()

    def renew(self) -> None:
        from distributed import Client

        if self._client is not None and self._client.status == "running":
            return
        self.close()
        try:
            self._client = Client(self._address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise SweepError(
                f"no Dask scheduler answers at {self._address}",
                hint="Start it with `dask scheduler`, or correct the address. Every finished trial is kept",
            ) from error
        super().__init__(self._client.get_executor(pure=False))

    def count(self) -> int:
        return sum(self._client.nthreads().values())

    def on_each(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        # A cluster without workers may start workers when it gets work.
        return list(self._client.run(function, *arguments).values()) or super().on_each(function, *arguments)

    def spread(self, payload: bytes) -> Any:
        return payload if len(payload) < LARGE else self._client.scatter(payload, broadcast=True)

    def stop_flag(self) -> Callable[[], bool]:
        return partial(is_set_on_dask, self._event)

    def stop(self, *, now: bool) -> None:
        from distributed import Event

        if self._client.status == "running":
            event = Event(self._event, client=self._client)
            event.set() if now else event.clear()

    def close(self) -> None:
        if self._client is not None:
            self._client.close(timeout=1)


def is_set_on_dask(name: str) -> bool:
    from distributed import Event, get_client

    return bool(Event(name, client=get_client()).is_set())


class RayCluster(Pool):
    """The workers of this machine's Ray cluster (`ray`), or of a remote Ray cluster (`ray://HOST:PORT`)."""

    def __init__(self, address: str) -> None:
        """Connect to the cluster ("": this machine's). Raises MissingPackage, or SweepError if no cluster answers."""
        try:
            import ray
        except ImportError as error:
            raise MissingPackage("Ray is not installed", hint="pip install 'keras-sweep[ray]'") from error
        self.name = f"ray://{address}" if address else "ray"
        self._address = self.name if address else "auto"  # Ray's names
        self._ray: Any = ray
        self._answers = ThreadPoolExecutor(1, "ray")
        self._open()

    def renew(self) -> None:
        if not self._ray.is_initialized():
            self._open()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        answer: Future[Any] = Future()
        answer.set_running_or_notify_cancel()  # can't be cancelled: a stopping worker answers soon

        def pass_on(finished: Future[Any]) -> None:
            """Copy a call's result or error to future `answer`, without Ray's wrapper, whose message is a traceback."""
            error = finished.exception()
            if error is None:
                answer.set_result(finished.result())
            else:
                answer.set_exception(getattr(error, "cause", None) or error)

        running = self._ray.remote(max_retries=0)(function).remote(*arguments).future()
        # Ray's own thread must not wait for this process, because other calls to Ray wait for that thread.
        running.add_done_callback(lambda finished: self._answers.submit(pass_on, finished))
        return answer

    def count(self) -> int:
        return int(self._ray.cluster_resources().get("CPU", 0))

    def spread(self, payload: bytes) -> Any:
        return self._ray.put(payload)

    def stop_flag(self) -> Callable[[], bool]:
        return partial(is_set_on_ray, self._key)

    def stop(self, *, now: bool) -> None:
        with suppress(Exception):  # a lost cluster trains nothing
            self._ray.get((self._event.set if now else self._event.clear).remote())

    def close(self) -> None:
        if self._is_ours:
            self._ray.shutdown()
        self._answers.shutdown()

    def _open(self) -> None:
        self._is_ours = self._address != "auto" or not self._ray.is_initialized()  # else the user's program connected
        previous_handler = signal.getsignal(signal.SIGTERM)
        try:
            if self._is_ours:
                self._ray.init(address=self._address, log_to_driver=False, logging_level="ERROR")
        except (OSError, RuntimeError, ValueError) as error:
            raise SweepError(
                f"no Ray cluster answers at {self.name}",
                hint="Start it with `ray start --head`, or correct the address. Every finished trial is kept",
            ) from error
        if threading.current_thread() is threading.main_thread():  # Ray has replaced the handler here
            signal.signal(signal.SIGTERM, previous_handler)
        self._key = uuid.uuid4().hex  # workers find the event by name: an actor handle can't be pickled here
        named_actor = self._ray.remote(num_cpus=0)(threading.Event).options(name=self._key, namespace=NAMESPACE)
        self._event = named_actor.remote()


def is_set_on_ray(key: str) -> bool:
    """Return whether the event `key` is set. Workers call this: with `ray.get`, Ray would lend out their core."""
    import ray

    return bool(ray.get_actor(key, namespace=NAMESPACE).is_set.remote().future().result())
