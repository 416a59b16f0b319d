"""What every engine promises, whatever its library and sampler: `search/engine.py` in tests."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_sweep.search.engine import Engine
from keras_sweep.search.engines import make_engine
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Condition, Goal, Objective, Parameter, Params, SearchSpace, identity
from keras_sweep.space.sweep_spec import EarlyTerminate, SearchSettings, SweepSpec
from keras_sweep.trial.result import Result, Suggestion, TrialState
from tests.helpers.factory import LEARNING_RATE, MOMENTUM, OPTIMIZER, make_spec

SMALL = SearchSpace((OPTIMIZER, Parameter("batch_size", Categorical((16, 32)))), {"epochs": 3})  # 6 points
# Samplers that model the objective begin to after few trials.
NARROW = SearchSpace((Parameter("optimizer", Categorical(("sgd", "adam"))), LEARNING_RATE, MOMENTUM))
LONG = SearchSpace((LEARNING_RATE,), {"epochs": 9})
CONDITIONAL = SearchSpace(
    (
        OPTIMIZER,
        Parameter("learning_rate", Float(1e-3, 1.0, log=True), (Condition("optimizer", ("sgd",)),), 1),
        Parameter("learning_rate", Float(1e-4, 1e-2), (Condition("optimizer", ("rmsprop", "adam")),), 2),
        Parameter("momentum", Float(0.0, 0.9, step=0.3), (Condition("optimizer", ("sgd",)),)),
        Parameter("nesterov", Categorical((True, False)), (Condition("momentum", (0.3, 0.6)),)),
        Parameter("model.hidden", Categorical(((), (32,), (64, 32)))),
        Parameter("model.units", Int(1, 4, log=True)),
        Parameter("batch_size", Int(16, 48, step=32)),
        Parameter("epochs", Int(1, 9)),
    ),
    {"seed": 7},
    ("model.units * batch_size <= 100", "optimizer != 'sgd' or learning_rate < 0.3"),
)


def spec(space: SearchSpace, engine: str, sampler: str, seed: int = 42, goal: Goal = Goal.MAXIMIZE) -> SweepSpec:
    """A sweep of that space; no model is ever built."""
    return make_spec(
        space=space,
        objective=Objective("val_accuracy", goal),
        search=SearchSettings(engine, sampler, 64, seed),
    )


def score(params: Params) -> float:
    """A made-up accuracy: the best rate lies at 0.01, adam and more epochs are better."""
    rate = params.get("learning_rate", 0.01)
    epochs = params.get("epochs", 5)
    bonus = {"sgd": 0.0, "rmsprop": 0.02, "adam": 0.03}[str(params.get("optimizer", "sgd"))]
    return 0.8 + bonus - 0.02 * (math.log10(rate) + 2) ** 2 - 0.1 / epochs


def trained(suggestion: Suggestion, engine: str, value: float | None) -> Result:
    """What a runner would give; None is a trial that diverged."""
    state = TrialState.FAIL if value is None else TrialState.COMPLETE
    epochs = suggestion.params.get("epochs", 5)
    curve = {"val_accuracy": tuple((value or 0.0) * epoch / epochs for epoch in range(1, epochs + 1))}
    return Result(suggestion, state, value, curve, None if value is None else epochs, engine=engine)


def climbed(engine: Engine, made: SweepSpec, generation: int, size: int) -> list[Result]:
    """One generation that is compared at its rungs."""
    asked = [replace(suggestion, generation=generation) for suggestion in engine.ask(size)]
    whole = {one.number: trained(one, engine.name, score(one.params)) for one in asked}
    name = made.objective.name
    ended: dict[int, int] = {}
    for epoch in engine.rungs(9):
        values = {number: whole[number].curve[name][epoch - 1] for number in whole if number not in ended}
        ended |= dict.fromkeys(engine.rung(epoch, values), epoch)
    results = []
    for number, result in whole.items():
        curve = result.curve[name][: ended.get(number, 9)]
        state = TrialState.PRUNED if number in ended else TrialState.COMPLETE
        results.append(replace(result, state=state, value=curve[-1], curve={name: curve}, epoch=len(curve)))
    engine.tell(results)
    return results


def stops_and_is_rebuilt(made: SweepSpec, size: int) -> None:
    """See that poor trials stop, that the best does not, and that an engine rebuilt by replay decides alike."""
    engine, rebuilt = make_engine(made), make_engine(made)
    whole = [climbed(engine, made, index, size) for index in range(3)]
    best = max(flat(whole), key=lambda result: result.value or 0.0)
    assert TrialState.PRUNED in {result.state for result in flat(whole)} and best.state is TrialState.COMPLETE
    rebuilt.replay(whole[:2])
    for again, result in zip(climbed(rebuilt, made, 2, size), whole[2], strict=True):
        assert (again.params, again.state, again.epochs) == (result.params, result.state, result.epochs)


def searched(engine: Engine, generations: int, size: int, value=None, start: int = 0) -> list[list[Result]]:
    """Run an engine for so many generations, or until the space is exhausted; `value` gives that of a suggestion."""
    value = value or (lambda suggestion: score(suggestion.params))
    done: list[list[Result]] = []
    for index in range(start, start + generations):
        asked = [replace(suggestion, generation=index) for suggestion in engine.ask(size)]
        if not asked:
            break
        results = [trained(suggestion, engine.name, value(suggestion)) for suggestion in asked]
        engine.tell(results)
        done.append(results)
    return done


def flat(generations: Sequence[Sequence[Result]]) -> list[Result]:
    return [result for generation in generations for result in generation]


def summary(results: Sequence[Result]) -> list[tuple[object, ...]]:
    """What must be equal of two searches; the time that asking took is not."""
    return [(one.number, one.params, one.suggestion.continues, one.value) for one in results]


def in_space(space: SearchSpace, params: Params) -> bool:
    """Whether a trial has exactly the active parameters and the constants, with values that the space may have."""
    values = space.searched(params)
    own = {**space.constants, **{each.name: value for each, value in values or ()}}
    return values is not None and own == dict(params) and space.allows(params)


class EngineContract:
    """What `tests/contracts` runs over every sampler."""

    engine: str
    sampler: str
    has_budgets: bool = False  # chooses `epochs` by itself and continues trials

    def fresh(self, space: SearchSpace, start: Sequence[Params] = (), **more: Any) -> Engine:
        made = spec(space, self.engine, self.sampler, **more)
        return make_engine(replace(made, search=replace(made.search, start=start)))

    def others(self, space: SearchSpace, generations: int, size: int) -> list[list[Result]]:
        """Generations of another engine."""
        other = "optuna" if self.engine == "keras-tuner" else "keras-tuner"
        return searched(make_engine(spec(space, other, "random", seed=3)), generations, size)

    def test_bears_the_name_of_engine_and_sampler(self) -> None:
        assert self.fresh(SMALL).name == f"{self.engine}/{self.sampler}"

    def test_numbers_go_on_without_a_gap(self) -> None:
        results = flat(searched(self.fresh(CONDITIONAL), 3, 4))
        assert [result.number for result in results] == list(range(len(results)))
        assert len(results) == 12

    def test_values_are_of_the_space_with_conditions_and_constants(self) -> None:
        for result in flat(searched(self.fresh(CONDITIONAL), 5, 5)):
            assert in_space(CONDITIONAL, result.params), result.params
            assert not [name for name in result.params if name.startswith("tuner/")]
            assert [type(result.params[name]) for name in ("learning_rate", "model.units")] == [float, int]

    def test_a_search_stopped_after_a_generation_goes_on_as_if_never_stopped(self) -> None:
        for space, total, stops in ((CONDITIONAL, 5, (1, 4)), (NARROW, 4, (3,))):
            whole = searched(self.fresh(space), total, 4)
            assert len(flat(whole)) == 4 * total
            for closed in stops:
                engine = self.fresh(space)
                engine.replay(whole[:closed])
                rest = searched(engine, total - closed, 4, start=closed)
                assert summary(flat(rest)) == summary(flat(whole[closed:]))

    def test_five_trials_then_twelve_are_the_twelve_of_one_run(self) -> None:
        """Stopped inside a generation, the same generation is asked again and its missing trials trained."""
        whole = flat(searched(self.fresh(CONDITIONAL), 3, 4))
        engine = self.fresh(CONDITIONAL)
        engine.replay([whole[:4]])  # trial 4 is in the record too, but its generation is not closed
        again = [replace(suggestion, generation=1) for suggestion in engine.ask(4)]
        assert again[0].params == whole[4].params
        second = [trained(suggestion, engine.name, score(suggestion.params)) for suggestion in again]
        engine.tell(second)
        third = searched(engine, 1, 4, start=2)
        assert summary(whole[:4] + second + flat(third)) == summary(whole)

    def test_a_search_with_failures_resumes_alike(self) -> None:
        def value(suggestion: Suggestion) -> float | None:
            return None if suggestion.number % 3 == 1 else score(suggestion.params)

        whole = searched(self.fresh(CONDITIONAL), 6, 4, value)
        assert len(flat(whole)) == 24
        engine = self.fresh(CONDITIONAL)
        engine.replay(whole[:4])
        assert summary(flat(searched(engine, 2, 4, value, start=4))) == summary(flat(whole[4:]))

    def test_nothing_but_failures_does_not_end_a_search(self) -> None:
        results = flat(searched(self.fresh(CONDITIONAL), 4, 4, lambda suggestion: None))
        assert len(results) == 16
        assert len({identity(result.params) for result in results}) == 16

    def test_the_seed_decides(self) -> None:
        if self.sampler == "grid" and self.engine == "keras-tuner":
            return  # a grid in the order of the file
        first, again, other = (flat(searched(self.fresh(CONDITIONAL, seed=seed), 2, 4)) for seed in (0, 0, 1))
        assert summary(first) == summary(again)
        assert summary(first) != summary(other)

    def test_no_trial_repeats_another(self) -> None:
        seen = set()
        for result in flat(searched(self.fresh(SMALL), 20, 4)):
            if result.suggestion.continues is None:
                assert identity(result.params) not in seen
            seen.add(identity(result.params))

    def test_a_continued_trial_has_the_same_values_and_more_epochs(self) -> None:
        results = flat(searched(self.fresh(CONDITIONAL), 12 if self.has_budgets else 3, 4))
        for result in results:
            if result.suggestion.continues is not None:
                past = results[result.suggestion.continues]
                assert past.suggestion.generation < result.suggestion.generation
                assert {**past.params, "epochs": 0} == {**result.params, "epochs": 0}
                assert result.epochs > past.epochs
        assert any(result.suggestion.continues is not None for result in results) == self.has_budgets

    def test_six_points_end_at_six(self) -> None:
        for size in (1, 4, 16):
            engine = self.fresh(SMALL)
            results = flat(searched(engine, 30, size))
            began = [result for result in results if result.suggestion.continues is None]
            points = {(result.params["optimizer"], result.params["batch_size"]) for result in began}
            assert len(began) == len(points) == 6
            assert engine.ask(4) == []
            if self.has_budgets:  # the best still gets the most epochs
                assert max(results, key=lambda result: result.value or 0.0).params["epochs"] == 3

    def test_an_exhausting_search_resumes_alike(self) -> None:
        whole = searched(self.fresh(SMALL), 30, 4)
        for closed in range(1, len(whole) + 1):
            engine = self.fresh(SMALL)
            engine.replay(whole[:closed])
            assert summary(flat(searched(engine, 30, 4, start=closed))) == summary(flat(whole[closed:]))

    def test_a_space_of_constants_has_one_trial(self) -> None:
        results = flat(searched(self.fresh(SearchSpace((), {"optimizer": "adam", "epochs": 1})), 3, 4))
        assert [dict(result.params) for result in results] == [{"optimizer": "adam", "epochs": 1}]

    def test_goes_on_with_the_trials_of_another_engine(self) -> None:
        theirs = self.others(CONDITIONAL, 2, 5)
        theirs[1] = theirs[1][:2]  # the sweep ended inside a generation
        engine = self.fresh(CONDITIONAL)
        engine.replay(theirs)
        ours = searched(engine, 3, 4, start=2)
        assert [result.number for result in flat(ours)] == list(range(7, 19))
        again = self.fresh(CONDITIONAL)
        again.replay([*theirs, *ours[:2]])
        assert summary(flat(searched(again, 1, 4, start=4))) == summary(ours[2])

    def test_another_engines_trials_are_not_repeated(self) -> None:
        theirs = self.others(SMALL, 1, 4)
        engine = self.fresh(SMALL)
        engine.replay(theirs)
        ours = flat(searched(engine, 20, 4, start=1))
        points = {identity(result.params) for result in flat(theirs)}
        assert not points & {identity(result.params) for result in ours if result.suggestion.continues is None}

    def test_points_to_start_with_come_first_and_a_search_with_them_resumes_alike(self) -> None:
        start = [
            {"optimizer": "adam", "learning_rate": 0.002},
            {"optimizer": "sgd", "momentum": 0.3, "nesterov": False},
        ]
        start += [{"model.hidden": (64, 32)}, {"optimizer": "adam", "batch_size": 48, "model.units": 2}, {}]
        whole = searched(self.fresh(CONDITIONAL, start), 5, 4)
        results = flat(whole)
        assert len(results) == 20 and all(in_space(CONDITIONAL, result.params) for result in results)
        for given, result in zip(start, results, strict=False):
            assert given.items() <= result.params.items()
            assert result.suggestion.continues is None
        for closed in (1, 2, 4):
            engine = self.fresh(CONDITIONAL, start)
            engine.replay(whole[:closed])
            rest = searched(engine, 5 - closed, 4, start=closed)
            assert summary(flat(rest)) == summary(flat(whole[closed:]))

    def test_a_point_to_start_with_that_a_trial_has_is_passed_over(self) -> None:
        start = [{"optimizer": "adam", "batch_size": 32}, {"optimizer": "adam"}] * 2
        engine = self.fresh(SMALL, start)
        results = [one for one in flat(searched(engine, 30, 4)) if one.suggestion.continues is None]
        points = [(one.params["optimizer"], one.params["batch_size"]) for one in results]
        assert points[0] == ("adam", 32) and len(points) == len(set(points)) == 6

    def test_poor_trials_stop_at_rungs_and_a_rebuilt_engine_decides_alike(self) -> None:
        if not self.has_budgets:  # whose rungs are trials that continue others
            sweep = spec(LONG, self.engine, self.sampler)
            stops_and_is_rebuilt(replace(sweep, early_terminate=EarlyTerminate("successive_halving", 1, 2)), 3)

    def test_minimising_is_maximising_the_opposite(self) -> None:
        def negative(suggestion: Suggestion) -> float:
            return -score(suggestion.params)

        up = flat(searched(self.fresh(CONDITIONAL), 4, 4))
        down = flat(searched(self.fresh(CONDITIONAL, goal=Goal.MINIMIZE), 4, 4, negative))
        assert [result.params for result in up] == [result.params for result in down]

    def test_prints_nothing_and_leaves_no_file(self, capfd, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.chdir(tmp_path)
        searched(self.fresh(CONDITIONAL), 2, 4)
        assert capfd.readouterr() == ("", "")
        assert list(tmp_path.iterdir()) == []
