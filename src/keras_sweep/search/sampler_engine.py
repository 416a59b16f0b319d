"""An engine made of a sampler: it numbers trials, draws whole generations, and has repeated points drawn anew."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from keras_sweep.search.engine import Engine, Sampler
from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import MOST_LISTED, Params, SearchSpace, identity
from keras_sweep.trial.ranking import is_searched
from keras_sweep.trial.result import Result, Suggestion

FILLS = 10  # of a point to start with, before it counts as one that trials have had
RANDOM_REDRAWS = 1_000  # of a space too large to list, before it counts as exhausted


class SamplerEngine(Engine):
    """Asks by a sampler. Its random numbers depend on (search seed, number of trials so far) alone."""

    def __init__(self, name: str, sampler: Sampler, seed: int, start: Sequence[Params] = ()) -> None:
        """`start` are points, whole or in part, which the first trials of its own have."""
        self.name = name
        self.learns = sampler.learns
        self._sampler = sampler
        self._seen = SeenPoints(sampler.space)
        self._seed = seed
        self._start = start
        self._count = 0  # of results so far
        self._others = 0  # of them, those that no engine asked for

    def replay(self, generations: Sequence[Sequence[Result]]) -> None:
        for results in generations:
            self.tell(results)

    def ask(self, n: int) -> list[Suggestion]:
        return self.ask_ahead(n, 1)

    def ask_ahead(self, n: int, generations: int) -> list[Suggestion]:
        drawn: list[dict[str, Value]] = []
        for place in range(n if self.learns else n * generations):
            if place % n == 0:
                generator = np.random.default_rng([self._seed, self._count + place])
                self._sampler.begin(int(generator.integers(2**31)), generator)
            number = self._count + place
            if (point := self._started(number) or self.draw(number, generator)) is None:
                break
            drawn.append(point)
            self._seen.add(point)
        return [Suggestion(number, point) for number, point in enumerate(drawn, self._count)]

    def tell(self, results: Sequence[Result]) -> None:
        for result in results:
            self._count += 1
            self._others += not is_searched(result)
            self._seen.add(result.suggestion.params)
            self._sampler.learn(result)

    def _started(self, number: int) -> dict[str, Value] | None:
        """The point to start with that is this trial's; None where there is none, or another trial has that point."""
        place = number - self._others
        if place >= len(self._start):
            return None
        for _ in range(FILLS):
            point = self._sampler.fill(number, self._start[place])
            if point not in self._seen:
                return point
            self._sampler.drop(number)
        return None

    def draw(self, number: int, generator: np.random.Generator) -> dict[str, Value] | None:
        """A point that no trial has: the sampler's, or after `redraws` repeats one at random. None: there is none."""
        if self._seen.exhausted:
            return None
        for _ in range(self._sampler.redraws):
            point = self._sampler.draw(number)
            if point is None or point not in self._seen:
                return point
            self._sampler.drop(number)
        if self._sampler.space.size > MOST_LISTED:
            return self._seen.at_random(lambda: float(generator.random()), RANDOM_REDRAWS)
        left = list(self._seen.unseen())
        return left[int(generator.integers(len(left)))] if left else None


class SeenPoints:
    """The points of a space that are not to be drawn: trials have had them, or they break a constraint."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._seen: set[tuple[tuple[str, Value], ...]] = set()

    def add(self, params: Params) -> None:
        self._seen.add(identity(params))

    def __contains__(self, params: Params) -> bool:
        return identity(params) in self._seen or not self._space.allows(params)

    @property
    def exhausted(self) -> bool:
        """Whether every point of a finite space has had its trial."""
        space = self._space  # seen may be more than the space has: of another engine, or with other constants
        return len(self._seen) >= space.size and next(self.unseen(), None) is None

    def unseen(self) -> Iterator[dict[str, Value]]:
        """The points of a finite space that no trial has, in the order of the file."""
        return (point for point in self._space.points() if identity(point) not in self._seen)

    def at_random(self, unit: Callable[[], float], tries: int) -> dict[str, Value] | None:
        """The first of so many random points that no trial has; `unit` draws from [0, 1)."""
        for _ in range(tries):
            point = self._space.drawn(unit)
            if point is None or point not in self:
                return point
        return None
