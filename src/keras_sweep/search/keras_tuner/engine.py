"""KerasTuner as an engine: oracles of KerasTuner choose trials, and keras-sweep's runners train them."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

from keras_sweep.errors import UsageError
from keras_sweep.search.engine import Engine
from keras_sweep.search.keras_tuner.oracle import ORACLES, OracleTrial
from keras_sweep.search.keras_tuner.space import Codes, decode, encode
from keras_sweep.search.sampler_engine import FILLS, SeenPoints
from keras_sweep.search.samplers import grid_space
from keras_sweep.space.constraint import parse_constraint
from keras_sweep.space.distributions import Int
from keras_sweep.space.search_space import Params, SearchSpace
from keras_sweep.space.sweep_spec import SCHEDULE, SweepSpec
from keras_sweep.trial.plan import DEFAULT_EPOCHS
from keras_sweep.trial.ranking import is_searched
from keras_sweep.trial.result import Result, Suggestion

REDRAWS = 100  # random points, before the points of a finite space are tried in order


class KerasTunerEngine(Engine):
    """An engine whose trials an oracle of KerasTuner chooses: `random`, `bayesian`, `hyperband` or `grid`. After a
    restart, a new oracle makes the earlier choices again. `bayesian` also learns from trials of other engines; other
    oracles only avoid repeating them. `hyperband` sets `epochs` itself, from the least to the largest value of the
    space. It continues a promoted trial, or trains it again if the learning rate has a schedule. Raises UsageError if a
    parameter or constraint depends on `epochs`."""

    def __init__(self, spec: SweepSpec, start: Sequence[Params] = ()) -> None:
        self.name = spec.search.engine_name
        oracle = ORACLES[spec.search.sampler]
        self._seed = spec.search.seed
        space, self._budget = spec.space, None
        if oracle.sets_epochs:
            smallest, largest = space.get_bounds("epochs", DEFAULT_EPOCHS)
            self._budget = (smallest if "epochs" in space.distributions else 1, largest)
            space = _without_epochs(space)
        self._space = space if oracle.draws_ranges else _cut_for_grid(space)
        self._seen = SeenPoints(self._space)  # without Hyperband's epochs
        options = spec.search.options or {}
        self._oracle = oracle(self._space, spec.objective, self._seed, self._accept, self._budget, **options)
        self._start = start
        self._foreign = 0  # trials that no engine suggested
        self._next = 0  # number of the next trial
        self._numbers: dict[str, int] = {}  # the oracle's id -> number
        self._running: dict[int, str] = {}  # number -> id, for trials whose results the oracle has not learned

    def recall(self, results: Sequence[Result]) -> None:
        in_order = sorted(results, key=lambda result: result.number)
        self._foreign += sum(not is_searched(result) for result in results)
        repeated = self._ask_again([result for result in in_order if result.engine == self.name])
        for result in in_order:
            if result.number not in repeated:  # from another engine
                params = dict(result.params if self._budget else result.suggestion.params)
                if self._budget is None or params.pop("epochs", None) in self._oracle.first_budgets():
                    self._seen.add(params)
                if self._oracle.models_results:
                    self._add(result.number, result.params)
            self._next = result.number + 1

    def ask(self, n: int) -> list[Suggestion]:
        self._cancel_running()
        suggestions: list[Suggestion] = []
        while len(suggestions) < n and (suggestion := self._suggest()) is not None:
            suggestions.append(suggestion)
        return suggestions

    def tell(self, results: Sequence[Result]) -> None:
        for result in sorted(results, key=lambda result: result.number):
            if result.number in self._running:
                self._oracle.end(self._running.pop(result.number), result.value)
        self._cancel_running()

    def continuable(self) -> frozenset[int]:
        return frozenset(self._numbers[id] for id in self._oracle.promotable() if id in self._numbers)

    def _suggest(self) -> Suggestion | None:
        number = self._next
        if (suggestion := self._suggest_start_point(number)) is not None:
            return suggestion
        if (choice := self._choose(number)) is None:
            return None
        params = decode(self._space, choice.codes)
        if choice.promoted is None:
            self._seen.add(params)
        if choice.epochs is not None:
            params["epochs"] = choice.epochs
        self._next += 1
        self._track(number, choice.id)
        earlier = choice.promoted if SCHEDULE.isdisjoint(params) else None
        continues = self._numbers[earlier] if earlier is not None else None
        return Suggestion(number, params, continues=continues)

    def _suggest_start_point(self, number: int) -> Suggestion | None:
        """Suggest trial `number` from its start point, completed at random. Return None if the trial has no start
        point, or if all completions repeat trials."""
        place = number - self._foreign
        if place >= len(self._start):
            return None
        unit, start = random.Random(f"{self._seed}/{number}").random, self._start[place]
        points = (self._space.assign_values(lambda part: part.distribution.at(unit()), start) for _ in range(FILLS))
        if (params := next((point for point in points if point not in self._seen), None)) is None:
            return None
        self._seen.add(params)
        self._next += 1
        if self._oracle.models_results:
            self._add(number, params)
        if self._budget is not None:
            params["epochs"] = start.get("epochs", self._budget[1])
        return Suggestion(number, params)

    def _choose(self, number: int) -> OracleTrial | None:
        while (choice := self._oracle.ask(number)) is not None:
            params = decode(self._space, choice.codes)
            if choice.promoted is not None or params not in self._seen:
                codes = encode(self._space, params)
                if codes is not None and choice.promoted is None and self._oracle.models_results:
                    self._oracle.change(choice.id, codes)  # KerasTuner may round past the end of a range
                return choice
            if not self._oracle.draws_ranges:  # a grid point that another engine tried
                self._oracle.drop(choice.id)
                continue
            if (new_codes := self._draw_new(number)) is None:
                self._oracle.drop(choice.id)
                return None
            self._oracle.change(choice.id, new_codes)
            return replace(choice, codes=new_codes)
        return None

    def _accept(self, codes: Codes | None) -> Codes | None:
        """Return the oracle's point `codes`; if None or tried before, a new random point; None if no point is left."""
        if codes is not None and decode(self._space, codes) not in self._seen:
            return codes
        return self._draw_new(self._next)

    def _draw_new(self, number: int) -> Codes | None:
        point = self._seen.draw_unseen(random.Random(f"{self._seed}/{number}").random, REDRAWS)
        if point is None and self._space.size < math.inf:
            point = next(self._seen.unseen(), None)
        return None if point is None else encode(self._space, point)

    def _ask_again(self, results: Sequence[Result]) -> frozenset[int]:
        """Let a new oracle choose a recorded generation. Return the numbers of the trials that it chose as recorded."""
        repeated = set()
        for result in results:
            self._next = result.number
            if self._oracle.needs_fit:  # a fit takes about a second, and the record has its outcome
                if self._add(result.number, result.params):
                    self._seen.add(result.suggestion.params)
                    repeated.add(result.number)
                continue
            if (suggestion := self._suggest()) is None:
                break
            if suggestion.params == result.suggestion.params and suggestion.continues == result.suggestion.continues:
                repeated.add(suggestion.number)
            else:
                self._cancel(suggestion.number)
        return frozenset(repeated)

    def _add(self, number: int, params: Params) -> bool:
        """Tell the oracle of a trial that it did not choose. Return False if `params` are not in the space."""
        codes = encode(self._space, params)
        if codes is not None:
            self._track(number, self._oracle.add(codes))
        return codes is not None

    def _track(self, number: int, id: str) -> None:
        self._numbers[id] = number
        self._running[number] = id

    def _cancel(self, number: int) -> None:
        if number in self._running:  # the oracle may not know a start point
            self._oracle.drop(self._running.pop(number))

    def _cancel_running(self) -> None:
        for number in sorted(self._running):
            self._cancel(number)


def _without_epochs(space: SearchSpace) -> SearchSpace:
    parents = {parameter.name: {part.parameter for part in parameter.when} for parameter in space.parameters}
    for what, names in (parents | {text: parse_constraint(text).names for text in space.where}).items():
        if "epochs" in names:
            raise UsageError(
                f"`{what}` depends on `epochs`, which hyperband sets itself",
                hint="Remove this condition, or use another sampler",
            )
    parameters = tuple(parameter for parameter in space.parameters if parameter.name != "epochs")
    constants = {name: value for name, value in space.constants.items() if name != "epochs"}
    return replace(space, parameters=parameters, constants=constants)


def _cut_for_grid(space: SearchSpace) -> SearchSpace:
    """Return the space of a grid: continuous ranges become a few values. Logarithmic whole numbers become linear, since
    KerasTuner would try only ten of them."""
    grid = grid_space(space)
    parameters = (
        replace(dim, distribution=replace(dim.distribution, log=False)) if isinstance(dim.distribution, Int) else dim
        for dim in grid.parameters
    )
    return replace(grid, parameters=tuple(parameters))
