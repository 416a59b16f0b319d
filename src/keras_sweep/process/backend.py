"""The Keras backend of this process, which Keras reads from KERAS_BACKEND when it is first imported; its settings."""

import gc
import importlib.util
import multiprocessing
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.pool import ThreadPool
from textwrap import shorten
from typing import Any

from keras_sweep.errors import MissingPackage, RecordError, SweepError, UsageError

BACKENDS = ("jax", "tensorflow", "torch")
FORKED_SECONDS = 30.0  # within which a forked process has run a tiny program
_BEGUN_IN = os.getpid()

# Variables by which a backend may be told what it can't do.
READ = re.compile(r"JAX_|XLA_(?!PYTHON_CLIENT_)|TF_XLA_|CUDA_VISIBLE_DEVICES$")
MOST = 200  # characters of a reason: JAX may tell all that it has
# What reads XLA_FLAGS, in a process of its own: XLA ends the process at a flag that it does not know.
READ_FLAGS = {
    "jax": "import jax; jax.devices()",
    "tensorflow": "import tensorflow as tf; tf.function(abs, jit_compile=True)(tf.constant(1.0))",
}


def choose_backend(wanted: str | None, *, default: str | None = None) -> str:
    """Settle the backend: the one wanted, the one that Keras runs on already, KERAS_BACKEND, the default, or jax.

    Raises UsageError: there is no such backend, or Keras was imported with another one; MissingPackage.
    """
    keras = sys.modules.get("keras")  # which may be half imported
    running = str(keras.backend.backend()) if keras is not None and hasattr(keras, "backend") else None
    named = _known(os.environ.get("KERAS_BACKEND"), "KERAS_BACKEND")
    backend = _known(wanted, "--backend") or running or named or default or BACKENDS[0]
    if running is not None and backend != running:
        message = f"`--backend` is {backend!r}, but this process has imported Keras on {running!r}"
        hint = f"Start a new process, or set KERAS_BACKEND={backend} before Keras is imported"
        raise UsageError(message, hint=hint)
    if importlib.util.find_spec(backend) is None:
        package = f"keras-sweep[{backend}]" if backend == "torch" else backend
        raise MissingPackage(f"the backend {backend!r} is not installed", hint=f"pip install '{package}'")
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX would take most of an accelerator's memory
    return backend


def _known(name: str | None, option: str) -> str | None:
    if name and name not in BACKENDS:
        raise UsageError(f"`{option}` must be one of {', '.join(BACKENDS)}, but got {name!r}")
    return name or None


@contextmanager
def without_tensorflow() -> Iterator[None]:
    """Inside, Keras takes TensorFlow for not installed, unless it has been imported already or is the backend.

    Keras imports it to seed it and to recognise its types, which takes seconds and changes no number. Only the flag of
    the lazy module that those places ask says no (Keras 3.15).
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
    keras = import_keras()
    backend = keras.backend.backend()
    if os.environ.get("XLA_FLAGS") and backend in READ_FLAGS:
        import subprocess

        command = [sys.executable, "-c", READ_FLAGS[backend]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        fatal = re.search(r"^F\d{4} .*?\] (.*)", done.stderr, re.MULTILINE)  # XLA's last words
        if done.returncode and fatal is not None:
            raise _unfit(backend, fatal[1])
    try:
        if multiprocessing.parent_process() is None and os.getpid() == _BEGUN_IN:
            _compute(keras, backend)
        else:  # it may be forked from a process that has computed: the threads to do it are not here
            with ThreadPool(1) as pool:
                pool.apply_async(_compute, (keras, backend)).get(FORKED_SECONDS)
    except multiprocessing.TimeoutError:
        message = f"{backend} does not compute in this process, which was forked from one where it had computed"
        hint = "Begin the process by `multiprocessing.get_context('spawn')`, or compute nothing before the fork"
        raise UsageError(message, hint=hint) from None
    except Exception as error:
        said = shorten(f"{type(error).__name__}: {error}".removesuffix(": "), MOST, placeholder=" ...")
        raise _unfit(backend, said) from error


os.register_at_fork(after_in_child=check_environment.cache_clear)


def _compute(keras: Any, backend: str) -> None:
    if backend == "jax":
        import jax

        jax.eval_shape(lambda: keras.random.uniform((1,), seed=1))  # whether JAX takes the keys that Keras makes
        jax.jit(lambda x: x + 1).lower(0.0).compile()(0.0)
    else:
        keras.ops.convert_to_numpy(keras.random.uniform((1,), seed=1) + 1)


def _unfit(backend: str, reason: str) -> SweepError:
    given = [f"{name}={value}" for name, value in sorted(os.environ.items()) if READ.match(name)]
    hint = f"The cause may be {', '.join(given)}: unset it" if given else "Mend the installation of its packages"
    message = f"{backend} can't run a tiny program here, so nothing was trained or recorded: {reason}"
    return SweepError(message, hint=hint)


KERAS_CONFIG = "keras_config"  # what a record and a card call it; absent where none of its trials was trained here
DEFAULTS = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last", "dtype_policy": "float32"}
# Settings that move numbers, too. A configuration has them only where they are not these: older records have none.
LIMITS = {"max_epochs": 0, "max_steps_per_epoch": 0}  # of `fit`, by KERAS_MAX_EPOCHS and its like; 0: none
JAX_DEFAULTS: dict[str, Any] = {"jax_default_matmul_precision": "default", "jax_numpy_dtype_promotion": "standard"}
JAX_DEFAULTS |= {"jax_enable_x64": False, "jax_threefry_partitionable": True, "jax_random_seed_offset": 0}
JAX_DEFAULTS |= {"jax_allow_f16_reductions": True, "jax_softmax_custom_jvp": False, "jax_optimization_level": "UNKNOWN"}
JAX_DEFAULTS |= {"jax_disable_most_optimizations": False, "jax_exec_time_optimization_effort": 0.0}
XLA_FLAGS = "XLA_FLAGS"
USUAL: Mapping[str, Any] = {**DEFAULTS, **LIMITS, **JAX_DEFAULTS, XLA_FLAGS: "none"}
# XLA's flags of how many cores it uses and what it writes. All others count as moving numbers.
NO_NUMBERS = re.compile(r"--xla_\w*(dump|thread|parallel|device_count|cache|data_dir|log|profile)")


def import_keras() -> Any:
    """Raises UsageError where Keras can't be imported, as with a broken keras.json, of which it says no more."""
    try:
        import keras
    except Exception as error:
        hint = "Mend or delete its configuration, `~/.keras/keras.json` or that of $KERAS_HOME; else install it anew"
        said = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise UsageError(f"Keras can't be imported: {said}", hint=hint) from error
    return keras


def keras_config() -> dict[str, Any]:
    """The settings of Keras, JAX and XLA in this process that move numbers. Raises UsageError as `import_keras`."""
    return {name: value for name, value in _settings().items() if name in DEFAULTS or value != USUAL[name]}


def _settings() -> dict[str, Any]:
    keras = import_keras()
    config = {name: getattr(keras.config, name)() for name in (*DEFAULTS, *LIMITS)}
    config["dtype_policy"] = config["dtype_policy"].name
    if (backend := keras.backend.backend()) == "jax":
        import jax

        there = jax.config.values  # some are no attributes; of the others a `with` of the user's is seen there alone
        config |= {name: getattr(jax.config, name, there.get(name)) for name in JAX_DEFAULTS}
    if backend in READ_FLAGS:
        flags = os.environ.get(XLA_FLAGS, "").split()
        config[XLA_FLAGS] = " ".join(sorted(flag for flag in flags if not NO_NUMBERS.match(flag)))
    return {name: USUAL[name] if value in (None, "") else value for name, value in config.items()}


def describe_config_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs, by the name that sets it: `keras.config.epsilon: 1e-07 -> 0.001`."""
    both = [(name, old.get(name, usual), new.get(name, usual)) for name, usual in USUAL.items()]
    place = dict.fromkeys(JAX_DEFAULTS, "jax.config.") | {XLA_FLAGS: ""}
    named = [(place.get(name, "keras.config.") + name, former, now) for name, former, now in both if former != now]
    return [f"{name}: {former!s:.60} -> {now!s:.60}" for name, former, now in named]


def clear_session(*, free_memory: bool = False) -> None:
    """Have Keras forget graphs and begin names anew: "auc", not "auc_1". The dtype policy of a user's module stays.

    To free their memory at once takes a tenth of a second, or more.
    """
    import keras

    policy = keras.config.dtype_policy()
    keras.backend.clear_session(free_memory)
    keras.config.set_dtype_policy(policy)


def use_keras_config(recorded: Mapping[str, Any] | None) -> str | None:
    """Give this process the configuration that trials were trained with; a sentence on it where it had another one.

    XLA_FLAGS stay: XLA reads them once. Raises RecordError where Keras or JAX does not take it.
    """
    now = _settings()
    now.pop(XLA_FLAGS, None)
    wanted = {name: recorded.get(name, USUAL[name]) if recorded else value for name, value in now.items()}
    if not (changes := describe_config_changes(now, wanted)):
        return None
    import keras

    for name, value in wanted.items():
        try:
            if not isinstance(value, type(USUAL[name])):
                raise ValueError(f"it must be of the kind {type(USUAL[name]).__name__}")
            if name not in JAX_DEFAULTS:
                getattr(keras.config, f"set_{name}")(value)
            elif value != now[name]:
                sys.modules["jax"].config.update(name, value)
        except (ValueError, AttributeError) as error:
            message = f"the recorded `{KERAS_CONFIG}` can't be had: `{name}` is {value!r:.60}, and {error}"
            raise RecordError(message, hint="It was altered: run the sweep anew under another name") from None
    return f"Keras is configured as it was for these trials: {'; '.join(changes)}"


@contextmanager
def collect_only_new_garbage() -> Iterator[None]:
    """Collect only what is created inside: Keras has all be collected before each model, imported modules too."""
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()  # or the next call would freeze the last model and its programs, too, which nobody would collect
        gc.unfreeze()


def list_cores() -> list[int]:
    """The cores that this process may use, by number; all of them where the system keeps no process to some."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [*range(os.cpu_count() or 1)]


PACKAGES = ("keras-sweep", "keras", "tensorflow", "torch", "jax", "optuna", "keras-tuner", "numpy", "scikit-learn")


def get_versions() -> dict[str, str]:
    """The versions of Python, this package and the packages that move numbers; those not installed are left out."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
