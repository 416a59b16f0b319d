"""Optuna's samplers, on a study held in memory. Beside finished trials it holds draws that were dropped."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from keras_sweep.search.grid import grid_space, shuffled_points
from keras_sweep.space.distributions import Categorical, Float, Scalar, Value, as_scalar
from keras_sweep.space.plugins import Plugins
from keras_sweep.space.search_space import Parameter, SearchSpace
from keras_sweep.trial.result import Result, TrialState

if TYPE_CHECKING:
    import numpy as np
    import optuna

    from keras_sweep.search.sampler import Sampler
    from keras_sweep.space.sweep_spec import SweepSpec


class OptunaSampler(ABC):
    """What all have in common that draw by a sampler of Optuna's."""

    redraws = 20

    def __init__(self, spec: SweepSpec) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space = spec.space
        self._study = optuna.create_study(direction=spec.objective.goal.value)
        self._asked: dict[int, optuna.Trial] = {}  # number -> a trial that the study takes for running

    def begin(self, seed: int, generator: np.random.Generator) -> None:
        """A fresh sampler a generation."""
        del generator
        self._study.sampler = self._optuna_sampler(seed)

    def draw(self, number: int) -> dict[str, Value]:
        """What the sampler suggests."""
        trial = self._asked[number] = self._study.ask()
        params: dict[str, Value] = dict(self.space.constants)
        for parameter in self.space.parameters:
            if parameter.active(params):
                params[parameter.name] = self._value(trial, parameter)
        return params

    def drop(self, number: int) -> None:
        """The trial runs no more."""
        import optuna

        trial = self._asked.pop(number, None)
        if trial is not None:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def learn(self, result: Result) -> None:
        """Put the finished trial in the place of the running one."""
        self.drop(result.number)
        frozen = _frozen(self.space, result)
        if frozen is not None:
            self._study.add_trial(frozen)

    def _value(self, trial: optuna.Trial, parameter: Parameter) -> Value:
        return _suggest(trial, parameter)

    @abstractmethod
    def _optuna_sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        """Optuna's sampler of one generation."""


class Tpe(OptunaSampler):
    """The tree-structured Parzen estimator, on all parameters of a trial together."""

    def _optuna_sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        import optuna

        conditional = any(parameter.when for parameter in self.space.parameters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=conditional, constant_liar=True)


class Random(OptunaSampler):
    """Independent draws; choices by their probabilities."""

    def begin(self, seed: int, generator: np.random.Generator) -> None:
        """A fresh sampler a generation."""
        super().begin(seed, generator)
        self._generator = generator

    def _value(self, trial: optuna.Trial, parameter: Parameter) -> Value:
        distribution = parameter.distribution
        if isinstance(distribution, Categorical) and distribution.probabilities:  # Optuna knows none
            return distribution.at(float(self._generator.random()))
        return super()._value(trial, parameter)

    def _optuna_sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        import optuna

        return optuna.samplers.RandomSampler(seed=seed)


class Grid:
    """Every point of the space, continuous ranges cut into a few values, in an order that the search seed shuffles.

    Raises:
        UsageError: there are too many points.
    """

    def __init__(self, spec: SweepSpec) -> None:
        self.space = grid_space(spec.space)
        self._points = shuffled_points(self.space, spec.search.seed)
        self._drawn = 0
        self.redraws = len(self._points) + 1  # once through all of them

    def begin(self, seed: int, generator: np.random.Generator) -> None:
        """Nothing here is random any more."""

    def draw(self, number: int) -> dict[str, Value] | None:
        """The next point."""
        del number
        self._drawn += 1
        return self._points[self._drawn - 1] if self._drawn <= len(self._points) else None

    def drop(self, number: int) -> None:
        """A point that another engine tried is passed over."""

    def learn(self, result: Result) -> None:
        """Nothing is learned."""


class QuasiRandom:
    """A scrambled Sobol sequence (Sobol 1967, scrambled as Matousek 1998): trial n has its n-th point."""

    redraws = 1

    def __init__(self, spec: SweepSpec) -> None:
        self.space = spec.space
        self._seed = spec.search.seed

    def begin(self, seed: int, generator: np.random.Generator) -> None:
        """The sequence depends on the search seed alone."""

    def draw(self, number: int) -> dict[str, Value]:
        """Its point."""
        return self.space.at(iter(_sobol(len(self.space.parameters), self._seed, number)))

    def drop(self, number: int) -> None:
        """There is one point a trial."""

    def learn(self, result: Result) -> None:
        """Nothing is learned."""


SAMPLERS: Plugins[Callable[[SweepSpec], Sampler]] = Plugins(
    "sampler", "keras_sweep.samplers", {"tpe": Tpe, "random": Random, "grid": Grid, "qmc": QuasiRandom}
)  # the first is the default


def _sobol(dimensions: int, seed: int, index: int) -> list[float]:
    """Point `index` of the sequence, each number in [0, 1)."""
    if dimensions == 0:
        return []
    import numpy as np
    from scipy.stats import qmc

    sequence = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed))
    if index:  # scipy's own 0 overflows
        sequence.fast_forward(index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the balance of whole powers of two is not asked for
        return [float(unit) for unit in sequence.random(1)[0]]


def _suggest(trial: optuna.Trial, parameter: Parameter) -> Value:
    distribution = parameter.distribution
    if isinstance(distribution, Categorical):
        return decode(distribution, trial.suggest_categorical(parameter.name, encode(distribution)))
    if isinstance(distribution, Float):
        return trial.suggest_float(
            parameter.name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    return trial.suggest_int(
        parameter.name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
    )


def _optuna_state(state: TrialState) -> optuna.trial.TrialState:
    import optuna

    return optuna.trial.TrialState[state.value]


def _frozen(space: SearchSpace, result: Result) -> optuna.trial.FrozenTrial | None:
    """The result as the sampling study holds it; None where its parameters are not of this space.

    A failed trial becomes a pruned one without a value, which samplers rank as the worst.
    """
    import optuna

    params: dict[str, Any] = {}
    distributions: dict[str, optuna.distributions.BaseDistribution] = {}
    for parameter in space.parameters:
        if not parameter.active(result.params):
            continue
        value = result.params.get(parameter.name)
        if not parameter.distribution.contains(value):
            return None
        distributions[parameter.name] = optuna_distribution(parameter)
        if isinstance(parameter.distribution, Categorical):
            value = encode(parameter.distribution)[parameter.distribution.choices.index(value)]
        params[parameter.name] = value
    if result.value is None:
        return optuna.trial.create_trial(
            state=optuna.trial.TrialState.PRUNED, params=params, distributions=distributions
        )
    reported = {result.epochs: result.value} if result.state is TrialState.PRUNED else {}
    return optuna.trial.create_trial(
        state=_optuna_state(result.state),
        value=result.value,
        params=params,
        distributions=distributions,
        intermediate_values=reported,
    )


def optuna_distribution(parameter: Parameter) -> optuna.distributions.BaseDistribution:
    """The parameter's distribution in Optuna's words."""
    import optuna

    distribution = parameter.distribution
    if isinstance(distribution, Categorical):
        return optuna.distributions.CategoricalDistribution(encode(distribution))
    if isinstance(distribution, Float):
        return optuna.distributions.FloatDistribution(
            distribution.low, distribution.high, log=distribution.log, step=distribution.step
        )
    return optuna.distributions.IntDistribution(
        distribution.low, distribution.high, log=distribution.log, step=distribution.step
    )


def encode(distribution: Categorical) -> list[Scalar]:
    """The choices, in order, as scalars."""
    return [as_scalar(choice) for choice in distribution.choices]


def decode(distribution: Categorical, scalar: Scalar) -> Value:
    """The choice that the scalar stands for. Raises ValueError where there is none."""
    for choice, known in zip(distribution.choices, encode(distribution), strict=True):
        if type(known) is type(scalar) and known == scalar:
            return choice
    raise ValueError(f"{scalar!r} is none of {encode(distribution)}")
