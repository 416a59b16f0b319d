"""The grid: every point of a finite space, in an order that the seed shuffles."""

import math
from dataclasses import replace

import numpy as np

from keras_sweep.errors import UsageError
from keras_sweep.search.engine import Sampler
from keras_sweep.space.distributions import Categorical, Float, Value
from keras_sweep.space.search_space import MOST_LISTED, Params, SearchSpace
from keras_sweep.space.sweep_spec import SweepSpec

POINTS_A_RANGE = 10  # what a continuous range is cut into


class Grid(Sampler):
    """Every point of the space, ranges cut into a few values, in an order that the search seed shuffles."""

    learns = False
    draws_ranges = False

    def __init__(self, spec: SweepSpec) -> None:
        self.space = grid_space(spec.space)
        self._points = shuffled_points(self.space, spec.search.seed)
        self._left = iter(self._points)
        self.redraws = len(self._points) + 1  # once through all of them

    def draw(self, number: int) -> dict[str, Value] | None:
        del number
        return next(self._left, None)

    def fill(self, number: int, given: Params) -> dict[str, Value]:
        """The first point of the grid that has the given values, or one beside the grid where it has none."""
        del number
        fits = (point for point in self._points if given.items() <= point.items())
        return self.space.filled(given, next(fits, self._points[0]))


def grid_space(space: SearchSpace) -> SearchSpace:
    """The space with continuous ranges cut into `POINTS_A_RANGE` values. Raises UsageError: `where` allows none."""
    parameters = []
    for parameter in space.parameters:
        searched = parameter.distribution
        if isinstance(searched, Float) and searched.size == math.inf:
            inner = (searched.at(index / (POINTS_A_RANGE - 1)) for index in range(1, POINTS_A_RANGE - 1))
            parameter = replace(parameter, distribution=Categorical((searched.low, *inner, searched.high)))
        parameters.append(parameter)
    cut = replace(space, parameters=tuple(parameters))
    if space.where and cut.size == 0:
        raise UsageError(
            "no point of a grid meets `where`", hint="Use `sampler: random`, or give continuous ranges as `values`"
        )
    return cut


def shuffled_points(space: SearchSpace, seed: int) -> list[dict[str, Value]]:
    """All points of a finite space. Raises UsageError where there are more than `MOST_LISTED`."""
    if space.size > MOST_LISTED:
        raise UsageError(
            f"a grid of more than {MOST_LISTED:,} points can't be listed",
            hint="Use `sampler: random`, or fewer values",
        )
    points = list(space.points())
    return [points[index] for index in np.random.default_rng(seed).permutation(len(points))]
