"""How JAX compiles: programs are kept on disk, so that a second sweep of the same model starts at once, and those of
little work are compiled sooner, to code that is slower."""

from collections.abc import Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from keras_sweep.files.atomic import user_cache

# Numbers that the longest trial computes, weights and outputs of layers. Code of low effort takes 50 ns more for each.
LOW, MEDIUM = 4e6, 1e8


class Effort(Enum):
    """What XLA is told where it compiles for the CPU; beside each what compiling costs of XLA's own choice.

    That suits a program that trains for minutes. A small model trains in less time than it takes.
    """

    LOW = MappingProxyType({"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 0})  # a sixth
    MEDIUM = MappingProxyType({"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 1})  # a third
    FULL = MappingProxyType[str, Any]({})

    @property
    def options(self) -> Mapping[str, Any] | None:
        """Those of the options that this XLA knows, for `jax.jit` and `Lowered.compile`, where JAX runs on the CPU."""
        import jax

        if jax.default_backend() != "cpu":
            return None
        return {name: value for name, value in self.value.items() if is_known(name, value)} or None


def effort(numbers: float) -> Effort:
    """What a program is worth whose lanes compute so many numbers each: a function of shapes, never of a clock."""
    if numbers <= LOW:
        return Effort.LOW
    return Effort.MEDIUM if numbers <= MEDIUM else Effort.FULL


def enable_compile_cache() -> Path | None:
    """Keep compiled programs in a folder of the user's cache, which only the user may write to; returns it.

    A cached program is machine code: it is loaded only from a folder that is the user's own and closed to others.
    Returns None, and keeps nothing, where Keras does not run on JAX, where the folder can't be made so, or where the
    user has set one.
    """
    import keras

    if keras.backend.backend() != "jax":  # others need not import it
        return None
    import jax

    if jax.config.jax_compilation_cache_dir:  # from JAX_COMPILATION_CACHE_DIR, or set by a user's module
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
def is_known(name: str, value: Any) -> bool:
    """Tried once a process: JAX 0.11.2 and later have no fusion emitters to turn off, and refuse the name."""
    import jax

    try:
        jax.jit(lambda x: x).lower(0.0).compile({name: value})
    except jax.errors.JaxRuntimeError:
        return False
    return True
