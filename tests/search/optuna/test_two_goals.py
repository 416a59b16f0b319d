"""Samplers that search for two goals at once: they come to the front, and a rebuilt one goes on alike."""

from dataclasses import replace

import pytest

from keras_sweep.search.engine import Engine
from keras_sweep.search.engines import make_engine
from keras_sweep.space.distributions import Int
from keras_sweep.space.search_space import Goal, Objective, Parameter
from keras_sweep.trial.ranking import front
from keras_sweep.trial.result import Result
from tests.helpers.engine_contract import flat, score, summary, trained
from tests.helpers.factory import LEARNING_RATE, OPTIMIZER, make_spec

GOALS = Objective("val_accuracy", Goal.MAXIMIZE, further=(Objective("parameters", Goal.MINIMIZE),))
SPACE = (OPTIMIZER, LEARNING_RATE, Parameter("model.units", Int(1, 256, log=True)))


def engine(sampler: str, seed: int = 3) -> Engine:
    return make_engine(make_spec(SPACE, sampler=sampler, seed=seed, objective=GOALS))


def searched(engine: Engine, generations: int, start: int = 0) -> list[list[Result]]:
    """Larger models are better; every ninth trial fails."""
    done = []
    for index in range(start, start + generations):
        results = []
        for one in engine.ask(8):
            units = int(str(one.params["model.units"]))
            value = None if one.number % 9 == 5 else score(one.params) - 0.2 / units
            result = trained(replace(one, generation=index), engine.name, value)
            results.append(replace(result, measured={"parameters": 10.0 * units} if value is not None else {}))
        engine.tell(results)
        done.append(results)
    return done


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii"])
def test_a_search_for_two_goals_that_was_stopped_goes_on_as_if_it_had_not_been(sampler: str) -> None:
    whole = searched(engine(sampler), 6)
    for closed in (1, 3, 5):
        again = engine(sampler)
        again.replay(whole[:closed])
        assert summary(flat(searched(again, 6 - closed, closed))) == summary(flat(whole[closed:]))


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

    means = {
        name: sum(volume(flat(searched(engine(name, seed), 12))) for seed in range(4)) / 4
        for name in ("random", sampler)
    }
    assert means[sampler] > means["random"]
