"""The sampler protocol: the least that a way of searching has to say. `SamplerEngine` makes an engine of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.trial.result import Result

if TYPE_CHECKING:
    import numpy as np


class Sampler(Protocol):
    """Draws points of a space and learns from results. It may draw a point twice: `Distinct` sees to that.

    It knows nothing of numbers of trials in total, of rungs, or of a record. All its random numbers come from what
    `begin` gives it, so that one rebuilt from results goes on as if it had never stopped.
    """

    space: SearchSpace  # what it draws from: the spec's, or a grid cut from it
    redraws: int  # how often it is asked for one trial, before a point that it repeats is replaced at random

    def begin(self, seed: int, generator: np.random.Generator) -> None:
        """A generation is about to be drawn: take these for it."""

    def draw(self, number: int) -> dict[str, Value] | None:
        """A point for trial `number`, constants included; None when there are no more."""

    def drop(self, number: int) -> None:
        """What was drawn last for trial `number` is not trained. There is nothing to learn from it."""

    def learn(self, result: Result) -> None:
        """Take in a result, of a point of its own or of somebody else's. A FAIL counts as the worst."""
