"""The base classes of the search: engine, sampler, and what a sampler can do.

An engine suggests trials and learns from their results. It trains nothing and keeps no file. Its random numbers depend
on the search seed and the number of trials so far, so an engine rebuilt by `replay` continues as if never stopped.
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
    """Suggests what to train next. By default it stops no trial and continues none.

    Calls come in this order, here with two trials a generation:

        engine.replay([[r0, r1]])        # state includes r0, r1
        s2, s3 = engine.ask(2)           # numbers 2 and 3
        engine.rung(1, {2: 0.7, 3: 0.4}) # -> {3}: trial 3 stops after epoch 1
        engine.tell([r2, r3])            # state includes r0 .. r3
    """

    name: str  # "optuna/tpe"
    learns = True  # whether suggestions depend on results

    @abstractmethod
    def replay(self, generations: Sequence[Sequence[Result]]) -> None:
        """Learn all earlier results, generation by generation. Called once, before the first `ask`."""

    @abstractmethod
    def ask(self, n: int) -> list[Suggestion]:
        """Return at most n suggestions with the numbers after the last trial; [] when the space is exhausted.

        No suggestion repeats the parameters of another trial, unless it `continues` that trial.
        """

    def ask_ahead(self, n: int, generations: int) -> list[Suggestion]:
        """Return suggestions for up to `generations` generations of n; only for the next, if results change them."""
        return self.ask(n)

    def generation_size(self, index: int, size: int) -> int:
        """Return the number of trials in generation `index`, by default `size`, as in other generations."""
        return size

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Return the epochs, counted from 1, after which a trial of `epochs` epochs calls `rung`; () for none."""
        return ()

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        """Return the numbers of the trials to stop, from the objective of each trial after `epoch`.

        Called in ascending order of epochs, with all trials of the generation that still train.
        """
        return frozenset()

    @abstractmethod
    def tell(self, results: Sequence[Result]) -> None:
        """Learn the results of suggestions, in order of number. A FAIL counts as the worst."""

    def continuable(self) -> frozenset[int]:
        """Return the numbers of trials that a later suggestion may continue. Called between `tell` and `ask`."""
        return frozenset()


class Capabilities:
    """What a sampler can do: class attributes, which a space file's reader checks before it makes a sampler."""

    learns = True  # whether draws depend on results
    learns_choices = True  # from parameters that are choices; else it draws them at random
    learns_conditions = True  # from parameters that only some trials have; else it draws them at random
    learns_goals = False  # from several goals at once
    learns_others = True  # from trials that another sampler drew, as results come
    draws_ranges = True  # any value of a continuous range; else it uses a few values of the range
    draws_probabilities = False  # choices by their `probabilities`
    sets_epochs = False  # it sets the epochs of trials, stops poor trials and continues good trials


class Sampler(Capabilities, ABC):
    """Draws points of a space and learns from results. A subclass needs only `draw`.

    `SamplerEngine` makes an engine of a sampler and handles points that are drawn twice. All random numbers must come
    from the arguments of `begin`, so that a sampler rebuilt from results continues as if never stopped.
    """

    redraws = 20  # draws for a trial, before a random point replaces a repeated point

    def __init__(self, spec: SweepSpec) -> None:
        self.space = spec.space  # the space to draw from: the spec's, or a grid cut from it

    def begin(self, seed: int, generator: np.random.Generator) -> None:
        """Begin a generation: use these random numbers for its draws."""

    @abstractmethod
    def draw(self, number: int) -> dict[str, Value] | None:
        """Return a point for trial `number`, with constants; None when there are no more."""

    def fill(self, number: int, given: Params) -> dict[str, Value]:
        """Return a point for trial `number` with the given values, and by default other values from `draw`."""
        return self.space.fill_point(given, self.draw(number) or {})

    def drop(self, number: int) -> None:
        """Forget the last draw for trial `number`, which will not be trained."""

    def learn(self, result: Result) -> None:
        """Learn a result, which may be of a point that this sampler did not draw. A FAIL counts as the worst."""
