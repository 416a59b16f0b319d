"""What is Optuna's own: what its samplers learn, two goals, results of other spaces. The rest is the contract."""

import math
from dataclasses import replace

import pytest

from keras_sweep.search.engines import make_engine
from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Parameter, SearchSpace
from keras_sweep.space.sweep_spec import EarlyTerminate
from keras_sweep.testing.searching import (
    GOALS,
    LONG,
    SIZES,
    check_rungs,
    flatten,
    is_in_space,
    measure_size,
    run_search,
    score,
    score_size,
    search_spec,
    summarize,
)
from keras_sweep.trial.ranking import front
from keras_sweep.trial.result import Result, Suggestion, TrialState
from tests.helpers.factory import LEARNING_RATE, MOMENTUM, OPTIMIZER, make_spec


def height(suggestion: Suggestion) -> float:
    """A value that the learning rate decides: the best lies at 0.1."""
    return 1 - abs(math.log10(suggestion.params["learning_rate"]) + 1) / 5  # type: ignore[arg-type]


def rates(results: list[Result]) -> list[float]:
    return [result.params["learning_rate"] for result in results]  # type: ignore[misc]


def test_tpe_finds_the_good_learning_rates() -> None:
    last = run_search(make_engine(make_spec((LEARNING_RATE,))), 8, 6, height)[-1]
    assert sum(0.02 < rate < 0.5 for rate in rates(last)) >= 4


def test_a_failed_trial_counts_as_the_worst() -> None:
    def value(suggestion: Suggestion) -> float | None:
        return height(suggestion) if suggestion.params["learning_rate"] < 0.01 else None  # type: ignore[operator]

    results = flatten(run_search(make_engine(make_spec((LEARNING_RATE,), seed=1)), 15, 6, value))
    assert sum(rate < 0.02 for rate in rates(results[60:])) > 15


def test_results_of_another_space_are_left_out_but_keep_their_numbers() -> None:
    engine = make_engine(make_spec((OPTIMIZER,)))
    engine.replay(run_search(make_engine(make_spec((LEARNING_RATE,))), 1, 6))
    assert [one.number for one in engine.ask(2)] == [6, 7]


@pytest.mark.parametrize("rule", ["hyperband", "median", "successive_halving"])
def test_every_rule_stops_poor_trials_and_is_rebuilt_by_replay(rule: str) -> None:
    made = replace(search_spec(LONG, "optuna", "random"), early_terminate=EarlyTerminate(rule, 1, 2))
    assert make_engine(made).rungs(9) == (tuple(range(1, 9)) if rule == "median" else (1, 2, 4, 8))
    assert make_engine(search_spec(LONG, "optuna", "random")).rungs(9) == ()
    check_rungs(made, 8)


SPACE = SearchSpace((Parameter("optimizer", Categorical(("sgd", "adam"))), LEARNING_RATE, MOMENTUM))


def test_a_search_by_a_gaussian_process_resumes_alike_once_it_models_results() -> None:
    made = search_spec(SPACE, "optuna", "gp")
    whole = run_search(make_engine(made), 2, 10)  # the first ten are at random
    engine = make_engine(made)
    engine.replay(whole[:1])
    assert summarize(flatten(run_search(engine, 1, 4, start=1))) == summarize(whole[1][:4])
    assert all(is_in_space(SPACE, result.params) for result in flatten(whole))
    rates = [[result.params["learning_rate"] for result in one] for one in whole]
    near = [sum(1e-3 < rate < 1e-1 for rate in one) for one in rates]
    assert near[1] > near[0] and all(result.state is TrialState.COMPLETE for result in flatten(whole))


def test_to_a_gaussian_process_too_a_failed_trial_counts_as_the_worst() -> None:
    """Rates above 0.01, where the best would be, all fail: what follows is below."""

    def value(suggestion):
        return score(suggestion.params) if suggestion.params["learning_rate"] < 0.003 else None

    results = flatten(run_search(make_engine(search_spec(SPACE, "optuna", "gp")), 3, 6, value))
    failed = [sum(result.value is None for result in results[begin : begin + 6]) for begin in (0, 6, 12)]
    assert failed[0] + failed[1] >= 4 and failed[2] <= 2


@pytest.mark.parametrize("sampler", [pytest.param("tpe", marks=pytest.mark.soak), "nsgaii"])
def test_trials_come_to_lie_where_no_goal_can_be_had_for_nothing(sampler: str) -> None:
    def volume(results: list[Result]) -> float:
        """What the front lies above: of sizes from 10 to 2560 in logarithms, by the accuracy above 0.7."""
        held = [one for one in results if one.number in front(results, GOALS)]
        sizes = [10.0 * 2**power for power in range(9)]
        best = [
            max((one.value or 0 for one in held if one.measured["parameters"] <= size), default=0.7) for size in sizes
        ]
        return sum(max(one - 0.7, 0.0) for one in best)

    def mean_volume(name: str) -> float:
        specs = [make_spec(space=SIZES, sampler=name, seed=seed, objective=GOALS) for seed in range(4)]
        searches = [run_search(make_engine(spec), 12, 8, score_size, measure=measure_size) for spec in specs]
        return sum(volume(flatten(search)) for search in searches) / 4

    assert mean_volume(sampler) > mean_volume("random")
