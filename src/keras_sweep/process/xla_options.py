"""What XLA is told where it compiles for the CPU: to be done sooner, with code that is slower."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

# About what compiling costs so, beside XLA's own choice.
HURRIED = MappingProxyType({"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 0})  # a sixth
QUICK = MappingProxyType({"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 1})  # a third


def on_cpu(options: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The options for `jax.jit` and `Lowered.compile`, where JAX runs on the CPU."""
    import jax

    return options if options and jax.default_backend() == "cpu" else None
