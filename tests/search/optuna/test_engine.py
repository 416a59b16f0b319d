"""What is Optuna's own: what its samplers learn, probabilities, results of other spaces. The rest is the contract."""

import math
from dataclasses import replace

import pytest

from keras_sweep.search.engines import make_engine
from keras_sweep.space.sweep_spec import EarlyTerminate
from keras_sweep.testing.searching import LONG, check_rungs, flatten, run_search, search_spec
from keras_sweep.trial.result import Result, Suggestion
from tests.helpers.factory import LEARNING_RATE, OPTIMIZER, make_spec


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
