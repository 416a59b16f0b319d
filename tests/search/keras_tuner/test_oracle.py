"""What KerasTuner's oracles are told of trials that fail."""

import pytest

from keras_sweep.search.keras_tuner.oracle import ORACLES, SilentOracle
from keras_sweep.space.distributions import Float
from keras_sweep.space.search_space import Goal, Objective, Parameter, SearchSpace

SPACE = SearchSpace((Parameter("rate", Float(0.0, 1.0)),))


def oracle(goal: Goal, sampler: str = "bayesian", **options: float) -> SilentOracle:
    return ORACLES[sampler](SPACE, Objective("val_loss", goal), 1, lambda codes: codes, **options)


def scores(made: SilentOracle) -> dict[str, float | None]:
    return {id: trial.score for id, trial in made._oracle.trials.items()}


@pytest.mark.parametrize(("goal", "worst"), [(Goal.MAXIMIZE, 0.2), (Goal.MINIMIZE, 0.9)])
def test_a_failed_trial_counts_as_the_worst_of_the_others(goal: Goal, worst: float) -> None:
    made = oracle(goal)
    failed, good, better, running = (made.ask(number) for number in range(4))
    made.end(failed.id, None)
    assert scores(made)[failed.id] is None  # nothing is known yet
    made.end(good.id, 0.2)
    assert scores(made) == {failed.id: 0.2, good.id: 0.2, better.id: None, running.id: None}
    made.end(better.id, 0.9)
    assert scores(made)[failed.id] == worst


def test_a_failed_trial_of_an_oracle_that_learns_nothing_stays_a_failure() -> None:
    made = oracle(Goal.MINIMIZE, "random")
    failed, good = made.ask(0), made.ask(1)
    made.end(good.id, 0.5)
    made.end(failed.id, None)
    assert made._oracle.trials[failed.id].status == "FAILED"
    assert scores(made) == {failed.id: None, good.id: 0.5}
    assert made.promotable() == frozenset()


def test_a_bayesian_choice_costs_a_fit_once_enough_results_are_known() -> None:
    made = oracle(Goal.MINIMIZE)
    for number in range(3):
        assert not made.needs_fit
        made.end(made.ask(number).id, 0.1 * number)
    assert made.needs_fit
    assert not oracle(Goal.MINIMIZE, "random").needs_fit


def test_options_reach_the_class_of_the_sampler() -> None:
    made = oracle(Goal.MINIMIZE, beta=9.0, num_initial_points=1)
    assert (made._oracle.beta, made._oracle.alpha) == (9.0, 1e-4)
    made.end(made.ask(0).id, 0.5)
    assert made.needs_fit
