"""Turn a sampler into an engine: number trials, draw whole generations, and draw again if a point is repeated."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from keras_sweep.search.engine import Engine, Sampler
from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import MOST_LISTED, Params, SearchSpace, identity
from keras_sweep.trial.ranking import is_searched
from keras_sweep.trial.result import Result, Suggestion

FILLS = 10  # tries to complete a start point, before it counts as repeated
RANDOM_REDRAWS = 1_000  # random points of a space too large to list, before it counts as exhausted


class SamplerEngine(Engine):
    """An engine whose sampler draws points. Random numbers depend only on the search seed and the number of earlier
    trials, so a resumed search repeats them."""

    def __init__(self, name: str, sampler: Sampler, seed: int, start: Sequence[Params] = ()) -> None:
        """`name`: "optuna/tpe". `start`: points, complete or partial, for the first trials that the engine suggests."""
        self.name = name
        self.learns = sampler.learns
        self._sampler = sampler
        self._seen = SeenPoints(sampler.space)
        self._seed = seed
        self._start = start
        self._count = 0  # trials so far
        self._foreign = 0  # results so far of trials that no engine suggested

    def ask(self, n: int) -> list[Suggestion]:
        return self.ask_ahead(n, 1)

    def ask_ahead(self, n: int, generations: int) -> list[Suggestion]:
        points: list[dict[str, Value]] = []
        for place in range(n if self.learns else n * generations):
            if place % n == 0:
                generator = np.random.default_rng([self._seed, self._count + place])
                self._sampler.begin(int(generator.integers(2**31)), generator)
            number = self._count + place
            if (point := self._fill_start_point(number) or self.draw(number, generator)) is None:
                break
            points.append(point)
            self._seen.add(point)
        return [Suggestion(number, point) for number, point in enumerate(points, self._count)]

    def pend(self, suggestions: Sequence[Suggestion]) -> None:
        for suggestion in suggestions:
            self._count = suggestion.number + 1
            self._seen.add(suggestion.params)
            if self._sampler.draws_early:
                self._sampler.drop(suggestion.number)  # as in a resumed search, which has never drawn the trial

    def tell(self, results: Sequence[Result]) -> None:
        for result in results:
            self._count = max(self._count, result.number + 1)
            self._foreign += not is_searched(result)
            self._seen.add(result.suggestion.params)
            self._sampler.learn(result)

    def _fill_start_point(self, number: int) -> dict[str, Value] | None:
        """Return the completed start point of trial `number`; None if it has none, or the point repeats a trial."""
        place = number - self._foreign
        if place >= len(self._start):
            return None
        for _ in range(FILLS):
            point = self._sampler.fill(number, self._start[place])
            if point not in self._seen:
                return point
            self._sampler.drop(number)
        return None

    def draw(self, number: int, generator: np.random.Generator) -> dict[str, Value] | None:
        """Return a new point for trial `number`: the sampler's, or a random point of `generator` if the sampler only
        repeats points. Return None if no point is left."""
        if self._seen.is_exhausted:
            return None
        for _ in range(self._sampler.redraws):
            point = self._sampler.draw(number)
            if point is None or point not in self._seen:
                return point
            self._sampler.drop(number)
        if self._sampler.space.size > MOST_LISTED:
            return self._seen.draw_unseen(lambda: float(generator.random()), RANDOM_REDRAWS)
        points_left = list(self._seen.unseen())
        return points_left[int(generator.integers(len(points_left)))] if points_left else None


class SeenPoints:
    """The points of a space that must not be drawn: points of earlier trials, and points that break a constraint."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._seen: set[tuple[tuple[str, Value], ...]] = set()

    def add(self, params: Params) -> None:
        self._seen.add(identity(params))

    def __contains__(self, params: Params) -> bool:
        return identity(params) in self._seen or not self._space.allows(params)

    @property
    def is_exhausted(self) -> bool:
        """Whether every point of a finite space that the constraints allow has had a trial."""
        space = self._space  # `_seen` may hold points outside it, from another engine or with other constants
        return len(self._seen) >= space.size and next(self.unseen(), None) is None

    def unseen(self) -> Iterator[dict[str, Value]]:
        """Yield the points of a finite space that no trial has had, in the order of values in the space file."""
        return (point for point in self._space.points() if identity(point) not in self._seen)

    def draw_unseen(self, unit: Callable[[], float], tries: int) -> dict[str, Value] | None:
        """Return a random point that no trial has had; None after `tries` draws. `unit` returns a number in [0, 1)."""
        for _ in range(tries):
            point = self._space.drawn(unit)
            if point is None or point not in self:
                return point
        return None
