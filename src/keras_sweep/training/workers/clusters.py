"""Workers of a Dask or Ray cluster that runs, on this machine or on many. None is started.

How Dask is reached, TLS too, is its own configuration. Ray would listen on every interface of a machine.
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
LARGE = 1_000_000  # bytes that are not sent with every call
NAMESPACE = "keras-sweep"


class DaskCluster(ExecutorPool):
    """The workers of a scheduler, however many come and go."""

    def __init__(self, address: str) -> None:
        """Connect. Raises MissingPackage, and SweepError: nobody answers."""
        try:
            import dask
        except ImportError as error:
            raise MissingPackage("Dask is not installed", hint="pip install 'keras-sweep[dask]'") from error
        logging = {"distributed.client": "critical", **dask.config.get("logging", {})}  # else it logs tracebacks
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
            hint = "Start one (`dask scheduler`), or give its address; what is finished is kept"
            raise SweepError(f"no Dask scheduler answers at {self._address}", hint=hint) from error
        super().__init__(self._client.get_executor(pure=False))

    def count(self) -> int:
        return sum(self._client.nthreads().values())

    def on_each(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:  # a cluster may start with its work
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
    """On a worker: whether the event of that name is set."""
    from distributed import Event, get_client

    return bool(Event(name, client=get_client()).is_set())


class RayCluster(Pool):
    """The workers of the cluster that this machine is part of (`ray`), or of one elsewhere (`ray://HOST:PORT`)."""

    def __init__(self, address: str) -> None:
        """Connect. Raises MissingPackage, and SweepError: nobody answers."""
        try:
            import ray
        except ImportError as error:
            raise MissingPackage("Ray is not installed", hint="pip install 'keras-sweep[ray]'") from error
        self.name = f"ray://{address}" if address else "ray"
        self._address = self.name if address else "auto"  # as Ray calls it
        self._ray: Any = ray
        self._answers = ThreadPoolExecutor(1, "ray")
        self._open()

    def renew(self) -> None:
        if not self._ray.is_initialized():
            self._open()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        answer: Future[Any] = Future()
        answer.set_running_or_notify_cancel()  # it is Ray's now: a worker that is to stop answers soon

        def pass_on(called: Future[Any]) -> None:
            """What a worker's function raised, without Ray's own error around it, which is a whole traceback."""
            error = called.exception()
            if error is None:
                answer.set_result(called.result())
            else:
                answer.set_exception(getattr(error, "cause", None) or error)

        asked = self._ray.remote(max_retries=0)(function).remote(*arguments).future()
        # Ray's own thread must not wait for us: where it ends, whoever asks Ray for more waits for it.
        asked.add_done_callback(lambda called: self._answers.submit(pass_on, called))
        return answer

    def count(self) -> int:
        return int(self._ray.cluster_resources().get("CPU", 0))

    def spread(self, payload: bytes) -> Any:
        return self._ray.put(payload)

    def stop_flag(self) -> Callable[[], bool]:
        return partial(is_set_on_ray, self._key)

    def stop(self, *, now: bool) -> None:
        with suppress(Exception):  # a cluster that is gone trains nothing
            self._ray.get((self._event.set if now else self._event.clear).remote())

    def close(self) -> None:
        if self._is_ours:
            self._ray.shutdown()
        self._answers.shutdown()

    def _open(self) -> None:
        self._is_ours = self._address != "auto" or not self._ray.is_initialized()  # else the user's program connected
        former = signal.getsignal(signal.SIGTERM)
        try:
            if self._is_ours:
                self._ray.init(address=self._address, log_to_driver=False, logging_level="ERROR")
        except (OSError, RuntimeError, ValueError) as error:
            hint = "Start one (`ray start --head`), or give its address; what is finished is kept"
            raise SweepError(f"no Ray cluster answers at {self.name}", hint=hint) from error
        if threading.current_thread() is threading.main_thread():  # where Ray takes the signal for itself
            signal.signal(signal.SIGTERM, former)
        self._key = uuid.uuid4().hex  # a handle of the actor would not reach a worker inside what is pickled by us
        named = self._ray.remote(num_cpus=0)(threading.Event).options(name=self._key, namespace=NAMESPACE)
        self._event = named.remote()


def is_set_on_ray(key: str) -> bool:
    """On a worker: whether the event of that name is set. Ray lends the core of one that waits in `ray.get`."""
    import ray

    return bool(ray.get_actor(key, namespace=NAMESPACE).is_set.remote().future().result())
