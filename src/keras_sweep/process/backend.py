"""The Keras backend of this process: which it is, whether it runs here, and how others are kept out.

Keras reads KERAS_BACKEND once, when it is first imported.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from textwrap import shorten

from keras_sweep.errors import MissingPackage, SweepError, UsageError
from keras_sweep.process.keras_config import keras_config

BACKENDS = ("jax", "tensorflow", "torch")
DEFAULT = "jax"

# Variables by which a backend may be told what it can't do.
READ = re.compile(r"JAX_|XLA_|TF_XLA_|CUDA_VISIBLE_DEVICES$")
MOST = 200  # characters of a reason: JAX may tell all that it has
# What reads XLA_FLAGS, in a process of its own: XLA ends the process at a flag that it does not know.
READ_FLAGS = {
    "jax": "import jax; jax.devices()",
    "tensorflow": "import tensorflow as tf; tf.function(abs, jit_compile=True)(tf.constant(1.0))",
}


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


@contextmanager
def without_tensorflow() -> Iterator[None]:
    """Inside, Keras takes TensorFlow for not installed, unless it has been imported already or is the backend.

    Keras imports TensorFlow wherever it is installed to seed it and to recognise its types, which takes seconds and
    changes no number. No public name says no: only the flag of the lazy module that those places ask (Keras 3.15).
    """
    import keras

    try:
        from keras.src.utils.module_utils import tensorflow as lazy

        known = "_available" in vars(lazy)  # Keras 3.15: what `available` answers
    except ImportError:  # another Keras imports TensorFlow, which only takes longer
        known = False
    if not known or keras.backend.backend() == "tensorflow" or "tensorflow" in sys.modules:
        yield
        return
    before = lazy._available  # noqa: SLF001  # Keras 3.15
    lazy._available = False  # noqa: SLF001  # Keras 3.15
    try:
        yield
    finally:
        lazy._available = before  # noqa: SLF001  # Keras 3.15


@cache
def check_environment() -> None:
    """Compile and run a tiny program where Keras runs, once a process. Raises SweepError with what stopped it."""
    import keras

    backend = keras.backend.backend()
    if os.environ.get("XLA_FLAGS") and backend in READ_FLAGS:
        _check_flags(backend)
    try:
        _run_tiny_program(backend)
    except Exception as error:
        said = shorten(f"{type(error).__name__}: {error}".removesuffix(": "), MOST, placeholder=" ...")
        raise _unfit(backend, said) from error


def _run_tiny_program(backend: str) -> None:
    import keras

    if backend == "jax":
        import jax

        jax.eval_shape(lambda: keras.random.uniform((1,), seed=1))  # whether JAX takes the keys that Keras makes
        jax.jit(lambda x: x + 1).lower(0.0).compile()(0.0)
    else:
        keras.ops.convert_to_numpy(keras.random.uniform((1,), seed=1) + 1)


def _check_flags(backend: str) -> None:
    import subprocess

    done = subprocess.run([sys.executable, "-c", READ_FLAGS[backend]], capture_output=True, text=True, check=False)
    said = re.search(r"^F\d{4} .*?\] (.*)", done.stderr, re.MULTILINE)  # how XLA begins what it ends a process with
    if done.returncode and said is not None:
        raise _unfit(backend, said[1])


def _unfit(backend: str, reason: str) -> SweepError:
    given = [f"{name}={value}" for name, value in sorted(os.environ.items()) if READ.match(name)]
    hint = f"The cause may be {', '.join(given)}: unset it" if given else "Mend the installation of its packages"
    return SweepError(
        f"{backend} can't run a tiny program here, so nothing was trained or recorded: {reason}", hint=hint
    )
