"""CMA-ES: a normal distribution that moves to where results are good (Hansen 2016, "The CMA Evolution Strategy: A
Tutorial", arXiv:1604.00772), by the package `cmaes`.

Optuna's sampler of that name keeps its state pickled beside trials. Here the state follows from results alone, taken in
the order of trials: so it is rebuilt from a record to the bit, and nothing of a record is unpickled.
"""

import math

import numpy as np
from cmaes import CMA

from keras_sweep.search.engine import Sampler
from keras_sweep.space.distributions import Categorical, Value, unit_of
from keras_sweep.space.search_space import Parameter
from keras_sweep.space.sweep_spec import GENERATION, SweepSpec
from keras_sweep.trial.result import Result

SPREAD = 1 / 6  # standard deviation to begin with, in each range from 0 to 1; that of Optuna's sampler


def moves(parameter: Parameter) -> bool:
    """Whether the distribution is over this parameter: a range of numbers that every trial has. Others are drawn at
    random."""
    return not isinstance(parameter.distribution, Categorical) and not parameter.when


class CmaEs(Sampler):
    """CMA-ES over the ranges that every trial has, each from 0 to 1 as it is drawn, logarithms among them."""

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
