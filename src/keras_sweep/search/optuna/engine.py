"""Optuna as an engine: its samplers choose, its pruners stop, on studies held in memory.

Two studies keep apart what Optuna mixes: one that samplers read (it also holds draws that were thrown away as repeats),
and one that pruners read (its trial numbers are the sweep's, since Hyperband assigns brackets by number).
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_sweep.search.grid import LARGEST_LISTED, grid_space, shuffled_points
from keras_sweep.search.optuna.categories import decode, encode
from keras_sweep.space.distributions import Categorical, Float, Value
from keras_sweep.space.search_space import Parameter, SearchSpace, identity
from keras_sweep.space.sweep_spec import EarlyTerminate, SweepSpec
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Result, Suggestion, TrialState

if TYPE_CHECKING:
    import optuna

REDRAWS = 20  # by the sampler, before a repeat is replaced at random
RANDOM_REDRAWS = 1_000  # of a space too large to list, before it counts as exhausted


class OptunaEngine:
    """Asks by an Optuna sampler (`tpe`, `random`, `grid` or `qmc`), stops by an Optuna pruner.

    Raises:
        UsageError: a grid with too many points.
    """

    def __init__(self, spec: SweepSpec) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.name = f"optuna/{spec.search.sampler}"
        self._spec = spec
        self._space = grid_space(spec.space) if spec.search.sampler == "grid" else spec.space
        self._seed = spec.search.seed
        self._seen: set[tuple[tuple[str, Value], ...]] = set()
        self._count = 0
        self._sampling = optuna.create_study(direction=spec.objective.goal.value)
        self._asked: dict[int, optuna.Trial] = {}
        self._pruning = _Pruning(spec) if spec.early_terminate else None
        self._grid = shuffled_points(self._space, self._seed) if spec.search.sampler == "grid" else []

    def replay(self, generations: Sequence[Sequence[Result]]) -> None:
        """Take in all earlier results, generation by generation."""
        for results in generations:
            if self._pruning:
                self._pruning.replay(results)
            self._learn(results)

    def ask(self, n: int) -> list[Suggestion]:
        """At most n suggestions that repeat no trial; [] when the space is exhausted."""
        started = time.perf_counter()
        generator = np.random.default_rng([self._seed, self._count])
        self._sampling.sampler = self._sampler(int(generator.integers(2**31)))
        drawn: list[dict[str, Value]] = []
        while len(drawn) < n:
            params = self._draw(self._count + len(drawn), generator)
            if params is None:
                break
            self._seen.add(identity(params))
            drawn.append(params)
        seconds = (time.perf_counter() - started) / max(len(drawn), 1)
        suggestions = [
            Suggestion(self._count + index, params, sampler_seconds=seconds) for index, params in enumerate(drawn)
        ]
        if self._pruning:
            self._pruning.ask(suggestions)
        return suggestions

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """The epochs after which the pruner wants to be asked."""
        return self._pruning.rungs(epochs) if self._pruning else ()

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        """The trials that the pruner stops."""
        return self._pruning.rung(epoch, values) if self._pruning else frozenset()

    def tell(self, results: Sequence[Result]) -> None:
        """Learn results in the order of their numbers."""
        if self._pruning:
            self._pruning.tell(results)
        self._learn(results)

    def _learn(self, results: Sequence[Result]) -> None:
        import optuna

        failed = optuna.trial.TrialState.FAIL
        for result in results:
            self._count += 1
            self._seen.add(identity(result.params))
            asked = self._asked.pop(result.number, None)
            if asked is not None:  # its place as a running trial is taken by the finished one
                self._sampling.tell(asked, state=failed)
            frozen = _frozen(self._space, result)
            if frozen is not None:
                self._sampling.add_trial(frozen)

    def _sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        import optuna

        if self._spec.search.sampler != "tpe":
            return optuna.samplers.RandomSampler(seed=seed)
        conditional = any(parameter.when for parameter in self._space.parameters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=conditional, constant_liar=True)

    def _draw(self, number: int, generator: np.random.Generator) -> dict[str, Value] | None:
        """A point that is not there yet, or None when there is none."""
        if self._space.finite and len(self._seen) >= self._space.size and not any(self._unseen(self._space.points())):
            return None
        if self._grid:
            return next(self._unseen(iter(self._grid)), None)
        for _ in range(REDRAWS):
            params, trial = self._sample(number, generator)
            if identity(params) not in self._seen:
                if trial is not None:
                    self._asked[number] = trial
                return params
            if trial is not None:
                self._sampling.tell(trial, state=_optuna_state(TrialState.FAIL))
            elif self._spec.search.sampler == "qmc":
                break  # a quasi-random sequence has one point a trial
        if self._space.size <= LARGEST_LISTED:
            left = list(self._unseen(self._space.points()))
            return left[int(generator.integers(len(left)))] if left else None
        at_random = (self._space.at(iter(generator.random(len(self._space.parameters)))) for _ in range(RANDOM_REDRAWS))
        return next(self._unseen(at_random), None)

    def _unseen(self, points: Iterator[dict[str, Value]]) -> Iterator[dict[str, Value]]:
        return (point for point in points if identity(point) not in self._seen)

    def _sample(self, number: int, generator: np.random.Generator) -> tuple[dict[str, Value], optuna.Trial | None]:
        if self._spec.search.sampler == "qmc":
            return self._space.at(iter(_sobol(len(self._space.parameters), self._seed, number))), None
        trial = self._sampling.ask()
        params: dict[str, Value] = dict(self._space.constants)
        weighed = self._spec.search.sampler == "random"
        for parameter in self._space.parameters:
            if parameter.active(params):
                distribution = parameter.distribution
                if weighed and isinstance(distribution, Categorical) and distribution.probabilities:
                    params[parameter.name] = distribution.at(float(generator.random()))
                else:
                    params[parameter.name] = _suggest(trial, parameter)
        return params, trial


class _Pruning:
    """A pruner and its study, whose trial numbers are the sweep's."""

    def __init__(self, spec: SweepSpec) -> None:
        import optuna

        assert spec.early_terminate
        self._spec = spec
        self._rule = spec.early_terminate
        longest = _longest(spec)
        self._study = optuna.create_study(
            study_name="sweep",  # Hyperband's brackets depend on the name
            direction=spec.objective.goal.value,
            pruner=_PRUNERS[self._rule.type](self._rule, longest),
            sampler=optuna.samplers.RandomSampler(seed=0),
        )
        self._trials: dict[int, optuna.Trial] = {}

    def ask(self, suggestions: Sequence[Suggestion]) -> None:
        for suggestion in suggestions:
            self._trials[suggestion.number] = self._study.ask()

    def rungs(self, epochs: int) -> tuple[int, ...]:
        if self._rule.type == "median":
            return tuple(range(self._rule.min_iter, epochs))
        rungs = []
        rung = self._rule.min_iter
        while rung < epochs:
            rungs.append(rung)
            rung *= self._rule.eta
        return tuple(rungs)

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        for number in sorted(values):
            self._trials[number].report(values[number], epoch)
        return frozenset(number for number in sorted(values) if self._trials[number].should_prune())

    def tell(self, results: Sequence[Result]) -> None:
        for result in results:
            trial = self._trials.pop(result.number, None)
            if trial is not None:
                values = result.value if result.state is TrialState.COMPLETE else None
                self._study.tell(trial, values, state=_optuna_state(result.state))

    def replay(self, results: Sequence[Result]) -> None:
        """Climb the rungs again: a pruner notes on each trial which rungs it has passed."""
        self.ask([result.suggestion for result in results])
        planned = {result.number: training_plan(self._spec, result.params).epochs for result in results}
        curves = {result.number: result.curve.get(self._spec.objective.name, ()) for result in results}
        for epoch in sorted({rung for epochs in planned.values() for rung in self.rungs(epochs)}):
            values = {
                number: curve[epoch - 1]
                for number, curve in curves.items()
                if len(curve) >= epoch and math.isfinite(curve[epoch - 1]) and epoch in self.rungs(planned[number])
            }
            if values:
                self.rung(epoch, values)
        self.tell(results)


def _hyperband(rule: EarlyTerminate, longest: int) -> optuna.pruners.BasePruner:
    import optuna

    return optuna.pruners.HyperbandPruner(
        min_resource=rule.min_iter, max_resource=max(longest, rule.min_iter), reduction_factor=rule.eta
    )


def _successive_halving(rule: EarlyTerminate, longest: int) -> optuna.pruners.BasePruner:
    import optuna

    del longest
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=rule.min_iter, reduction_factor=rule.eta)


def _median(rule: EarlyTerminate, longest: int) -> optuna.pruners.BasePruner:
    import optuna

    del longest
    return optuna.pruners.MedianPruner(n_warmup_steps=rule.min_iter - 1)


_PRUNERS: dict[str, Callable[[EarlyTerminate, int], Any]] = {
    "hyperband": _hyperband,
    "successive_halving": _successive_halving,
    "median": _median,
}


def _longest(spec: SweepSpec) -> int:
    """The most epochs that a trial of the space can have."""
    for parameter in spec.space.parameters:
        if parameter.name == "epochs":
            return max(value for value in parameter.distribution.values() if isinstance(value, int))
    return training_plan(spec, spec.space.constants).epochs


def _sobol(dimensions: int, seed: int, index: int) -> list[float]:
    """Point `index` of a scrambled Sobol sequence (Sobol 1967, scrambled as Matousek 1998), each number in [0, 1)."""
    from scipy.stats import qmc

    if dimensions == 0:
        return []
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
