"""The contracts of every sampler and every pruning rule as tests."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keras_sweep.search.engine import Capabilities, Engine
from keras_sweep.search.engines import find_sampler, make_engine
from keras_sweep.search.pruning import PRUNING_RULES, PruningRule
from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Goal, Objective, Parameter, Params, SearchSpace, identity
from keras_sweep.space.sweep_spec import EarlyTerminate, SearchSettings
from keras_sweep.testing.searching import (
    CONDITIONAL,
    GOALS,
    LONG,
    NARROW,
    SIZES,
    SMALL,
    check_rungs,
    flatten,
    is_in_space,
    make_result,
    measure_size,
    run_search,
    score,
    score_size,
    search_spec,
    summarize,
)
from keras_sweep.testing.small_sweep import LEARNING_RATE
from keras_sweep.trial.result import Result, Suggestion


class SamplerContract:
    """The tests of a sampler inside its engine. A test class derives from it and sets the sampler's registered name:

        class TestAnnealing(SamplerContract):
            sampler = "annealing"

    Attributes:
        engine: the engine that runs the sampler.
        sampler: the registered name.
        follows_seed: whether another seed leads to other trials; False for a grid.
    """

    engine = "optuna"
    sampler: str
    follows_seed = True

    @property
    def can(self) -> type[Capabilities]:
        """The capabilities that the sampler declares."""
        return find_sampler(SearchSettings(self.engine, self.sampler))

    def fresh(self, space: SearchSpace, start: Sequence[Params] = (), **more: Any) -> Engine:
        """Create an engine. `start`: points to try first. `more`: fields of SweepSpec to replace, or the `seed`."""
        spec = search_spec(space, self.engine, self.sampler)
        search = replace(spec.search, start=start, seed=more.pop("seed", spec.search.seed))
        return make_engine(replace(spec, search=search, **more))

    def others(self, space: SearchSpace, generations: int, size: int) -> list[list[Result]]:
        """Run `generations` generations of `size` trials with another engine. Return results by generation."""
        engine = "optuna" if self.engine == "keras-tuner" else "keras-tuner"
        return run_search(make_engine(search_spec(space, engine, "random", seed=3)), generations, size)

    def check_resuming(
        self, stops: Sequence[int], total: int, space: SearchSpace = CONDITIONAL, size: int = 4, **more: Any
    ) -> list[Result]:
        """Check that a search that stops after a generation resumes as if it had never stopped.

        Args:
            stops: numbers of generations. For each number, a search stops after this generation and resumes.
            total: the number of generations of the whole search, whose trials are returned.
            size: trials in a generation.
            more: arguments of `run_search`; `start` and `objective` go to `fresh`.
        """
        engine_arguments = {name: more.pop(name) for name in ("start", "objective") if name in more}
        whole = run_search(self.fresh(space, **engine_arguments), total, size, **more)
        for closed in stops:
            engine = self.fresh(space, **engine_arguments)
            engine.replay(whole[:closed])
            rest = run_search(engine, total - closed, size, start=closed, **more)
            assert summarize(flatten(rest)) == summarize(flatten(whole[closed:]))
        return flatten(whole)

    def test_has_the_name_of_engine_and_sampler(self) -> None:
        assert self.fresh(SMALL).name == f"{self.engine}/{self.sampler}"

    def test_values_are_in_the_space_and_numbers_have_no_gap(self) -> None:
        results = flatten(run_search(self.fresh(CONDITIONAL), 5, 5))
        assert [result.number for result in results] == list(range(25))
        for result in results:
            assert is_in_space(CONDITIONAL, result.params), result.params
            assert not [name for name in result.params if name.startswith("tuner/")]
            assert [type(result.params[name]) for name in ("learning_rate", "model.units")] == [float, int]

    def test_a_search_stopped_after_a_generation_resumes_alike(self) -> None:
        assert len(self.check_resuming((1, 4), 5)) == 20
        assert len(self.check_resuming((3,), 4, NARROW)) == 16

    def test_a_search_stopped_inside_a_generation_resumes_alike(self) -> None:
        whole = flatten(run_search(self.fresh(CONDITIONAL), 3, 4))
        engine = self.fresh(CONDITIONAL)
        # Trial 4 is recorded too, but its generation is incomplete, so the engine suggests it again.
        engine.replay([whole[:4]])
        again = [replace(suggestion, generation=1) for suggestion in engine.ask(4)]
        assert again[0].params == whole[4].params
        second = [make_result(suggestion, engine.name, score(suggestion.params)) for suggestion in again]
        engine.tell(second)
        third = run_search(engine, 1, 4, start=2)
        assert summarize(whole[:4] + second + flatten(third)) == summarize(whole)

    def test_a_search_with_failures_resumes_alike(self) -> None:
        def value(suggestion: Suggestion) -> float | None:
            return None if suggestion.number % 3 == 1 else score(suggestion.params)

        assert len(self.check_resuming((4,), 6, value=value)) == 24

    def test_nothing_but_failures_does_not_end_a_search(self) -> None:
        results = flatten(run_search(self.fresh(CONDITIONAL), 4, 4, lambda _: None))
        assert len(results) == 16
        assert len({identity(result.params) for result in results}) == 16

    def test_the_seed_decides(self) -> None:
        first, same, different = (flatten(run_search(self.fresh(CONDITIONAL, seed=seed), 2, 4)) for seed in (0, 0, 1))
        assert summarize(first) == summarize(same)
        assert (summarize(first) != summarize(different)) == self.follows_seed

    def test_a_continued_trial_has_the_same_values_and_more_epochs(self) -> None:
        results = flatten(run_search(self.fresh(CONDITIONAL), 12 if self.can.sets_epochs else 3, 4))
        for result in results:
            if result.suggestion.continues is not None:
                past = results[result.suggestion.continues]
                assert past.suggestion.generation < result.suggestion.generation
                assert {**past.params, "epochs": 0} == {**result.params, "epochs": 0}
                assert result.epochs > past.epochs
        assert any(result.suggestion.continues is not None for result in results) == self.can.sets_epochs

    def test_six_points_end_at_six(self) -> None:
        for size in (1, 4, 16):
            engine = self.fresh(SMALL)
            results = flatten(run_search(engine, 30, size))
            began = [result for result in results if result.suggestion.continues is None]
            points = {(result.params["optimizer"], result.params["batch_size"]) for result in began}
            assert len(began) == len(points) == 6
            assert engine.ask(4) == []
            if self.can.sets_epochs:  # the best trial still gets the most epochs
                assert max(results, key=lambda result: result.value or 0.0).params["epochs"] == 3

    def test_an_exhausting_search_resumes_alike(self) -> None:
        generations = len(run_search(self.fresh(SMALL), 30, 4))
        self.check_resuming(range(1, generations + 1), 30, SMALL)

    def test_a_space_of_constants_has_one_trial(self) -> None:
        results = flatten(run_search(self.fresh(SearchSpace((), {"optimizer": "adam", "epochs": 1})), 3, 4))
        assert [dict(result.params) for result in results] == [{"optimizer": "adam", "epochs": 1}]

    def test_continues_from_the_trials_of_another_engine(self) -> None:
        theirs = self.others(CONDITIONAL, 2, 5)
        theirs[1] = theirs[1][:2]  # the sweep stopped inside a generation
        engine = self.fresh(CONDITIONAL)
        engine.replay(theirs)
        ours = run_search(engine, 3, 4, start=2)
        assert [result.number for result in flatten(ours)] == list(range(7, 19))
        again = self.fresh(CONDITIONAL)
        again.replay([*theirs, *ours[:2]])
        assert summarize(flatten(run_search(again, 1, 4, start=4))) == summarize(ours[2])

    def test_does_not_repeat_trials_of_another_engine(self) -> None:
        theirs = self.others(SMALL, 1, 4)
        engine = self.fresh(SMALL)
        engine.replay(theirs)
        ours = flatten(run_search(engine, 20, 4, start=1))
        points = {identity(result.params) for result in flatten(theirs)}
        assert not points & {identity(result.params) for result in ours if result.suggestion.continues is None}

    def test_start_points_come_first_and_the_search_resumes_alike(self) -> None:
        start: list[Params] = [
            {"optimizer": "adam", "learning_rate": 0.002},
            {"optimizer": "sgd", "momentum": 0.3, "nesterov": False},
        ]
        start += [{"model.hidden": (64, 32)}, {"optimizer": "adam", "batch_size": 48, "model.units": 2}, {}]
        results = self.check_resuming((1, 2, 4), 5, start=start)
        assert len(results) == 20 and all(is_in_space(CONDITIONAL, result.params) for result in results)
        for point, result in zip(start, results, strict=False):
            assert point.items() <= result.params.items()
            assert result.suggestion.continues is None

    def test_skips_a_start_point_that_a_trial_has(self) -> None:
        start: list[Params] = [{"optimizer": "adam", "batch_size": 32}, {"optimizer": "adam"}] * 2
        engine = self.fresh(SMALL, start)
        results = [result for result in flatten(run_search(engine, 30, 4)) if result.suggestion.continues is None]
        points = [(result.params["optimizer"], result.params["batch_size"]) for result in results]
        assert points[0] == ("adam", 32) and len(points) == len(set(points)) == 6

    def test_poor_trials_stop_at_rungs_and_a_rebuilt_engine_decides_alike(self) -> None:
        # A sampler that sets epochs has no rungs: it continues good trials instead.
        if not self.can.sets_epochs:
            spec = search_spec(LONG, self.engine, self.sampler)
            check_rungs(replace(spec, early_terminate=EarlyTerminate("successive_halving", 1, 2)), 3)

    def test_minimising_is_maximising_the_opposite(self) -> None:
        def negate_score(suggestion: Suggestion) -> float:
            return -score(suggestion.params)

        up = flatten(run_search(self.fresh(CONDITIONAL), 4, 4))
        objective = Objective("val_accuracy", Goal.MINIMIZE)
        down = flatten(run_search(self.fresh(CONDITIONAL, objective=objective), 4, 4, negate_score))
        assert [result.params for result in up] == [result.params for result in down]

    def test_prints_nothing_and_leaves_no_file(
        self, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        run_search(self.fresh(CONDITIONAL), 2, 4)
        assert capfd.readouterr() == ("", "")
        assert list(tmp_path.iterdir()) == []

    def test_suggests_ahead_only_if_no_result_changes_its_suggestions(self) -> None:
        ahead, in_turn = self.fresh(CONDITIONAL), self.fresh(CONDITIONAL)
        suggestions = ahead.ask_ahead(2, 5)
        assert len(suggestions) == (2 if self.can.learns else 10)
        for first in range(0, len(suggestions), 2):
            pair = in_turn.ask(2)
            assert [(trial.number, trial.params) for trial in pair] == [
                (trial.number, trial.params) for trial in suggestions[first : first + 2]
            ]
            in_turn.tell([make_result(trial, in_turn.name, score(trial.params)) for trial in pair])

    def test_draws_choices_by_their_probabilities_if_it_declares_that(self) -> None:
        if self.can.draws_probabilities:
            weighted = Parameter("optimizer", Categorical(("sgd", "rmsprop", "adam"), (0.9, 0.1, 0.0)))
            suggestions = self.fresh(SearchSpace((weighted, LEARNING_RATE))).ask(100)
            optimizers = [suggestion.params["optimizer"] for suggestion in suggestions]
            assert optimizers.count("sgd") > 75 and optimizers.count("adam") == 0

    def test_a_search_for_two_goals_resumes_alike(self) -> None:
        if self.can.learns_goals or not self.can.learns:
            two_goals = {"objective": GOALS, "value": score_size, "measure": measure_size}
            self.check_resuming((1, 3, 5), 6, SIZES, 8, **two_goals)


def prune_trials(pruner: PruningRule, numbers: range, epochs: int = 9) -> dict[int, int]:
    """Let `pruner` stop made-up trials that have these `numbers` and `epochs` epochs. Return {stopped trial: epoch}."""
    draw = random.Random(numbers.start)
    last_values = {number: draw.random() for number in numbers}
    stopped: dict[int, int] = {}
    for epoch in pruner.rungs(epochs):
        for number in numbers:
            if number not in stopped and pruner.stops(number, epoch, last_values[number] * epoch / epochs):
                stopped[number] = epoch
    for number in set(numbers) - set(stopped):
        pruner.complete(number)
    return stopped


class PruningRuleContract:
    """The tests of a pruning rule. A test class derives from it and sets the registered name: `rule = "patient"`."""

    rule: str

    def fresh(self, min_iter: int = 1) -> PruningRule:
        """Create a pruner that compares trials from epoch `min_iter` on."""
        return PRUNING_RULES.find(self.rule)(
            search_spec(LONG, "optuna", "random"), EarlyTerminate(self.rule, min_iter, 2)
        )

    def test_compares_before_the_last_epoch_in_ascending_order(self) -> None:
        pruner = self.fresh()
        for epochs in range(1, 12):
            rungs = pruner.rungs(epochs)
            assert list(rungs) == sorted(set(rungs)) and all(1 <= rung < epochs for rung in rungs)

    def test_stops_no_trial_before_min_iter(self) -> None:
        assert all(rung >= 3 for rung in self.fresh(min_iter=3).rungs(9))

    def test_stops_some_trials_but_not_all(self) -> None:
        pruner = self.fresh()
        assert 0 < len(prune_trials(pruner, range(20)) | prune_trials(pruner, range(20, 40))) < 40

    def test_two_pruners_decide_alike(self) -> None:
        first, second = self.fresh(), self.fresh()
        for numbers in (range(16), range(16, 32)):
            assert prune_trials(first, numbers) == prune_trials(second, numbers)
