"""Workers of a Dask cluster that runs: on this machine, or by dask-jobqueue or dask-kubernetes on many."""

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from keras_sweep.errors import MissingPackage, SweepError
from keras_sweep.training.workers.pool import ExecutorPool

CONNECT_SECONDS = 10.0
LARGE = 1_000_000  # bytes that are not sent with every call


class DaskCluster(ExecutorPool):
    """The workers of a scheduler, however many come and go. How it is reached, TLS too, is Dask's own configuration."""

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
        return partial(is_set, self._event)

    def stop(self, *, now: bool) -> None:
        from distributed import Event

        if self._client.status == "running":
            event = Event(self._event, client=self._client)
            event.set() if now else event.clear()

    def close(self) -> None:
        if self._client is not None:
            self._client.close(timeout=1)


def is_set(name: str) -> bool:
    """On a worker: whether the event of that name is set."""
    from distributed import Event, get_client

    return bool(Event(name, client=get_client()).is_set())
