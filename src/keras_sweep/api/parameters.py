"""Ranges and choices of a `Spec`. Each becomes the block that a space file would have for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keras_sweep.space import distributions


@dataclass(frozen=True, slots=True)
class Float:
    """Real numbers from `min` to `max`; `log` draws uniformly in the logarithm, `step` keeps to multiples of it.

    `when={"optimizer": "sgd"}` makes the parameter part only of trials with that value (or one of a list).

    Raises:
        ValueError: the range is empty, not finite, or touches zero on a log scale.
    """

    min: float
    max: float
    log: bool = False
    step: float | None = None
    when: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        distributions.Float(self.min, self.max, self.log, self.step)

    def block(self) -> dict[str, Any]:
        """The keys of a space file."""
        ends = {"min": float(self.min), "max": float(self.max)}
        step = {"distribution": "q_uniform", "q": float(self.step)} if self.step is not None else {}
        return {**ends, **step, **({"log": True} if self.log else {}), **_when(self.when)}


@dataclass(frozen=True, slots=True)
class Int:
    """Whole numbers from `min` to `max`, both included; `log` and `when` as of `Float`, `step` counts from `min`.

    Raises:
        ValueError: the range is empty, or touches zero on a log scale.
    """

    min: int
    max: int
    log: bool = False
    step: int = 1
    when: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        distributions.Int(self.min, self.max, self.log, self.step)

    def block(self) -> dict[str, Any]:
        """The keys of a space file."""
        step = {"q": self.step} if self.step != 1 else {}
        return {"min": self.min, "max": self.max, **step, **({"log": True} if self.log else {}), **_when(self.when)}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some values, with equal or given probabilities. A plain list means the same without `when`.

    Raises:
        ValueError: there are no values, two of them are equal, or the probabilities do not fit.
    """

    values: Sequence[Any]
    probabilities: Sequence[float] | None = None
    when: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        weights = tuple(self.probabilities) if self.probabilities is not None else None
        distributions.Categorical(tuple(map(_hashable, self.values)), weights)

    def block(self) -> dict[str, Any]:
        """The keys of a space file."""
        weights = {"probabilities": list(self.probabilities)} if self.probabilities is not None else {}
        return {"values": list(self.values), **weights, **_when(self.when)}


def parameter_block(value: Any) -> Any:
    """What a space file has for a parameter of a `Spec`: a list is a choice, a scalar a constant, a dict stays."""
    if isinstance(value, Float | Int | Choice):
        return value.block()
    if isinstance(value, list | tuple | range):
        return {"values": list(value)}
    return value


def _when(when: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"when": dict(when)} if when else {}


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
