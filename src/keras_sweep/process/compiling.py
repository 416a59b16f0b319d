"""Configure JAX's compiler: a cache on disk lets a second sweep start at once, and small programs compile faster."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from keras_sweep.files.atomic import user_cache

# Upper limits of the numbers (weights and layer outputs) that the longest trial computes. LOW adds 50 ns per number.
LOW, MEDIUM = 4e6, 1e8
# Names of Keras's initializers that have equal bits with medium effort: its `normal` has not.
FAST = {"zeros": "Zeros", "ones": "Ones", "orthogonal": "Orthogonal"}
FAST |= dict.fromkeys(("uniform", "random_uniform"), "RandomUniform")
FAST |= {f"{who}_{what}": f"{who}_{what}" for who in ("glorot", "he", "lecun") for what in ("uniform", "normal")}


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


def enable_compile_cache() -> None:
    """Let JAX cache compiled programs in a folder of the user's cache, unless the user has set another cache.

    A cached program is machine code, so nobody else may own the folder or write to it. Otherwise nothing is cached.
    """
    import keras

    if keras.backend.backend() != "jax":  # other backends need not import JAX
        return
    import jax

    if jax.config.jax_compilation_cache_dir:  # set by JAX_COMPILATION_CACHE_DIR or a user's module
        return
    with suppress(OSError):
        jax.config.update("jax_compilation_cache_dir", str(user_cache("compiled")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@cache
def is_known_option(name: str, value: Any) -> bool:
    """Return whether XLA accepts this compiler option. JAX 0.11.2 and later reject "xla_cpu_use_fusion_emitters"."""
    import jax

    try:
        jax.jit(lambda x: x).lower(0.0).compile({name: value})
    except jax.errors.JaxRuntimeError:
        return False
    return True


@contextmanager
def use_fast_initializers() -> Iterator[None]:
    """Compile the draws of initial weights with medium effort, in models that this thread builds inside the block.

    XLA compiles a program for each shape of weights, and Keras passes no compile options. So the names of Keras's
    initializers mean subclasses that do. The weights are equal to the bit. On another backend nothing happens.
    """
    import keras

    compiles = keras.backend.backend() == "jax" and Effort.MEDIUM.options
    fast = {name: _make_fast(getattr(keras.initializers, kind)) for name, kind in FAST.items() if compiles}
    scope = keras.saving.custom_object_scope
    with scope({}) as outer, scope({**fast, **outer.backup}):  # a scope hides the objects of the outer scope
        yield


class _EqualsBase(type):
    """Classes that equal their base, by which Keras looks up the name to save: so files name Keras's initializer."""

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is cls.__base__

    def __hash__(cls) -> int:
        return hash(cls.__base__)


@cache
def _make_fast(kind: Any) -> Any:
    import jax
    import keras

    @cache
    def compile_draw(config: str, shape: tuple[int, ...], dtype: str) -> Any:
        generator = keras.random.SeedGenerator(0, "seed")

        def draw(seed: Any) -> Any:
            with keras.StatelessScope([(generator.state, seed)]):
                return kind(**{**json.loads(config), "seed": generator})(shape, dtype)

        return jax.jit(draw).lower(generator.state.value).compile(Effort.MEDIUM.options)

    class FastInitializer(kind, metaclass=_EqualsBase):  # type: ignore[misc]
        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            dtype, config = keras.backend.standardize_dtype(dtype), self.get_config()
            if "seed" not in config:
                return jax.device_put(np.full(shape, float(kind is keras.initializers.Ones), dtype))
            if not isinstance(self.seed, int):
                return super().__call__(shape, dtype)
            seed = np.array([self.seed, 0], "uint32")  # as Keras seeds a draw
            return compile_draw(json.dumps({**config, "seed": None}), tuple(shape), dtype)(seed)

    return FastInitializer
