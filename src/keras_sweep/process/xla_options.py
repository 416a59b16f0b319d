"""What XLA is told where it compiles for the CPU: to be done sooner, with code that is slower."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

# About what compiling costs so, beside XLA's own choice.
LOW_EFFORT = MappingProxyType({"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 0})  # a sixth
MEDIUM_EFFORT = MappingProxyType({"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 1})  # a third


def on_cpu(options: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Those of the options that this XLA knows, for `jax.jit` and `Lowered.compile`, where JAX runs on the CPU."""
    import jax

    return _known(tuple(options.items())) if jax.default_backend() == "cpu" else None


@cache
def _known(options: tuple[tuple[str, Any], ...]) -> Mapping[str, Any] | None:
    """Each is tried once a process: JAX 0.11.2 and later have no fusion emitters to turn off, and refuse the name."""
    known = options if _are_known(options) else [one for one in options if _are_known((one,))]
    return dict(known) or None


def _are_known(options: tuple[tuple[str, Any], ...]) -> bool:
    import jax

    try:
        jax.jit(lambda x: x).lower(0.0).compile(dict(options))
    except jax.errors.JaxRuntimeError:
        return False
    return True
