"""The base classes of searching: what an engine and a sampler say, and what a sampler can do.

An engine asks for trials and learns from their results; it never trains and keeps no file. Its random numbers follow
from (search seed, number of trials so far), so one rebuilt by `replay` goes on as if it had never stopped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import Params
from keras_sweep.trial.result import Result, Suggestion

if TYPE_CHECKING:
    import numpy as np

    from keras_sweep.space.sweep_spec import SweepSpec


class Engine(ABC):
    """Decides what to train next. By default it stops no trial, and has none continued.

    A worked example of the order of calls, with two trials a generation:

        engine.replay([[r0, r1]])        # state includes r0, r1
        s2, s3 = engine.ask(2)           # numbers 2 and 3
        engine.rung(1, {2: 0.7, 3: 0.4}) # -> {3}: trial 3 is to stop after epoch 1
        engine.tell([r2, r3])            # state includes r0 .. r3
    """

    name: str  # "optuna/tpe"
    learns = True  # whether what it asks depends on results

    @abstractmethod
    def replay(self, generations: Sequence[Sequence[Result]]) -> None:
        """Take in all earlier results, generation by generation. Called once, before the first `ask`."""

    @abstractmethod
    def ask(self, n: int) -> list[Suggestion]:
        """At most n suggestions, numbered on from the last; empty when the space is exhausted.

        No suggestion repeats the parameters of another trial, unless it `continues` it.
        """

    def ask_ahead(self, n: int, generations: int) -> list[Suggestion]:
        """The suggestions of at most so many generations of n, if no result can change them. By default of one."""
        return self.ask(n)

    def generation_size(self, index: int, size: int) -> int:
        """How many trials generation `index` has, if those of others have `size`. By default they are all alike."""
        return size

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """The epochs, counted from 1, after which `rung` is to be called for a trial of so many epochs; () for none."""
        return ()

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        """The numbers of the trials to stop, given the objective of each trial of the generation after `epoch`.

        Called in ascending order of epochs, with all trials of the generation that still train there.
        """
        return frozenset()

    @abstractmethod
    def tell(self, results: Sequence[Result]) -> None:
        """Learn the results of what was asked, in the order of their numbers. A FAIL counts as the worst."""

    def continuable(self) -> frozenset[int]:
        """The numbers of the trials told so far that a later suggestion may continue; all others end for good.

        Called between `tell` and `ask`.
        """
        return frozenset()


class Capabilities:
    """What a sampler can do. The reader of a space file asks this of the class, before a sampler is made."""

    learns = True  # whether what it draws depends on results
    learns_choices = True  # from parameters that are choices; else it draws them at random
    learns_conditions = True  # from parameters that only some trials have; else it draws them at random
    learns_goals = False  # from several goals at once
    learns_others = True  # from trials that another sampler drew, as results come
    draws_ranges = True  # any value of a continuous range; else it cuts the range into a few
    draws_probabilities = False  # choices by their `probabilities`
    sets_epochs = False  # it gives trials their epochs, stops poor ones and continues good ones


class Sampler(Capabilities, ABC):
    """Draws points of a space and learns from results. A class that derives from this needs `draw` alone.

    `SamplerEngine` makes an engine of it, which sees to points that it draws twice. All its random numbers come from
    what `begin` gives it, so that one rebuilt from results goes on as if it had never stopped.
    """

    redraws = 20  # how often it is asked for one trial, before a point that it repeats is replaced at random

    def __init__(self, spec: SweepSpec) -> None:
        self.space = spec.space  # what it draws from: the spec's, or a grid cut from it

    def begin(self, seed: int, generator: np.random.Generator) -> None:
        """A generation is about to be drawn: take these for it."""

    @abstractmethod
    def draw(self, number: int) -> dict[str, Value] | None:
        """A point for trial `number`, constants included; None when there are no more."""

    def fill(self, number: int, given: Params) -> dict[str, Value]:
        """A point for trial `number` which has the given values. By default what is not given is as in a draw."""
        return self.space.fill_point(given, self.draw(number) or {})

    def drop(self, number: int) -> None:
        """What was drawn last for trial `number` is not trained. There is nothing to learn from it."""

    def learn(self, result: Result) -> None:
        """Take in a result, of a point of its own or of somebody else's. A FAIL counts as the worst."""
