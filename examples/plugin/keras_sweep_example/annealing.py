"""A sampler that another package brings: `search: {sampler: annealing}` once this package is installed."""

from collections.abc import Mapping

import numpy as np

from keras_sweep.search.engine import Sampler
from keras_sweep.space.distributions import Categorical, Value, to_unit
from keras_sweep.space.search_space import Parameter
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.trial.result import Result

COOLING = 0.97  # of the step, and of what a worse point may cost, with each result


class Annealing(Sampler):
    """Threshold accepting (Dueck & Scheuer 1990): steps from the point that was accepted last, smaller each time.

    Its state follows from the results alone, and its random numbers come from the generator of each generation. So a
    search that was stopped goes on as if it had not been.
    """

    def __init__(self, spec: SweepSpec) -> None:
        super().__init__(spec)
        self._objective = spec.objective
        self._accepted: Mapping[str, Value] = {}
        self._cost = float("inf")
        self._step = 0.5  # of each range from 0 to 1

    def begin(self, seed: int, generator: np.random.Generator) -> None:
        self._generator = generator

    def draw(self, number: int) -> dict[str, Value]:
        return self.space.assign_values(self._neighbor)

    def learn(self, result: Result) -> None:
        self._step *= COOLING
        if (
            result.value is None or self.space.match_values(result.params) is None
        ):  # failed, or a trial of another space
            return
        cost = self._objective.key(result.value)  # less is better
        if cost <= self._cost + 0.1 * self._step:
            self._accepted, self._cost = result.params, cost

    def _neighbor(self, parameter: Parameter) -> Value:
        drawn, value = parameter.distribution, self._accepted.get(parameter.name)
        is_far = parameter.name not in self._accepted or not drawn.contains(value)
        if is_far or isinstance(drawn, Categorical):
            stays = not is_far and self._generator.random() > self._step
            return value if stays else drawn.at(float(self._generator.random()))
        place = to_unit(drawn, value) + self._step * float(self._generator.normal())
        return drawn.at(float(np.clip(place, 0.0, np.nextafter(1.0, 0.0))))
