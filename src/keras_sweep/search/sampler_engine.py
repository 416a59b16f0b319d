"""An engine made of a sampler: it numbers trials, draws whole generations and repeats none."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from keras_sweep.search.distinct import Distinct
from keras_sweep.search.engine import Engine
from keras_sweep.search.sampler import Sampler
from keras_sweep.space.distributions import Value
from keras_sweep.trial.result import Result, Suggestion


class SamplerEngine(Engine):
    """Asks by a sampler. Its random numbers depend on (search seed, number of trials so far) alone."""

    def __init__(self, name: str, sampler: Sampler, seed: int) -> None:
        self.name = name
        self._sampler = sampler
        self._distinct = Distinct(sampler)
        self._seed = seed
        self._count = 0  # of results so far

    def replay(self, generations: Sequence[Sequence[Result]]) -> None:
        """Take in all earlier results, generation by generation."""
        for results in generations:
            self.tell(results)

    def ask(self, n: int) -> list[Suggestion]:
        """At most n suggestions that repeat no trial; [] when the space is exhausted."""
        started = time.perf_counter()
        generator = np.random.default_rng([self._seed, self._count])
        self._sampler.begin(int(generator.integers(2**31)), generator)
        drawn: list[dict[str, Value]] = []
        while len(drawn) < n:
            point = self._distinct.draw(self._count + len(drawn), generator)
            if point is None:
                break
            drawn.append(point)
        seconds = (time.perf_counter() - started) / max(len(drawn), 1)
        return [Suggestion(self._count + index, point, sampler_seconds=seconds) for index, point in enumerate(drawn)]

    def tell(self, results: Sequence[Result]) -> None:
        """Learn results in the order of their numbers."""
        for result in results:
            self._count += 1
            self._distinct.add(result.params)
            self._sampler.learn(result)
