"""Workers of a Ray cluster that runs. None is started: Ray listens on every interface of a machine."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, cast

from keras_sweep.errors import MissingPackage, SweepError
from keras_sweep.training.workers.workers import Workers


class RayCluster(Workers):
    """The workers of the cluster that this machine is part of (`ray`), or of one elsewhere (`ray://HOST:PORT`)."""

    def __init__(self, address: str) -> None:
        """Connect. Raises MissingPackage, and SweepError: nobody answers."""
        try:
            import ray
        except ImportError as error:
            raise MissingPackage("Ray is not installed", hint="pip install 'keras-sweep[ray]'") from error
        self.name = f"ray://{address}" if address else "ray"
        self._ray: Any = ray
        self._open()

    def renew(self) -> None:
        if not self._ray.is_initialized():
            self._open()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        called = self._ray.remote(max_retries=0)(function).remote(*arguments)
        return cast("Future[Any]", called.future())

    def count(self) -> int:
        return int(self._ray.cluster_resources().get("CPU", 0))

    def spread(self, payload: bytes) -> Any:
        return self._ray.put(payload)

    def stop_flag(self) -> Callable[[], bool]:
        return partial(is_set, self._event)

    def stop(self, *, now: bool) -> None:
        self._ray.get((self._event.set if now else self._event.clear).remote())

    def close(self) -> None:
        self._ray.shutdown()

    def _open(self) -> None:
        try:
            self._ray.init(
                address="auto" if self.name == "ray" else self.name, log_to_driver=False, logging_level="ERROR"
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise SweepError(
                f"no Ray cluster answers at {self.name}",
                hint="Start one (`ray start --head`), or give its address; what is finished is kept",
            ) from error
        self._event = self._ray.remote(num_cpus=0)(threading.Event).remote()


def is_set(event: Any) -> bool:
    """On a worker: whether the actor, an event, is set."""
    import ray

    return bool(ray.get(event.is_set.remote()))
