"""When poor trials stop: rungs as arithmetic on epochs and values, the same for every engine.

Successive halving compares at epochs `min_iter`, `min_iter * eta`, `min_iter * eta**2`, ... and lets the best 1 of
`eta` go on (Li et al. 2018, "Hyperband", JMLR 18, alg. 1, the `top_k` step; without waiting for others, as in Li et al.
2020, "ASHA"). Hyperband deals trials to brackets: bracket b has no rung before `min_iter * eta**b`. The median rule
compares after every epoch. All decide as Optuna's pruners do, which a test checks: records made with those go on alike.
"""

import math
import random
import zlib
from abc import ABC, abstractmethod
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, count, takewhile

from keras_sweep.search.engine import Engine
from keras_sweep.space.constraint import constraint
from keras_sweep.space.distributions import Int
from keras_sweep.space.plugins import Plugins
from keras_sweep.space.search_space import Objective
from keras_sweep.space.sweep_spec import SCHEDULE, EarlyTerminate, SweepSpec
from keras_sweep.trial.plan import DEFAULT_EPOCHS, training_plan, watches
from keras_sweep.trial.result import Result, Suggestion, TrialState

MEDIAN_OF = 5  # completed trials, before the median rule stops any


class Pruner(ABC):
    """Decides at rungs which trials stop. A class that derives from this needs `rungs` and `stops` alone."""

    @abstractmethod
    def rungs(self, epochs: int) -> tuple[int, ...]:
        """The epochs, counted from 1, at which trials of so many epochs are compared."""

    @abstractmethod
    def stops(self, number: int, epoch: int, value: float) -> bool:
        """Whether the trial stops at this rung. Called in the order of epochs, then of numbers; remembers the value."""

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        """The trials that stop, of those that come there together. By default each is compared with those before it."""
        return frozenset(number for number in sorted(values) if self.stops(number, epoch, values[number]))

    def complete(self, number: int) -> None:
        """The trial ran to its end. By default nothing comes of that."""


def bracket_shares(min_iter: int, eta: int, longest: int) -> tuple[int, ...]:
    """How many of all trials each bracket gets, in proportion: n of alg. 1, line 3, for s = brackets - 1, ..., 0."""
    brackets = math.floor(math.log(longest / min_iter, eta)) + 1  # by logarithms, as Optuna: its records go on alike
    return tuple(math.ceil(brackets * eta**s / (s + 1)) for s in range(brackets - 1, -1, -1))


def bracket_of(number: int, shares: Sequence[int]) -> int:
    """The bracket of a trial: a hash of its number deals trials out by the shares, without knowing how many come."""
    return bisect(list(accumulate(shares)), zlib.crc32(f"sweep_{number}".encode()) % sum(shares))


class Halving(Pruner):
    """Successive halving, in one bracket or in Hyperband's many."""

    def __init__(self, rule: EarlyTerminate, objective: Objective, shares: Sequence[int] = (1,)) -> None:
        self._rule = rule
        self._objective = objective
        self._shares = shares
        self._passed: dict[int, int] = defaultdict(int)  # number -> how many rungs of its bracket it was compared at
        self._values: dict[tuple[int, int], list[float]] = defaultdict(list)  # (bracket, rung) -> all that came there

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Those of the series below the last epoch: (2, 6, 18) for min_iter 2, eta 3 and 20 epochs."""
        series = (self._rule.min_iter * self._rule.eta**index for index in count())
        return tuple(takewhile(lambda rung: rung < epochs, series))

    def stops(self, number: int, epoch: int, value: float) -> bool:
        bracket = bracket_of(number, self._shares)
        while epoch >= self._rule.min_iter * self._rule.eta ** (bracket + self._passed[number]):
            if math.isnan(value):
                return True
            reached = self._values[bracket, self._passed[number]]
            reached.append(value)
            self._passed[number] += 1
            # The best floor(n / eta) go on, itself included; of the first eta - 1 that come, the best so far.
            ranked = sorted(map(self._objective.key, reached))
            if self._objective.key(value) > ranked[max(len(ranked) // self._rule.eta, 1) - 1]:
                return True
        return False


class FirstHalved(Halving):
    """Successive halving whose first trials, a generation at random, come to each rung together: half of them goes on.

    Those after them have no rung before `min_iter * eta`.
    """

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        if len(values) < 2 or max(values) >= self._rule.first:
            return super().rung(epoch, values)
        passed = len(self.rungs(epoch + 1))
        self._values[0, passed - 1] += values.values()
        self._passed |= dict.fromkeys(values, passed)
        ranked = sorted(values, key=lambda number: (self._objective.key(values[number]), number))
        return frozenset(ranked[max(len(values) // self._rule.eta, 1) :])

    def stops(self, number: int, epoch: int, value: float) -> bool:
        if number >= self._rule.first:
            self._passed.setdefault(number, 1)
        return super().stops(number, epoch, value)


class Median(Pruner):
    """Stops a trial whose best value so far is worse than the median of completed trials at the same epoch."""

    def __init__(self, rule: EarlyTerminate, objective: Objective) -> None:
        self._rule = rule
        self._objective = objective
        self._curves: dict[int, dict[int, float]] = defaultdict(dict)  # number -> epoch -> value
        self._complete: list[int] = []

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Every epoch from `min_iter` on, besides the last."""
        return tuple(range(self._rule.min_iter, epochs))

    def stops(self, number: int, epoch: int, value: float) -> bool:
        curve = self._curves[number]
        curve[epoch] = value
        if len(self._complete) < MEDIAN_OF:
            return False
        others = [self._curves[other][epoch] for other in self._complete if epoch in self._curves[other]]
        best = min((one for one in curve.values() if not math.isnan(one)), key=self._objective.key, default=math.nan)
        if math.isnan(best):
            return True
        import numpy as np

        return bool(others) and self._objective.better(float(np.percentile(others, 50)), best)

    def complete(self, number: int) -> None:
        self._complete.append(number)


def epochs_read_from(spec: SweepSpec) -> int:
    """The least `epochs` of a trial, where poor trials stop and all others train on to the most.

    A trial of fewer epochs is the beginning of a longer one, off whose curve it is read. 0: it is not.
    """
    space = spec.space
    epochs = next((one.distribution for one in space.parameters if one.name == "epochs" and not one.when), None)
    if spec.early_terminate is None or not isinstance(epochs, Int) or epochs.step != 1 or watches(spec):
        return 0
    conditions = {condition.parameter for one in space.parameters for condition in one.when}
    depends = "epochs" in conditions.union(*(constraint(text).names for text in space.where))
    return 0 if depends or SCHEDULE.intersection(space.names) else epochs.low


def _hyperband(spec: SweepSpec, rule: EarlyTerminate) -> Pruner:
    _, longest = spec.space.least_and_most("epochs", DEFAULT_EPOCHS)
    return Halving(rule, spec.objective, bracket_shares(rule.min_iter, rule.eta, max(longest, rule.min_iter)))


PRUNING_RULES: Plugins[Callable[[SweepSpec, EarlyTerminate], Pruner]] = Plugins(
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
    """How many epochs trials that may train so long do in all, were each as good as a number that is drawn for it."""
    pruner, total = PRUNING_RULES.find(rule.type)(spec, rule), 0
    for start in range(0, len(lengths), generation):
        left = dict(enumerate(lengths[start : start + generation], start))
        for epoch in range(1, max(left.values())):
            here = [number for number, length in left.items() if epoch in pruner.rungs(length)]
            stop = pruner.rung(epoch, {number: random.Random(number).random() for number in here})
            total += epoch * len(stop)
            left = {number: length for number, length in left.items() if number not in stop}
        total += sum(left.values())
        for number in left:
            pruner.complete(number)
    return total


class PrunedEngine(Engine):
    """An engine whose poor trials stop at rungs."""

    def __init__(self, engine: Engine, spec: SweepSpec, rule: EarlyTerminate, first: Engine | None = None) -> None:
        """`first` asks for the first generation, of `rule.first` trials."""
        self.name = engine.name
        self._engines = (engine,) if first is None else (engine, first)
        self._spec = spec
        self._pruner = PRUNING_RULES.find(rule.type)(spec, rule)
        self._first = rule.first if first is not None else 0
        self._count = 0  # of results so far

    def ask(self, n: int) -> list[Suggestion]:
        return self._engines[-1 if self._count < self._first else 0].ask(n)

    def generation_size(self, index: int, size: int) -> int:
        """The first is of `rule.first`, unless trials are asked one by one."""
        return self._first if self._first and index == 0 and size > 1 else size

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """The rule's, but for those before the least that a trial trains."""
        return tuple(one for one in self._pruner.rungs(epochs) if one >= self._spec.objective.epochs_from)

    def replay(self, generations: Sequence[Sequence[Result]]) -> None:
        """Take in all earlier results; values come to the rungs again in the order in which they did."""
        for results in generations:
            curves = {result.number: result.curve.get(self._spec.objective.name, ()) for result in results}
            plans = {one.number: training_plan(self._spec, one.suggestion.params) for one in results}
            rungs = {number: self.rungs(plan.epochs) for number, plan in plans.items()}
            for epoch in sorted({epoch for epochs in rungs.values() for epoch in epochs}):
                came = {
                    number: curve[epoch - 1]
                    for number, curve in curves.items()
                    if epoch in rungs[number] and len(curve) >= epoch and math.isfinite(curve[epoch - 1])
                }
                self.rung(epoch, came)
            self._note(results)
        for engine in self._engines:
            engine.replay(generations)

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        return self._pruner.rung(epoch, values)

    def tell(self, results: Sequence[Result]) -> None:
        self._note(results)
        for engine in self._engines:
            engine.tell(results)

    def continuable(self) -> frozenset[int]:
        return self._engines[0].continuable()

    def _note(self, results: Sequence[Result]) -> None:
        self._count += len(results)
        for result in results:
            if result.state is TrialState.COMPLETE:
                self._pruner.complete(result.number)
