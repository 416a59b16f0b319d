"""Every sampler: Optuna's, on a study held in memory; the grid, CMA-ES and Sobol's sequence.

A library is imported when a sampler is made: what it can do is known without it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_sweep.errors import MissingPackage, UsageError
from keras_sweep.search.engine import Sampler
from keras_sweep.space.distributions import (
    Categorical,
    Distribution,
    Float,
    Value,
    optuna_distribution,
    to_scalar,
    unit_of,
)
from keras_sweep.space.search_space import MOST_LISTED, Parameter, Params, SearchSpace
from keras_sweep.space.sweep_spec import GENERATION, SweepSpec
from keras_sweep.trial.result import Result, TrialState

if TYPE_CHECKING:
    import optuna

POINTS_A_RANGE = 10  # what a grid cuts a continuous range into
SPREAD = 1 / 6  # CMA-ES's standard deviation to begin with, in each range from 0 to 1; that of Optuna's sampler


class OptunaSampler(Sampler):
    """What all have in common that draw by a sampler of Optuna's."""

    kind: str  # the class of `optuna.samplers`
    arguments: Mapping[str, Any] = MappingProxyType({})  # of that class, beside the seed

    def __init__(self, spec: SweepSpec) -> None:
        import optuna

        super().__init__(spec)
        self._optuna: Any = optuna
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._objective = spec.objective
        self._begin_study(spec.search.seed)

    def _begin_study(self, seed: int) -> None:
        directions = [one.value for one in self._objective.directions]
        self._study: optuna.Study = self._optuna.create_study(directions=directions, sampler=self._make_sampler(seed))
        self._asked: dict[int, optuna.Trial] = {}  # number -> a trial that the study takes for running

    def begin(self, seed: int, generator: np.random.Generator) -> None:
        self._generator = generator
        self._study.sampler = self._make_sampler(seed)

    def draw(self, number: int) -> dict[str, Value]:
        return self.fill(number, {})

    def fill(self, number: int, given: Params) -> dict[str, Value]:
        trial = self._asked[number] = self._study.ask()
        return self.space.assign_values(lambda parameter: self._value(trial, parameter), given)

    def drop(self, number: int) -> None:
        if (trial := self._asked.pop(number, None)) is not None:
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)

    def learn(self, result: Result) -> None:
        self.drop(result.number)
        if (searched := self.space.match_values(result.params)) is None:  # it is of another space
            return
        score, pruned = result.value, result.state is TrialState.PRUNED
        further = [result.goal(one.name) for one in self._objective.further]
        values = [value for value in (score, *further) if value is not None]
        trial = self._optuna.trial.create_trial(  # samplers rank a pruned trial without a value as the worst
            state=self._optuna.trial.TrialState[result.state.value if score is not None else "PRUNED"],
            values=values if score is not None else None,
            params={one.key: _optuna_value(one.distribution, value) for one, value in searched},
            distributions={one.key: optuna_distribution(one.distribution) for one, _ in searched},
            intermediate_values={result.epochs: score} if score is not None and pruned else {},
        )
        self._add(trial)

    def _add(self, trial: optuna.trial.FrozenTrial) -> None:
        self._study.add_trial(trial)

    def _value(self, trial: optuna.Trial, parameter: Parameter) -> Value:
        name, distribution = parameter.key, parameter.distribution
        if isinstance(distribution, Categorical):
            scalars = [to_scalar(choice) for choice in distribution.choices]
            return distribution.choices[scalars.index(trial.suggest_categorical(name, scalars))]
        suggest = trial.suggest_float if isinstance(distribution, Float) else trial.suggest_int
        return suggest(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)  # type: ignore[arg-type]

    def _make_sampler(self, seed: int) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            return getattr(self._optuna.samplers, self.kind)(seed=seed, **self.arguments)


def _optuna_value(distribution: Distribution, value: Value) -> Any:
    if not isinstance(distribution, Categorical):
        return value
    return to_scalar(distribution.choices[distribution.choices.index(value)])


class Tpe(OptunaSampler):
    """The tree-structured Parzen estimator, on all parameters of a trial together."""

    learns_goals = True
    kind = "TPESampler"

    def __init__(self, spec: SweepSpec) -> None:
        conditional = any(parameter.when for parameter in spec.space.parameters)
        self.arguments = {"multivariate": True, "group": conditional, "constant_liar": True}
        super().__init__(spec)


class Nsga2(OptunaSampler):
    """NSGA-II (Deb et al. 2002): of `GENERATION` trials that complete, and their parents, the best have children."""

    learns_goals = True
    kind = "NSGAIISampler"
    arguments = MappingProxyType({"population_size": GENERATION})

    def _add(self, trial: optuna.trial.FrozenTrial) -> None:
        # Optuna notes which generation a trial is of, and who that has for parents, only where a trial has not ended:
        # so each of the record is begun here, and ended, and both are noted as they were when it was asked for.
        self._study.enqueue_trial(trial.params)
        asked = self._study.ask(trial.distributions)
        sampler: Any = self._study.sampler
        generation = sampler.get_trial_generation(self._study, self._study.get_trials(deepcopy=False)[-1])
        sampler.get_parent_population(self._study, generation)
        states = self._optuna.trial.TrialState
        completed = trial.state is states.COMPLETE
        self._study.tell(asked, trial.values if completed else None, states.COMPLETE if completed else states.FAIL)


class Gp(OptunaSampler):
    """A Gaussian process over what every trial has; the rest is drawn at random."""

    learns_conditions = False
    learns_goals = True
    kind = "GPSampler"
    arguments = MappingProxyType({"warn_independent_sampling": False})

    def __init__(self, spec: SweepSpec) -> None:
        if find_spec("torch") is None:
            raise MissingPackage("`sampler: gp` needs torch", hint="pip install 'keras-sweep[torch]'")
        super().__init__(spec)
        self._results: list[Result] = []

    def begin(self, seed: int, generator: np.random.Generator) -> None:
        # Optuna leaves out failed and pruned trials here. Which value is the worst changes as results come, so that the
        # study is made anew for each generation.
        self._generator = generator
        self._begin_study(seed)
        values = [result.value for result in self._results if result.value is not None]
        for result in self._results:
            if values and not self._objective.further:
                value = max(values, key=self._objective.key) if result.value is None else result.value
                result = replace(result, value=value, state=TrialState.COMPLETE)
            super().learn(result)

    def learn(self, result: Result) -> None:
        self._results.append(result)


class Random(OptunaSampler):
    """Independent draws; choices by their probabilities."""

    learns = False
    draws_probabilities = True
    kind = "RandomSampler"

    def _value(self, trial: optuna.Trial, parameter: Parameter) -> Value:
        distribution = parameter.distribution
        if isinstance(distribution, Categorical) and distribution.probabilities:  # Optuna knows none
            return distribution.at(float(self._generator.random()))
        return super()._value(trial, parameter)


class Grid(Sampler):
    """Every point of the space, ranges cut into a few values, in an order that the search seed shuffles."""

    learns = False
    draws_ranges = False

    def __init__(self, spec: SweepSpec) -> None:
        self.space = grid_space(spec.space)
        self._points = shuffle_points(self.space, spec.search.seed)
        self._left = iter(self._points)
        self.redraws = len(self._points) + 1  # once through all of them

    def draw(self, number: int) -> dict[str, Value] | None:
        del number
        return next(self._left, None)

    def fill(self, number: int, given: Params) -> dict[str, Value]:
        """The first point of the grid that has the given values, or one beside the grid where it has none."""
        del number
        fits = (point for point in self._points if given.items() <= point.items())
        return self.space.fill_point(given, next(fits, self._points[0]))


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


def shuffle_points(space: SearchSpace, seed: int) -> list[dict[str, Value]]:
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
        from cmaes import CMA  # with all of SciPy

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
        searched = self.space.match_values(result.params)
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
