"""The samplers that are not Optuna's: the grid, CMA-ES, and Sobol's sequence."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from cmaes import CMA

from keras_sweep.errors import UsageError
from keras_sweep.search.engine import Sampler
from keras_sweep.space.distributions import Categorical, Float, Value, unit_of
from keras_sweep.space.search_space import MOST_LISTED, Parameter, Params, SearchSpace
from keras_sweep.space.sweep_spec import GENERATION, SweepSpec
from keras_sweep.trial.result import Result

POINTS_A_RANGE = 10  # what a continuous range is cut into
SPREAD = 1 / 6  # standard deviation to begin with, in each range from 0 to 1; that of Optuna's sampler


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
        hint = "Use `sampler: random`, or give continuous ranges as `values`"
        raise UsageError("no point of a grid meets `where`", hint=hint)
    return cut


def shuffled_points(space: SearchSpace, seed: int) -> list[dict[str, Value]]:
    """All points of a finite space. Raises UsageError where there are more than `MOST_LISTED`."""
    if space.size > MOST_LISTED:
        message = f"a grid of more than {MOST_LISTED:,} points can't be listed"
        raise UsageError(message, hint="Use `sampler: random`, or fewer values")
    points = list(space.points())
    return [points[index] for index in np.random.default_rng(seed).permutation(len(points))]


class CmaEs(Sampler):
    """CMA-ES over the ranges that every trial has, each from 0 to 1 as it is drawn; the rest is drawn at random.

    A normal distribution moves to where results are good (Hansen 2016, "The CMA Evolution Strategy: A Tutorial",
    arXiv:1604.00772). Optuna's sampler of that name keeps its state pickled beside trials. Here it follows from results
    in the order of trials, so it is rebuilt from a record to the bit, and nothing of a record is unpickled.
    """

    learns_choices = False
    learns_conditions = False

    def __init__(self, spec: SweepSpec) -> None:
        super().__init__(spec)
        self._objective = spec.objective
        self._names = [one.name for one in spec.space.parameters if moves(one)]
        self._told: list[tuple[np.ndarray, float]] = []  # results since the distribution moved: x [D], cost
        self._cma = None
        if dimensions := len(self._names):
            # The distribution moves by the results of a generation, or by those that so many dimensions need.
            size = max(4 + math.floor(3 * math.log(dimensions)), spec.search.generation or GENERATION)
            bounds = np.array([[0.0, 1.0]] * dimensions)
            self._cma = CMA(np.full(dimensions, 0.5), SPREAD, bounds, population_size=size, seed=0)

    def begin(self, seed: int, generator: np.random.Generator) -> None:
        self._generator = generator
        if self._cma is not None:
            self._cma.reseed_rng(seed)

    def draw(self, number: int) -> dict[str, Value]:
        del number
        places = dict(zip(self._names, self._cma.ask().tolist(), strict=True)) if self._cma is not None else {}
        units = (places.get(one.name, float(self._generator.random())) for one in self.space.parameters)
        return self.space.at(units)

    def learn(self, result: Result) -> None:
        searched = self.space.searched(result.params)
        if self._cma is None or searched is None:
            return
        places = {one.name: unit_of(one.distribution, value) for one, value in searched if one.name in self._names}
        cost = math.inf if result.value is None else self._objective.key(result.value)
        self._told.append((np.array([places[name] for name in self._names]), cost))
        if len(self._told) == self._cma.population_size:
            self._cma.tell(self._told)
            self._told = []


def moves(parameter: Parameter) -> bool:
    """Whether CMA-ES moves in this parameter: a range of numbers that every trial has."""
    return not isinstance(parameter.distribution, Categorical) and not parameter.when


class QuasiRandom(Sampler):
    """A scrambled Sobol sequence (Sobol 1967, scrambled as Matousek 1998): trial n has its n-th point."""

    learns = False
    redraws = 1

    def __init__(self, spec: SweepSpec) -> None:
        super().__init__(spec)
        self._units = self._sequence(spec.search.seed)
        self._points: list[dict[str, Value]] = []  # of the sequence so far those that `where` allows

    def draw(self, number: int) -> dict[str, Value] | None:
        while len(self._points) <= number:
            if (point := self.space.drawn(lambda: next(self._units))) is None:
                return None
            self._points.append(point)
        return self._points[number]

    def _sequence(self, seed: int) -> Iterator[float]:
        from scipy.stats import qmc

        sequence = qmc.Sobol(len(self.space.parameters), scramble=True, rng=np.random.default_rng(seed))
        while True:
            yield from sequence.random(1)[0].tolist()
