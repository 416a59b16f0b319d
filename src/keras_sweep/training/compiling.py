"""Configure JAX's compiler: a cache on disk lets a second sweep start at once, and small programs compile faster."""

from collections.abc import Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from keras_sweep.files.atomic import user_cache

# Upper limits of the numbers (weights and layer outputs) that the longest trial computes. LOW adds 50 ns per number.
LOW, MEDIUM = 4e6, 1e8


class Effort(Enum):
    """How much XLA optimizes on the CPU. FULL is XLA's default. LOW compiles six times faster, MEDIUM three times."""

    LOW = MappingProxyType({"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 0})
    MEDIUM = MappingProxyType({"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 1})
    FULL = MappingProxyType[str, Any]({})

    @property
    def options(self) -> Mapping[str, Any] | None:
        """The compile options (name -> value) that the installed XLA has. None: there are none, or JAX uses no CPU."""
        import jax

        if jax.default_backend() != "cpu":
            return None
        return {name: value for name, value in self.value.items() if is_known_option(name, value)} or None


def effort(numbers: float) -> Effort:
    """Return how much to optimize a program whose longest trial computes `numbers` weights and layer outputs in all."""
    if numbers <= LOW:
        return Effort.LOW
    return Effort.MEDIUM if numbers <= MEDIUM else Effort.FULL


def enable_compile_cache() -> Path | None:
    """Cache compiled programs in a folder of the user's cache, and return the folder.

    A cached program is machine code, so nobody else may own the folder or write to it. Returns None if the backend is
    not JAX, if the folder can't be created safely, or if the user has set another cache.
    """
    import keras

    if keras.backend.backend() != "jax":  # other backends need not import JAX
        return None
    import jax

    if jax.config.jax_compilation_cache_dir:  # set by JAX_COMPILATION_CACHE_DIR or a user's module
        return None
    try:
        folder = user_cache("compiled")
    except OSError:
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder


@cache
def is_known_option(name: str, value: Any) -> bool:
    """Return whether XLA accepts this compiler option. JAX 0.11.2 and later reject "xla_cpu_use_fusion_emitters"."""
    import jax

    try:
        jax.jit(lambda x: x).lower(0.0).compile({name: value})
    except jax.errors.JaxRuntimeError:
        return False
    return True
