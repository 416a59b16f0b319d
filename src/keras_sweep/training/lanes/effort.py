"""How much compiling a program is worth: a function of shapes and of the longest trial, never of a clock.

XLA's own choice suits a program that trains for minutes. A small model trains in less time than that takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training import compiling
from keras_sweep.trial.plan import DEFAULT_EPOCHS


class Effort(Enum):
    """What XLA is told where it compiles for the CPU."""

    LOW = compiling.LOW_EFFORT
    MEDIUM = compiling.MEDIUM_EFFORT
    FULL = MappingProxyType[str, Any]({})

    @property
    def options(self) -> Mapping[str, Any] | None:
        """For `jax.jit` and `Lowered.compile`."""
        return compiling.on_cpu(self.value)


# Numbers that the longest trial computes, weights and outputs of layers. Code of low effort takes 50 ns more for each.
LOW, MEDIUM = 4e6, 1e8


def effort(numbers: float) -> Effort:
    """What a program is worth whose lanes compute so many numbers each."""
    if numbers <= LOW:
        return Effort.LOW
    return Effort.MEDIUM if numbers <= MEDIUM else Effort.FULL


def most_epochs(spec: SweepSpec) -> int:
    """The most that a trial of this space may train."""
    return spec.space.least_and_most("epochs", DEFAULT_EPOCHS)[1]
