"""KerasTuner as an engine: its oracles choose; our runners train."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

from keras_sweep.errors import UsageError
from keras_sweep.search.engine import Engine
from keras_sweep.search.keras_tuner.oracle import ORACLES, Asked
from keras_sweep.search.keras_tuner.space import Codes, decode, encode
from keras_sweep.search.sampler_engine import FILLS, SeenPoints
from keras_sweep.search.samplers import grid_space
from keras_sweep.space.constraint import constraint
from keras_sweep.space.distributions import Int
from keras_sweep.space.search_space import Params, SearchSpace
from keras_sweep.space.sweep_spec import SCHEDULE, SweepSpec
from keras_sweep.trial.plan import DEFAULT_EPOCHS
from keras_sweep.trial.ranking import is_searched
from keras_sweep.trial.result import Result, Suggestion

REDRAWS = 100  # at random, before the points of a finite space are gone through in order


class KerasTunerEngine(Engine):
    """Asks by one of KerasTuner's oracles: `random`, `bayesian`, `hyperband` or `grid`.

    A rebuilt engine lets a fresh oracle choose again what it chose before. Of trials of another engine bayesian learns;
    the others only avoid to repeat them.

    With hyperband, `epochs` is its budget, between the least and the most of the space, and no parameter. A promoted
    trial without a schedule `continues` the one that it was. Raises UsageError where a parameter depends on `epochs`.
    """

    def __init__(self, spec: SweepSpec, start: Sequence[Params] = ()) -> None:
        self.name = spec.search.engine_name
        oracle = ORACLES[spec.search.sampler]
        self._seed = spec.search.seed
        space, self._budget = spec.space, None
        if oracle.sets_epochs:
            least, most = space.least_and_most("epochs", DEFAULT_EPOCHS)
            self._budget = (least if "epochs" in space.distributions else 1, most)
            space = _without_epochs(space)
        self._space = space if oracle.draws_ranges else _listed(space)
        self._seen = SeenPoints(self._space)  # without Hyperband's epochs
        self._oracle = oracle(self._space, spec.objective, self._seed, self._accept, self._budget)
        self._start = start
        self._others = 0  # trials that no engine asked for
        self._next = 0  # number of the next trial
        self._numbers: dict[str, int] = {}  # the oracle's id -> number
        self._untold: dict[int, str] = {}  # and back, of those that it waits for

    def replay(self, generations: Sequence[Sequence[Result]]) -> None:
        for results in generations:
            in_order = sorted(results, key=lambda result: result.number)
            self._others += sum(not is_searched(result) for result in results)
            again = self._ask_again([result for result in in_order if result.engine == self.name])
            for result in in_order:
                if result.number not in again:  # of another engine
                    params = dict(result.params if self._budget else result.suggestion.params)
                    if self._budget is None or params.pop("epochs", None) in self._oracle.first_budgets():
                        self._seen.add(params)
                    if self._oracle.models_results:
                        self._add(result.number, result.params)
                self._next = result.number + 1
            self.tell(in_order)

    def ask(self, n: int) -> list[Suggestion]:
        self._forget_untold()
        found: list[Suggestion] = []
        while len(found) < n and (suggestion := self._suggest()) is not None:
            found.append(suggestion)
        return found

    def tell(self, results: Sequence[Result]) -> None:
        for result in sorted(results, key=lambda result: result.number):
            if result.number in self._untold:
                self._oracle.end(self._untold.pop(result.number), result.value)
        self._forget_untold()

    def continuable(self) -> frozenset[int]:
        """The trials that hyperband may still promote."""
        return frozenset(self._numbers[id] for id in self._oracle.promotable() if id in self._numbers)

    def _suggest(self) -> Suggestion | None:
        number = self._next
        if (started := self._started(number)) is not None:
            return started
        if (asked := self._choice(number)) is None:
            return None
        params = decode(self._space, asked.codes)
        if asked.promoted is None:
            self._seen.add(params)
        if asked.epochs is not None:
            params["epochs"] = asked.epochs
        self._next += 1
        self._track(number, asked.id)
        before = asked.promoted if SCHEDULE.isdisjoint(params) else None
        continues = self._numbers[before] if before is not None else None
        return Suggestion(number, params, continues=continues)

    def _started(self, number: int) -> Suggestion | None:
        """The trial of its point to start with, completed at random. Of all oracles bayesian alone learns from it."""
        place = number - self._others
        if place >= len(self._start):
            return None
        unit, given = random.Random(f"{self._seed}/{number}").random, self._start[place]
        filled = (self._space.assign_values(lambda one: one.distribution.at(unit()), given) for _ in range(FILLS))
        if (params := next((one for one in filled if one not in self._seen), None)) is None:
            return None
        self._seen.add(params)
        self._next += 1
        if self._oracle.models_results:
            self._add(number, params)
        if self._budget is not None:
            params["epochs"] = given.get("epochs", self._budget[1])
        return Suggestion(number, params)

    def _choice(self, number: int) -> Asked | None:
        while (asked := self._oracle.ask(number)) is not None:
            params = decode(self._space, asked.codes)
            if asked.promoted is not None or params not in self._seen:
                codes = encode(self._space, params)
                if codes is not None and asked.promoted is None and self._oracle.models_results:
                    self._oracle.change(asked.id, codes)  # what KerasTuner rounded past the end of a range
                return asked
            if not self._oracle.draws_ranges:  # a point that another engine tried
                self._oracle.drop(asked.id)
                continue
            if (fresh := self._fresh(number)) is None:
                self._oracle.drop(asked.id)
                return None
            self._oracle.change(asked.id, fresh)
            return replace(asked, codes=fresh)
        return None

    def _accept(self, drawn: Codes | None) -> Codes | None:
        """What the oracle drew at random, or another point where that is there already."""
        if drawn is not None and decode(self._space, drawn) not in self._seen:
            return drawn
        return self._fresh(self._next)

    def _fresh(self, number: int) -> Codes | None:
        """A point that no trial has, drawn from (seed, number); None when there is none."""
        point = self._seen.at_random(random.Random(f"{self._seed}/{number}").random, REDRAWS)
        if point is None and self._space.size < math.inf:
            point = next(self._seen.unseen(), None)
        return None if point is None else encode(self._space, point)

    def _ask_again(self, results: Sequence[Result]) -> frozenset[int]:
        """Let the oracle choose a generation of its own once more; returns the numbers that came out as they were."""
        same = set()
        for result in results:
            self._next = result.number
            if self._oracle.guided:  # a fit takes about a second, and its outcome is what the record says
                if self._add(result.number, result.params):
                    self._seen.add(result.suggestion.params)
                    same.add(result.number)
                continue
            if (suggestion := self._suggest()) is None:
                break
            if suggestion.params == result.suggestion.params and suggestion.continues == result.suggestion.continues:
                same.add(suggestion.number)
            else:
                self._cancel(suggestion.number)
        return frozenset(same)

    def _add(self, number: int, params: Params) -> bool:
        """Make the oracle learn a trial that it did not choose now; False where it is of another space."""
        codes = encode(self._space, params)
        if codes is not None:
            self._track(number, self._oracle.add(codes))
        return codes is not None

    def _track(self, number: int, id: str) -> None:
        self._numbers[id] = number
        self._untold[number] = id

    def _cancel(self, number: int) -> None:
        if number in self._untold:  # a point to start with need not be the oracle's
            self._oracle.drop(self._untold.pop(number))

    def _forget_untold(self) -> None:
        for number in sorted(self._untold):
            self._cancel(number)


def _without_epochs(space: SearchSpace) -> SearchSpace:
    depends = {parameter.name: {one.parameter for one in parameter.when} for parameter in space.parameters}
    for what, names in (depends | {text: constraint(text).names for text in space.where}).items():
        if "epochs" in names:
            message = f"`{what}` depends on `epochs`, which hyperband takes for its budget"
            raise UsageError(message, hint="Drop that, or use another sampler")
    parameters = tuple(parameter for parameter in space.parameters if parameter.name != "epochs")
    constants = {name: value for name, value in space.constants.items() if name != "epochs"}
    return replace(space, parameters=parameters, constants=constants)


def _listed(space: SearchSpace) -> SearchSpace:
    """The space of a grid: no range is continuous, and a logarithmic one, of which KerasTuner takes ten, is listed."""
    cut = grid_space(space)
    parameters = (
        replace(one, distribution=replace(one.distribution, log=False)) if isinstance(one.distribution, Int) else one
        for one in cut.parameters
    )
    return replace(cut, parameters=tuple(parameters))
