"""Optuna's samplers on a study in memory, and our own grid, CMA-ES and Sobol sequence. Libraries load on first use."""

from __future__ import annotations

import heapq
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_sweep.errors import MissingPackage, UsageError
from keras_sweep.search.engine import Sampler
from keras_sweep.space.distributions import Categorical, Distribution, Float, Value, to_optuna, to_scalar, to_unit
from keras_sweep.space.search_space import MOST_LISTED, Parameter, Params, SearchSpace
from keras_sweep.space.sweep_spec import GENERATION, SweepSpec
from keras_sweep.trial.ranking import front
from keras_sweep.trial.result import Result, TrialState

if TYPE_CHECKING:
    import optuna

POINTS_A_RANGE = 10  # points of a grid per continuous range
MOST_LEARNED = 256  # results that a sampler learns from, so that 10,000 trials cost no more than 1,000
BEST_LEARNED = 25  # the most trials that Optuna's TPE counts as good
SPREAD = 1 / 6  # CMA-ES's first standard deviation, in each range from 0 to 1, as in Optuna's sampler


class OptunaSampler(Sampler):
    """The base of samplers that draw with a class of `optuna.samplers`, which the attribute `kind` names."""

    kind: str  # the class of `optuna.samplers`
    arguments: Mapping[str, Any] = MappingProxyType({})  # of the class, beside the seed

    def __init__(self, spec: SweepSpec) -> None:
        import optuna

        super().__init__(spec)
        self._optuna: Any = optuna
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._objective = spec.objective
        self._results: list[Result] = []  # that `choose_results` chooses from
        self._begin_study(spec.search.seed)

    def _begin_study(self, seed: int) -> None:
        directions = [direction.value for direction in self._objective.directions]
        self._study: optuna.Study = self._optuna.create_study(directions=directions, sampler=self._make_sampler(seed))
        self._running: dict[int, optuna.Trial] = {}  # number -> a trial that the study counts as running

    def begin(self, seed: int, generator: np.random.Generator) -> None:
        self._generator = generator
        self._study.sampler = self._make_sampler(seed)

    def draw(self, number: int) -> dict[str, Value]:
        return self.fill(number, {})

    def fill(self, number: int, given: Params) -> dict[str, Value]:
        trial = self._running[number] = self._study.ask()
        return self.space.assign_values(lambda parameter: self._suggest_value(trial, parameter), given)

    def drop(self, number: int) -> None:
        if (trial := self._running.pop(number, None)) is not None:
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)

    def learn(self, result: Result) -> None:
        self.drop(result.number)
        if (pairs := self.space.match_values(result.params)) is None:  # the result is of another space
            return
        score, is_pruned = result.value, result.state is TrialState.PRUNED
        further = [result.goal(goal.name) for goal in self._objective.further]
        values = [value for value in (score, *further) if value is not None]
        trial = self._optuna.trial.create_trial(  # samplers rank a pruned trial without a value as the worst
            state=self._optuna.trial.TrialState[result.state.value if score is not None else "PRUNED"],
            values=values if score is not None else None,
            params={parameter.key: _optuna_value(parameter.distribution, value) for parameter, value in pairs},
            distributions={parameter.key: to_optuna(parameter.distribution) for parameter, _ in pairs},
            intermediate_values={result.epochs: score} if score is not None and is_pruned else {},
        )
        self._add_trial(trial)

    def _add_trial(self, trial: optuna.trial.FrozenTrial) -> None:
        self._study.add_trial(trial)

    def choose_results(self) -> list[Result]:
        """Return the results to learn from. They rank as in Optuna: complete, then pruned trials by epochs."""
        leading = front(self._results, self._objective)

        def rank(result: Result) -> tuple[int, int, float]:
            if result.value is None:
                return 2, 0, 0.0
            key, is_pruned = self._objective.key(result.value), result.state is TrialState.PRUNED
            return (1, -result.epochs, key) if is_pruned else (0, result.number not in leading, key)

        return [self._results[index] for index in choose_history([rank(result) for result in self._results])]

    def _suggest_value(self, trial: optuna.Trial, parameter: Parameter) -> Value:
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


def choose_history(ranks: Sequence[Any]) -> list[int]:
    """Choose at most `MOST_LEARNED` results by `ranks`, sort keys in the order of trials. Return ascending indices.
    The best are chosen first, then the latest, and as many of the others, evenly. Nothing else has a say, so a resumed
    search chooses the same results."""
    if len(ranks) <= MOST_LEARNED:
        return list(range(len(ranks)))
    best = heapq.nsmallest(BEST_LEARNED, range(len(ranks)), key=ranks.__getitem__)
    others = sorted(set(range(len(ranks))).difference(best))
    latest, spread = (MOST_LEARNED - BEST_LEARNED) // 2, (MOST_LEARNED - BEST_LEARNED + 1) // 2
    between = (others[place * (len(others) - latest) // spread] for place in range(spread))
    return sorted([*best, *between, *others[-latest:]])


def _optuna_value(distribution: Distribution, value: Value) -> Any:
    if not isinstance(distribution, Categorical):
        return value
    return to_scalar(distribution.choices[distribution.choices.index(value)])


class Tpe(OptunaSampler):
    """The tree-structured Parzen estimator, on all parameters of a trial together."""

    learns_goals = True
    draws_early = True
    kind = "TPESampler"

    def __init__(self, spec: SweepSpec) -> None:
        conditional = any(parameter.when for parameter in spec.space.parameters)
        self.arguments = {"multivariate": True, "group": conditional, "constant_liar": True}
        super().__init__(spec)

    def begin(self, seed: int, generator: np.random.Generator) -> None:
        super().begin(seed, generator)
        if len(self._results) > MOST_LEARNED:  # until then the study has all results
            self._begin_study(seed)
            for result in self.choose_results():
                super().learn(result)

    def learn(self, result: Result) -> None:
        self._results.append(result)
        if len(self._results) <= MOST_LEARNED:
            super().learn(result)


class Nsga2(OptunaSampler):
    """NSGA-II (Deb et al. 2002), a genetic algorithm with generations of `GENERATION` completed trials."""

    learns_goals = True
    kind = "NSGAIISampler"
    arguments = MappingProxyType({"population_size": GENERATION})

    def _add_trial(self, trial: optuna.trial.FrozenTrial) -> None:
        # Optuna stores a trial's generation and the generation's parents only while the trial runs. So each recorded
        # trial is started and ended here, which stores both as at the suggestion.
        self._study.enqueue_trial(trial.params)
        running = self._study.ask(trial.distributions)
        sampler: Any = self._study.sampler
        generation = sampler.get_trial_generation(self._study, self._study.get_trials(deepcopy=False)[-1])
        sampler.get_parent_population(self._study, generation)
        states = self._optuna.trial.TrialState
        completed = trial.state is states.COMPLETE
        self._study.tell(running, trial.values if completed else None, states.COMPLETE if completed else states.FAIL)


class Gp(OptunaSampler):
    """A Gaussian process over the parameters that every trial has. Other parameters are drawn at random."""

    learns_conditions = False
    learns_goals = True
    kind = "GPSampler"
    arguments = MappingProxyType({"warn_independent_sampling": False})

    def __init__(self, spec: SweepSpec) -> None:
        if find_spec("torch") is None:
            raise MissingPackage("`sampler: gp` needs torch", hint="pip install 'keras-sweep[torch]'")
        super().__init__(spec)

    def begin(self, seed: int, generator: np.random.Generator) -> None:
        # Optuna ignores failed and pruned trials, so they get the worst value so far. The worst value changes with new
        # results, so the study is made again for each generation.
        self._generator = generator
        self._begin_study(seed)
        values = [result.value for result in self._results if result.value is not None]
        for result in self.choose_results():
            if values and not self._objective.further:
                value = max(values, key=self._objective.key) if result.value is None else result.value
                result = replace(result, value=value, state=TrialState.COMPLETE)
            super().learn(result)

    def learn(self, result: Result) -> None:
        self._results.append(result)


class Random(OptunaSampler):
    """Independent draws. Choices are drawn by their `probabilities`."""

    learns = False
    draws_early = True
    draws_probabilities = True
    kind = "RandomSampler"

    def learn(self, result: Result) -> None:
        self.drop(result.number)

    def _suggest_value(self, trial: optuna.Trial, parameter: Parameter) -> Value:
        distribution = parameter.distribution
        if isinstance(distribution, Categorical) and distribution.probabilities:  # Optuna has no probabilities
            return distribution.at(float(self._generator.random()))
        return super()._suggest_value(trial, parameter)


class Grid(Sampler):
    """All points of a space, with ranges cut into a few values, in an order that the search seed shuffles."""

    learns = False
    draws_ranges = False

    def __init__(self, spec: SweepSpec) -> None:
        self.space = grid_space(spec.space)
        self._points = shuffle_points(self.space, spec.search.seed)
        self._points_left = iter(self._points)
        self.redraws = len(self._points) + 1  # once through all points

    def draw(self, _: int) -> dict[str, Value] | None:
        return next(self._points_left, None)

    def fill(self, _: int, given: Params) -> dict[str, Value]:
        """Return the first grid point with the values `given`. Without a match, put them into the first grid point."""
        matches = (point for point in self._points if given.items() <= point.items())
        return self.space.fill_point(given, next(matches, self._points[0]))


def grid_space(space: SearchSpace) -> SearchSpace:
    """Cut each continuous range into `POINTS_A_RANGE` values. Raises UsageError if `where` allows no grid point."""
    parameters = []
    for parameter in space.parameters:
        distribution = parameter.distribution
        if isinstance(distribution, Float) and distribution.size == math.inf:
            inner = (distribution.at(index / (POINTS_A_RANGE - 1)) for index in range(1, POINTS_A_RANGE - 1))
            cuts = dict.fromkeys((distribution.low, *inner, distribution.high))  # a narrow range has fewer numbers
            parameter = replace(parameter, distribution=Categorical(tuple(cuts)))
        parameters.append(parameter)
    grid = replace(space, parameters=tuple(parameters))
    if space.where and grid.size <= MOST_LISTED and next(grid.points(), None) is None:
        raise UsageError(
            "no point of the grid meets `where`",
            hint="Use `sampler: random`, or give continuous ranges as `values`",
        )
    return grid


def shuffle_points(space: SearchSpace, seed: int) -> list[dict[str, Value]]:
    """Return all points of a finite space, shuffled by `seed`. Raises UsageError if over `MOST_LISTED` points."""
    if space.size > MOST_LISTED:
        raise UsageError(
            f"a grid can have at most {MOST_LISTED:,} points", hint="Use `sampler: random`, or fewer values"
        )
    points = list(space.points())
    return [points[index] for index in np.random.default_rng(seed).permutation(len(points))]


class CmaEs(Sampler):
    """CMA-ES over the ranges that every trial has, each scaled to 0 to 1. Other parameters are drawn at random. A
    normal distribution moves to where results are good (Hansen 2016, arXiv:1604.00772). Optuna's CMA-ES would store its
    state as a pickle in the record. Here the state follows from the results in the order of trials, so a resumed search
    rebuilds it to the last bit."""

    learns_choices = False
    learns_conditions = False

    def __init__(self, spec: SweepSpec) -> None:
        from cmaes import CMA  # imports all of SciPy

        super().__init__(spec)
        self._objective = spec.objective
        self._names = [parameter.name for parameter in spec.space.parameters if can_move(parameter)]
        self._new_results: list[tuple[np.ndarray, float]] = []  # since the distribution moved: x [D], cost
        self._cma = None
        if dimensions := len(self._names):
            # The distribution moves after a generation, or after the results that this number of dimensions needs.
            size = max(4 + math.floor(3 * math.log(dimensions)), spec.search.generation or GENERATION)
            bounds = np.array([[0.0, 1.0]] * dimensions)
            self._cma = CMA(np.full(dimensions, 0.5), SPREAD, bounds, population_size=size, seed=0)

    def begin(self, seed: int, generator: np.random.Generator) -> None:
        self._generator = generator
        if self._cma is not None:
            self._cma.reseed_rng(seed)

    def draw(self, _: int) -> dict[str, Value]:
        places = dict(zip(self._names, self._cma.ask().tolist(), strict=True)) if self._cma is not None else {}
        units = (places.get(parameter.name, float(self._generator.random())) for parameter in self.space.parameters)
        return self.space.at(units)

    def learn(self, result: Result) -> None:
        pairs = self.space.match_values(result.params)
        if self._cma is None or pairs is None:
            return
        places = {part.name: to_unit(part.distribution, value) for part, value in pairs if part.name in self._names}
        cost = math.inf if result.value is None else self._objective.key(result.value)
        self._new_results.append((np.array([places[name] for name in self._names]), cost))
        if len(self._new_results) == self._cma.population_size:
            self._cma.tell(self._new_results)
            self._new_results = []


def can_move(parameter: Parameter) -> bool:
    """Check whether CMA-ES searches a parameter: it is a range of numbers, and every trial has it."""
    return not isinstance(parameter.distribution, Categorical) and not parameter.when


class QuasiRandom(Sampler):
    """A scrambled Sobol sequence (Sobol 1967, scrambled as Matousek 1998). Trial n, counted from 0, gets the n-th point
    that `where` allows."""

    learns = False
    redraws = 1

    def __init__(self, spec: SweepSpec) -> None:
        super().__init__(spec)
        self._units = self._sequence(spec.search.seed)
        self._points: list[dict[str, Value]] = []  # the sequence's points so far that `where` allows

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
