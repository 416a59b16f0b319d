"""Optuna's samplers, on a study held in memory. Beside finished trials it holds draws that were dropped.

Optuna is imported when a sampler is made: what a sampler can do is known without it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_sweep.errors import MissingPackage
from keras_sweep.search.engine import Sampler
from keras_sweep.space.distributions import Categorical, Distribution, Float, Value, as_scalar, optuna_distribution
from keras_sweep.space.search_space import Parameter, Params
from keras_sweep.space.sweep_spec import GENERATION, SweepSpec
from keras_sweep.trial.result import Result, TrialState

if TYPE_CHECKING:
    import optuna


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
        return self.space.with_values(lambda parameter: self._value(trial, parameter), given)

    def drop(self, number: int) -> None:
        if (trial := self._asked.pop(number, None)) is not None:
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)

    def learn(self, result: Result) -> None:
        self.drop(result.number)
        if (searched := self.space.searched(result.params)) is None:  # it is of another space
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
            scalars = [as_scalar(choice) for choice in distribution.choices]
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
    return as_scalar(distribution.choices[distribution.choices.index(value)])


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
