"""Which Keras backend this process uses. Keras reads KERAS_BACKEND once, when it is first imported."""

from __future__ import annotations

import importlib.util
import os
import sys

from keras_sweep.errors import MissingPackage, UsageError
from keras_sweep.process.keras_config import keras_config

BACKENDS = ("jax", "tensorflow", "torch")
DEFAULT = "jax"


def choose_backend(wanted: str | None, option: str = "backend", *, default: str | None = None) -> str:
    """Settle the backend: the one wanted, the one that Keras runs on already, KERAS_BACKEND, the default, or jax.

    Raises:
        UsageError: there is no such backend, Keras was imported with another one, or its keras.json is broken.
        MissingPackage: it is not installed.
    """
    running = _running()
    named = _known(os.environ.get("KERAS_BACKEND"), "KERAS_BACKEND")
    backend = _known(wanted, option) or running or named or default or DEFAULT
    if running is not None and backend != running:
        raise UsageError(
            f"`{option}` is {backend!r}, but this process has imported Keras on {running!r}",
            hint=f"Start a new process, or set KERAS_BACKEND={backend} before Keras is imported",
        )
    if not _installed(backend):
        package = f"keras-sweep[{backend}]" if backend == "torch" else backend
        raise MissingPackage(f"the backend {backend!r} is not installed", hint=f"pip install '{package}'")
    if running is None:
        keras_config()  # which raises in one line what `import keras` would raise from any place
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return backend


def _running() -> str | None:
    """The backend of a Keras that is imported; None before that."""
    keras = sys.modules.get("keras")
    return str(keras.backend.backend()) if keras is not None and hasattr(keras, "backend") else None


def _known(name: str | None, option: str) -> str | None:
    if name and name not in BACKENDS:
        raise UsageError(f"`{option}` must be one of {', '.join(BACKENDS)}, but got {name!r}")
    return name or None


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False
