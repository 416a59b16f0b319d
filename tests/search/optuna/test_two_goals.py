"""Samplers that search for two goals at once come to the front; that a rebuilt one goes on alike is the contract."""

import pytest

from keras_sweep.search.engines import make_engine
from keras_sweep.testing.searching import GOALS, SIZES, flatten, run_two_goals
from keras_sweep.trial.ranking import front
from keras_sweep.trial.result import Result
from tests.helpers.factory import make_spec


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
        return sum(volume(flatten(run_two_goals(make_engine(spec), 12))) for spec in specs) / 4

    assert mean_volume(sampler) > mean_volume("random")
