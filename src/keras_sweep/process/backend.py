"""Choose and check the Keras backend of this process, and read and set the settings that change computed numbers.

Keras reads KERAS_BACKEND at its first import.
"""

import gc
import importlib.util
import multiprocessing
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.pool import ThreadPool
from textwrap import shorten
from typing import Any

from keras_sweep.errors import MissingPackage, RecordError, SweepError, UsageError
from keras_sweep.system.processes import call_in_forks, delay_interrupt

BACKENDS = {"jax": "JAX", "tensorflow": "TensorFlow", "torch": "PyTorch"}  # name -> title
FORKED_SECONDS = 30.0  # time for a tiny program in a forked process
_BEGUN_IN = os.getpid()

# Environment variables that can make a backend fail. Error messages name them.
READ = re.compile(r"JAX_|XLA_(?!PYTHON_CLIENT_)|TF_XLA_|CUDA_VISIBLE_DEVICES$")
MOST = 200  # characters of a reason, since JAX may print very much
# Programs that read XLA_FLAGS. They run in a subprocess, since XLA ends the process at an unknown flag.
READ_FLAGS = {
    "jax": "import jax; jax.devices()",
    "tensorflow": "import tensorflow as tf; tf.function(abs, jit_compile=True)(tf.constant(1.0))",
}


def choose_backend(requested: str | None, *, default: str | None = None) -> str:
    """Choose Keras's backend for this process, set KERAS_BACKEND, and return the backend's name.

    The first name that exists wins: `requested`, an imported Keras's backend, KERAS_BACKEND, `default`, "jax". Raises
    UsageError for an unknown name, or if Keras was imported with another backend. Raises MissingPackage if the chosen
    backend is not installed.
    """
    check_imported_packages()
    keras = sys.modules.get("keras")  # may be half imported
    running = str(keras.backend.backend()) if keras is not None and hasattr(keras, "backend") else None
    from_environment = _check_backend(os.environ.get("KERAS_BACKEND"), "KERAS_BACKEND")
    backend = _check_backend(requested, "--backend") or running or from_environment or default or "jax"
    if running is not None and backend != running:
        raise UsageError(
            f"`--backend` is {backend!r}, but this process has imported Keras with {running!r}",
            hint=f"To use {backend}, {how_to_set(backend)}",
        )
    require_backend(backend, f", but the backend is {backend}")
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Otherwise JAX reserves most of an accelerator's memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    return backend


def is_kernel() -> bool:
    """Check whether this process is the kernel of a notebook."""
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)  # IPython may be half imported
    return get_shell is not None and getattr(get_shell(), "kernel", None) is not None


def how_to_set(backend: str) -> str:
    """Return a clause that says how to change the backend of an imported Keras."""
    kernel = f"restart the kernel, and run `%env KERAS_BACKEND={backend}` in its first cell"
    return kernel if is_kernel() else f"set `KERAS_BACKEND={backend}` before Keras is imported"


def check_imported_packages() -> None:
    """Raise UsageError if an imported package is not the installed one, as after `%pip install` in a notebook."""
    for name in sys.modules.keys() & {"numpy", "keras", "jax", "optuna"}:
        with suppress(PackageNotFoundError):
            imported, installed = getattr(sys.modules[name], "__version__", None), version(name)
            if imported and imported.partition("+")[0] != installed.partition("+")[0]:  # "+...": of a local build
                hint = "Restart the kernel" if is_kernel() else "Start a new process"
                raise UsageError(f"{name} {imported} is imported, but {installed} is installed now", hint=hint)


def can_import(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def require_backend(backend: str, reason: str) -> None:
    """Raise MissingPackage unless the backend is installed. `reason` ends the message: ", but ... needs it"."""
    if not can_import(backend):
        message = f"{BACKENDS[backend]} is not installed{reason}"
        raise MissingPackage(message, hint=f"pip install 'keras-sweep[{backend}]'")


def _check_backend(name: str | None, option: str) -> str | None:
    if name and name not in BACKENDS:
        raise UsageError(f"`{option}` must be one of {', '.join(BACKENDS)}, but got {name!r}")
    return name or None


@contextmanager
def without_tensorflow() -> Iterator[None]:
    """Hide TensorFlow from Keras inside the block, unless TensorFlow is imported already or is the backend.

    Keras imports TensorFlow to seed it and to recognise its types. This takes seconds and changes no number. The block
    changes a flag inside Keras 3.15 that says whether TensorFlow is available. With another Keras nothing happens.
    """
    import keras

    try:
        from keras.src.utils.module_utils import tensorflow as lazy

        known = "_available" in vars(lazy)  # Keras 3.15: `available` returns it
    except ImportError:  # another Keras imports TensorFlow, which is only slower
        known = False
    with ExitStack() as stack:
        if known and keras.backend.backend() != "tensorflow" and "tensorflow" not in sys.modules:
            stack.callback(setattr, lazy, "_available", lazy._available)  # noqa: SLF001  # Keras 3.15
            lazy._available = False  # noqa: SLF001  # Keras 3.15
        yield


@cache
def check_environment() -> None:
    """Compile and run a tiny program on the Keras backend, once per process. Raises SweepError if the program fails."""
    keras = import_keras()
    backend = keras.backend.backend()
    if os.environ.get("XLA_FLAGS") and backend in READ_FLAGS:
        import subprocess

        command = [sys.executable, "-c", READ_FLAGS[backend]]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
        fatal = re.search(r"^F\d{4} .*?\] (.*)", done.stderr, re.MULTILINE)  # XLA's last words
        if done.returncode and fatal is not None:
            raise _make_error(backend, fatal[1])
    try:
        if multiprocessing.parent_process() is None and os.getpid() == _BEGUN_IN:
            _run_tiny_program(keras, backend)
        else:
            # If the parent has computed, its threads are missing after the fork, and the program would never end.
            with ThreadPool(1) as pool:
                pool.apply_async(_run_tiny_program, (keras, backend)).get(FORKED_SECONDS)
    except multiprocessing.TimeoutError:
        raise UsageError(
            f"{backend} can't compute in this forked process, because its parent computed before the fork",
            hint="Start the process with `multiprocessing.get_context('spawn')`, or compute nothing before the fork",
        ) from None
    except Exception as error:
        reason = shorten(f"{type(error).__name__}: {error}".removesuffix(": "), MOST, placeholder=" ...")
        raise _make_error(backend, reason) from error


call_in_forks(check_environment.cache_clear)


def _run_tiny_program(keras: Any, backend: str) -> None:
    if backend == "jax":
        import jax

        # Does JAX accept the keys that Keras makes?
        jax.eval_shape(lambda: keras.random.uniform((1,), seed=1))
        jax.jit(lambda x: x + 1).lower(0.0).compile()(0.0)
    else:
        keras.ops.convert_to_numpy(keras.random.uniform((1,), seed=1) + 1)


def _make_error(backend: str, reason: str) -> SweepError:
    settings = [f"{name}={value}" for name, value in sorted(os.environ.items()) if READ.match(name)]
    return SweepError(
        f"{backend} can't run a small test program, so nothing was trained or recorded: {reason}",
        hint=f"Try to unset {', '.join(settings)}" if settings else f"Install {backend} again",
    )


# The key of `keras_config()` in a record and a model card. Records of imported trials lack the key.
KERAS_CONFIG = "keras_config"
DEFAULTS = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last", "dtype_policy": "float32"}
# Defaults of more settings that change numbers. `keras_config` leaves out values that equal these defaults.
# Limits of `fit`, by KERAS_MAX_EPOCHS and KERAS_MAX_STEPS_PER_EPOCH; 0 means no limit.
LIMITS = {"max_epochs": 0, "max_steps_per_epoch": 0}
JAX_DEFAULTS: dict[str, Any] = {"jax_default_matmul_precision": "default", "jax_numpy_dtype_promotion": "standard"}
JAX_DEFAULTS |= {"jax_enable_x64": False, "jax_threefry_partitionable": True, "jax_random_seed_offset": 0}
JAX_DEFAULTS |= {"jax_allow_f16_reductions": True, "jax_softmax_custom_jvp": False, "jax_optimization_level": "UNKNOWN"}
JAX_DEFAULTS |= {"jax_disable_most_optimizations": False, "jax_exec_time_optimization_effort": 0.0}
XLA_FLAGS, DISTRIBUTION = "XLA_FLAGS", "distribution"  # these are compared, but never set
USUAL: Mapping[str, Any] = {**DEFAULTS, **LIMITS, **JAX_DEFAULTS, XLA_FLAGS: "none", DISTRIBUTION: "none"}
# XLA flags for cores and written files. All other flags count as changing numbers.
NO_NUMBERS = re.compile(r"--xla_\w*(dump|thread|parallel|device_count|cache|data_dir|log|profile)")


def import_keras() -> Any:
    """Import Keras. Raises UsageError if it can't be imported, for example with a broken keras.json."""
    try:
        with delay_interrupt():
            import keras
    except Exception as error:
        message = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise UsageError(
            f"Keras can't be imported: {message}",
            hint="Fix or delete `keras.json` in `~/.keras` or $KERAS_HOME. If that does not help, install Keras again",
        ) from error
    return keras


def keras_config() -> dict[str, Any]:
    """Return the settings (name -> value) of Keras, JAX and XLA that change computed numbers. Some settings with usual
    values are left out. Raises as `import_keras`."""
    return {name: value for name, value in _settings().items() if name in DEFAULTS or value != USUAL[name]}


def _settings() -> dict[str, Any]:
    keras = import_keras()
    config = {name: getattr(keras.config, name)() for name in (*DEFAULTS, *LIMITS)}
    config["dtype_policy"] = config["dtype_policy"].name
    config[DISTRIBUTION] = str(keras.distribution.distribution() or "")
    if (backend := keras.backend.backend()) == "jax":
        import jax

        # Some settings exist only in `values`. The attributes of the other settings also show a user's `with`.
        config_values = jax.config.values
        config |= {name: getattr(jax.config, name, config_values.get(name)) for name in JAX_DEFAULTS}
    if backend in READ_FLAGS:
        flags = os.environ.get(XLA_FLAGS, "").split()
        config[XLA_FLAGS] = " ".join(sorted(flag for flag in flags if not NO_NUMBERS.match(flag)))
    return {name: USUAL[name] if value in (None, "") else value for name, value in config.items()}


def describe_config_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return a line for each setting that differs: `keras.config.epsilon: 1e-07 -> 0.001`."""
    both = [(name, old.get(name, usual), new.get(name, usual)) for name, usual in USUAL.items()]
    place = dict.fromkeys(JAX_DEFAULTS, "jax.config.") | {XLA_FLAGS: "", DISTRIBUTION: "keras."}
    changed = [(place.get(name, "keras.config.") + name, former, now) for name, former, now in both if former != now]
    return [f"{name}: {former!s:.60} -> {now!s:.60}" for name, former, now in changed]


def clear_session(*, free_memory: bool = False) -> None:
    """Reset Keras's graphs and name counters (the next name is "auc", not "auc_1"), but keep policy and distribution.
    `free_memory` also collects garbage, which takes a tenth of a second or more."""
    import keras

    policy, distribution = keras.config.dtype_policy(), keras.distribution.distribution()
    keras.backend.clear_session(free_memory)
    keras.config.set_dtype_policy(policy)
    keras.distribution.set_distribution(distribution)


def use_keras_config(recorded: Mapping[str, Any] | None) -> str | None:
    """Change the settings of Keras and JAX to `recorded`, a result of `keras_config`; None: keep them. Return a
    sentence about the changes, or None without changes. XLA_FLAGS stay, since XLA reads them once, and so does the
    distribution. Raises RecordError if Keras or JAX refuses a value."""
    now = {name: value for name, value in _settings().items() if name not in (XLA_FLAGS, DISTRIBUTION)}
    config = {name: recorded.get(name, USUAL[name]) if recorded else value for name, value in now.items()}
    if not (changes := describe_config_changes(now, config)):
        return None
    import keras

    for name, value in config.items():
        try:
            if not isinstance(value, type(USUAL[name])):
                raise ValueError(f"it must be of type {type(USUAL[name]).__name__}")
            if name not in JAX_DEFAULTS:
                getattr(keras.config, f"set_{name}")(value)
            elif value != now[name]:
                sys.modules["jax"].config.update(name, value)
        except (ValueError, AttributeError) as error:
            raise RecordError(
                f"the recorded `{KERAS_CONFIG}` can't be used: `{name}` is {value!r:.60}, but {error}",
                hint="The record was changed. Run the sweep again under another name",
            ) from None
    return f"Keras uses the settings of these trials: {'; '.join(changes)}"


@contextmanager
def collect_only_new_garbage() -> Iterator[None]:
    """Limit garbage collection to objects created inside the block, since Keras collects before each new model."""
    gc.freeze()
    try:
        yield
    finally:
        # Otherwise the next call would freeze the last model and its programs, which would then never be freed.
        gc.collect()
        gc.unfreeze()


PACKAGES = ("keras-sweep", "keras", "tensorflow", "torch", "jax", "optuna", "keras-tuner", "numpy", "scikit-learn")


def get_versions() -> dict[str, str]:
    """Return name -> version of Python, this package, and installed packages that change numbers."""
    by_package = {"python": platform.python_version()}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            by_package[name] = version(name)
    return by_package
