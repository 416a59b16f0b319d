"""Stop poor trials at rungs: epochs at which trials are compared. The rules are the same for every engine.

Successive halving compares at epochs `min_iter`, `min_iter * eta`, `min_iter * eta**2`, ... and continues the best 1 of
`eta` (Li et al. 2018, "Hyperband", JMLR 18, alg. 1, the `top_k` step; without waiting for other trials, as in Li et al.
2020, "ASHA"). Hyperband deals trials to brackets: bracket b has no rung before `min_iter * eta**b`. The median rule
compares after every epoch. All rules decide as Optuna's pruners (a test checks this), so their records can continue.
"""

import math
import random
import zlib
from abc import ABC, abstractmethod
from bisect import bisect, insort
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, count, takewhile

from keras_sweep.search.engine import Engine
from keras_sweep.space.constraint import parse_constraint
from keras_sweep.space.distributions import Int
from keras_sweep.space.plugins import Plugins
from keras_sweep.space.search_space import Objective
from keras_sweep.space.sweep_spec import SCHEDULE, EarlyTerminate, SweepSpec
from keras_sweep.trial.plan import DEFAULT_EPOCHS, FUNCTION_EPOCHS, training_plan, watches
from keras_sweep.trial.result import Result, Suggestion, TrialState

MEDIAN_OF = 5  # completed trials that the median rule waits for before it stops a trial


class PruningRule(ABC):
    """Decides which trials stop at rungs, epochs at which trials are compared. A subclass needs `rungs` and `stops`."""

    @abstractmethod
    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Return the epochs, counted from 1, at which trials of `epochs` epochs are compared."""

    @abstractmethod
    def stops(self, number: int, epoch: int, value: float) -> bool:
        """Return whether trial `number` stops after `epoch`, and remember `value`, its objective. Called in order of
        epochs, and within an epoch in order of numbers."""

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        """Return the numbers of the trials to stop among trials that reach a rung together. `values` maps trial number
        -> objective after `epoch`. By default `stops` decides for each trial."""
        return frozenset(number for number in sorted(values) if self.stops(number, epoch, values[number]))

    def complete(self, number: int) -> None:
        """Learn that trial `number` ran to its end. By default does nothing."""


def bracket_shares(min_iter: int, eta: int, longest: int) -> tuple[int, ...]:
    """Return the relative numbers of trials in Hyperband's brackets 0, 1, ... (n of Li et al. 2018). `longest`: the
    largest number of epochs of a trial. `min_iter` and `eta`: as in `early_terminate`."""
    brackets = math.floor(math.log(longest / min_iter, eta)) + 1  # by logarithms, to agree with Optuna's records
    return tuple(math.ceil(brackets * eta**s / (s + 1)) for s in range(brackets - 1, -1, -1))


def assign_bracket(number: int, shares: Sequence[int]) -> int:
    """Return the bracket, counted from 0, of trial `number`, by a hash. `shares`: as `bracket_shares` returns them."""
    return bisect(list(accumulate(shares)), zlib.crc32(f"sweep_{number}".encode()) % sum(shares))


class Halving(PruningRule):
    """Successive halving, or Hyperband if there are several brackets. `shares`: as `bracket_shares` returns them."""

    def __init__(self, rule: EarlyTerminate, objective: Objective, shares: Sequence[int] = (1,)) -> None:
        self._rule = rule
        self._objective = objective
        self._shares = shares
        self._rungs_passed: dict[int, int] = defaultdict(int)  # trial -> how many rungs of its bracket it reached
        self._keys: dict[tuple[int, int], list[float]] = defaultdict(list)  # (bracket, rung) -> keys of values, sorted

    def rungs(self, epochs: int) -> tuple[int, ...]:
        # For min_iter 2, eta 3 and 20 epochs: (2, 6, 18)
        series = (self._rule.min_iter * self._rule.eta**index for index in count())
        return tuple(takewhile(lambda rung: rung < epochs, series))

    def stops(self, number: int, epoch: int, value: float) -> bool:
        bracket = assign_bracket(number, self._shares)
        while epoch >= self._rule.min_iter * self._rule.eta ** (bracket + self._rungs_passed[number]):
            if math.isnan(value):
                return True
            rung_keys = self._keys[bracket, self._rungs_passed[number]]
            insort(rung_keys, self._objective.key(value))
            self._rungs_passed[number] += 1
            # The best floor(n / eta) of n values continue. While n < eta, a trial that is the best so far continues.
            if self._objective.key(value) > rung_keys[max(len(rung_keys) // self._rule.eta, 1) - 1]:
                return True
        return False


class FirstHalved(Halving):
    """Successive halving whose first generation is random. Each rung compares all trials of this generation, and
    continues the best 1/`eta` of them. Later trials have no rung before `min_iter * eta`."""

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        if len(values) < 2 or max(values) >= self._rule.first:
            return super().rung(epoch, values)
        rungs_passed = len(self.rungs(epoch + 1))
        for value in values.values():
            insort(self._keys[0, rungs_passed - 1], self._objective.key(value))
        self._rungs_passed |= dict.fromkeys(values, rungs_passed)
        ranked = sorted(values, key=lambda number: (self._objective.key(values[number]), number))
        return frozenset(ranked[max(len(values) // self._rule.eta, 1) :])

    def stops(self, number: int, epoch: int, value: float) -> bool:
        if number >= self._rule.first:
            self._rungs_passed.setdefault(number, 1)
        return super().stops(number, epoch, value)


class Median(PruningRule):
    """Stop a trial if its best value so far is worse than the median of completed trials at the same epoch."""

    def __init__(self, rule: EarlyTerminate, objective: Objective) -> None:
        self._rule = rule
        self._objective = objective
        self._curves: dict[int, dict[int, float]] = defaultdict(dict)  # of running trials: number -> epoch -> value
        self._values: dict[int, list[float]] = defaultdict(list)  # epoch -> values of completed trials, sorted
        self._complete = 0

    def rungs(self, epochs: int) -> tuple[int, ...]:
        return tuple(range(self._rule.min_iter, epochs))

    def stops(self, number: int, epoch: int, value: float) -> bool:
        curve = self._curves[number]
        curve[epoch] = value
        if self._complete < MEDIAN_OF:
            return False
        values = self._values[epoch]
        middle = values[(len(values) - 1) // 2 : len(values) // 2 + 1]
        best = min((item for item in curve.values() if not math.isnan(item)), key=self._objective.key, default=math.nan)
        if math.isnan(best):
            return True
        import numpy as np

        return bool(values) and self._objective.is_better(float(np.percentile(middle, 50)), best)

    def complete(self, number: int) -> None:
        self._complete += 1
        for epoch, value in self._curves.pop(number, {}).items():
            if not math.isnan(value):
                insort(self._values[epoch], value)


def epochs_read_from(spec: SweepSpec) -> int:
    """Return the least value of the parameter `epochs` if the search need not draw `epochs`; else 0. It need not if a
    pruner stops trials and nothing else depends on `epochs`: each trial then trains to the largest value unless a rung
    stops it. The trial's best epoch, from the least value on, is recorded as its `epochs`."""
    space = spec.space
    epochs = next((part.distribution for part in space.parameters if part.name == "epochs" and not part.when), None)
    if spec.early_terminate is None or not isinstance(epochs, Int) or epochs.step != 1 or watches(spec):
        return 0
    conditions = {condition.parameter for parameter in space.parameters for condition in parameter.when}
    has_condition = "epochs" in conditions.union(*(parse_constraint(text).names for text in space.where))
    return 0 if has_condition or spec.function or SCHEDULE.intersection(space.names) else epochs.low


def _hyperband(spec: SweepSpec, rule: EarlyTerminate) -> PruningRule:
    _, longest = spec.space.get_bounds("epochs", FUNCTION_EPOCHS if spec.function else DEFAULT_EPOCHS)
    return Halving(rule, spec.objective, bracket_shares(rule.min_iter, rule.eta, max(longest, rule.min_iter)))


PRUNING_RULES: Plugins[Callable[[SweepSpec, EarlyTerminate], PruningRule]] = Plugins(
    "pruning rule",
    "keras_sweep.pruning_rules",
    {
        "hyperband": _hyperband,
        "halving": lambda spec, rule: FirstHalved(rule, spec.objective),
        "median": lambda spec, rule: Median(rule, spec.objective),
        "successive_halving": lambda spec, rule: Halving(rule, spec.objective),
    },
)


def estimate_epochs(spec: SweepSpec, rule: EarlyTerminate, lengths: Sequence[int], generation: int) -> int:
    """Estimate how many epochs a search trains in total if `rule` stops trials by random scores. `lengths`: the epochs
    of each trial if no rung stops it. `generation`: how many trials reach rungs together."""
    pruner, total = PRUNING_RULES.find(rule.type)(spec, rule), 0
    for start in range(0, len(lengths), generation):
        lengths_left = dict(enumerate(lengths[start : start + generation], start))
        for epoch in range(1, max(lengths_left.values())):
            reached = [number for number, length in lengths_left.items() if epoch in pruner.rungs(length)]
            stopped = pruner.rung(epoch, {number: random.Random(number).random() for number in reached})
            total += epoch * len(stopped)
            lengths_left = {number: length for number, length in lengths_left.items() if number not in stopped}
        total += sum(lengths_left.values())
        for number in lengths_left:
            pruner.complete(number)
    return total


class PrunedEngine(Engine):
    """Takes suggestions from another engine, and stops poor trials at rungs by a pruning rule."""

    def __init__(self, engine: Engine, spec: SweepSpec, rule: EarlyTerminate, first: Engine | None = None) -> None:
        """Wrap `engine`. If `first` is set, it suggests the first generation, which has `rule.first` trials."""
        self.name = engine.name
        self._engines = (engine,) if first is None else (engine, first)
        self._spec = spec
        self._pruner = PRUNING_RULES.find(rule.type)(spec, rule)
        self._first = rule.first if first is not None else 0
        self._count = 0  # trials so far

    def ask(self, n: int) -> list[Suggestion]:
        return self._engines[-1 if self._count < self._first else 0].ask(n)

    def generation_size(self, index: int, size: int) -> int:
        return self._first if self._first and index == 0 and size > 1 else size

    def rungs(self, epochs: int) -> tuple[int, ...]:
        return tuple(epoch for epoch in self._pruner.rungs(epochs) if epoch >= self._spec.objective.epochs_from)

    def recall(self, results: Sequence[Result]) -> None:
        """Compare recorded trials again. Values reach the rungs in the same order as in the recorded search."""
        curves = {result.number: result.curve.get(self._spec.objective.name, ()) for result in results}
        plans = {result.number: training_plan(self._spec, result.suggestion.params) for result in results}
        rungs = {number: self.rungs(plan.epochs) for number, plan in plans.items()}
        for epoch in sorted({epoch for epochs in rungs.values() for epoch in epochs}):
            values = {
                number: curve[epoch - 1]
                for number, curve in curves.items()
                if epoch in rungs[number] and len(curve) >= epoch and math.isfinite(curve[epoch - 1])
            }
            self.rung(epoch, values)
        for engine in self._engines:
            engine.recall(results)

    def pend(self, suggestions: Sequence[Suggestion]) -> None:
        self._count += len(suggestions)
        for engine in self._engines:
            engine.pend(suggestions)

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        return self._pruner.rung(epoch, values)

    def tell(self, results: Sequence[Result]) -> None:
        for result in results:
            self._count = max(self._count, result.number + 1)
            if result.state is TrialState.COMPLETE:
                self._pruner.complete(result.number)
        for engine in self._engines:
            engine.tell(results)

    def continuable(self) -> frozenset[int]:
        return self._engines[0].continuable()
