"""The base classes of the search: engine, sampler, and what a sampler can do.

An engine suggests trials and learns from their results. It trains nothing and keeps no file. Random numbers depend on
the search seed and the number of trials so far, so an engine rebuilt by `replay` continues as if never stopped.
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
    """Suggests trials to train, and learns from their results. By default it stops no trial and continues none.

    Calls come in this order, here with two trials a generation:

        engine.replay([[r0, r1]])        # state includes r0, r1
        s2, s3 = engine.ask(2)           # numbers 2 and 3
        engine.rung(1, {2: 0.7, 3: 0.4}) # -> {3}: trial 3 stops after epoch 1
        engine.tell([r2, r3])            # state includes r0 .. r3
    """

    name: str  # "optuna/tpe"
    learns = True  # whether suggestions depend on results

    def replay(self, generations: Sequence[Sequence[Result]]) -> None:
        """Learn all earlier results, generation by generation. Called once, before the first `ask`."""
        for results in generations:
            self.recall(results)
            self.tell(results)

    def recall(self, results: Sequence[Result]) -> None:
        """Repeat what was decided while a recorded generation trained. `tell` follows. By default does nothing."""

    @abstractmethod
    def ask(self, n: int) -> list[Suggestion]:
        """Return at most `n` suggestions, numbered after the last trial; [] if the space is exhausted. No suggestion
        repeats another trial's parameters, unless the suggestion `continues` that trial."""

    def ask_ahead(self, n: int, generations: int) -> list[Suggestion]:
        """Return suggestions for up to `generations` generations of `n` trials each. If suggestions depend on results,
        return only the next generation. By default, as `ask(n)`."""
        return self.ask(n)

    def generation_size(self, index: int, size: int) -> int:
        """Return the number of trials in generation `index`, counted from 0. By default `size`, the usual number."""
        return size

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Return the epochs, counted from 1, after which `rung` compares trials of `epochs` epochs. By default none."""
        return ()

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        """Return the numbers of the trials to stop, by default none. `values` maps trial number -> objective after
        `epoch`. Called in ascending order of epochs, with all trials of the generation that still train."""
        return frozenset()

    def pend(self, suggestions: Sequence[Suggestion]) -> None:
        """Count trials that train, so that `ask` continues before their results are known. By default does nothing."""

    @abstractmethod
    def tell(self, results: Sequence[Result]) -> None:
        """Learn the results of suggestions, sorted by trial number. The state FAIL counts as the worst result."""

    def continuable(self) -> frozenset[int]:
        """Return the numbers of trials that a later suggestion may continue. The caller keeps their weights."""
        return frozenset()


class Capabilities:
    """What a sampler can do. The space file's reader checks these class attributes before it creates a sampler."""

    learns = True  # whether draws depend on results
    learns_choices = True  # whether it learns parameters that are choices; if not, it draws them at random
    learns_conditions = True  # whether it learns parameters that only some trials have; if not, it draws them at random
    learns_goals = False  # whether it learns several goals at once
    learns_others = True  # whether it learns from trials that another sampler drew
    draws_ranges = True  # whether it draws any value of a continuous range; if not, it cuts a range into a few values
    draws_early = False  # whether it can draw while earlier trials still train, as `search.pace` needs
    draws_probabilities = False  # whether it draws choices by their `probabilities`
    sets_epochs = False  # whether it sets the epochs of trials, stops poor trials and continues good trials


class Sampler(Capabilities, ABC):
    """Draws points of a space and learns from results. A subclass needs only `draw`. `SamplerEngine` makes an engine of
    a sampler and handles points that are drawn twice. All random numbers must come from the arguments of `begin`, so
    that a sampler rebuilt from results continues as if never stopped."""

    redraws = 20  # draws for a trial, before a random point replaces a repeated point

    def __init__(self, spec: SweepSpec) -> None:
        self.space = spec.space  # the space to draw from: the spec's, or a grid cut from it

    def begin(self, seed: int, generator: np.random.Generator) -> None:
        """Begin a generation. Draws of the generation must take random numbers only from `seed` or `generator`."""

    @abstractmethod
    def draw(self, number: int) -> dict[str, Value] | None:
        """Return a point (parameter -> value, with constants) for trial `number`, or None if no point is left."""

    def fill(self, number: int, given: Params) -> dict[str, Value]:
        """Return a point for trial `number`: the values `given`, completed by default with values from `draw`."""
        return self.space.fill_point(given, self.draw(number) or {})

    def drop(self, number: int) -> None:
        """Forget the last point drawn for trial `number`: it will not be trained. By default does nothing."""

    def learn(self, result: Result) -> None:
        """Learn a result, maybe of a point that this sampler did not draw. The state FAIL counts as the worst."""
