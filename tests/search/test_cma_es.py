"""CMA-ES goes to where results are good, by results alone."""

import math
from dataclasses import replace

import numpy as np
import pytest

from keras_sweep.search.engines import make_engine
from keras_sweep.search.samplers import CmaEs, moves
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Condition, Parameter, SearchSpace
from keras_sweep.testing.searching import flatten, run_search, search_spec, summarize

SPACE = SearchSpace(
    (
        Parameter("a", Float(1e-6, 1.0, log=True)),
        Parameter("b", Float(-5.0, 5.0)),
        Parameter("c", Int(1, 1000, log=True)),
        Parameter("kind", Categorical(("x", "y"))),
        Parameter("d", Float(0.0, 1.0), (Condition("kind", ("x",)),)),
    )
)


def far(suggestion) -> float:
    """How near a point is to (1e-4, 3, 30), whatever else it has; the best is 0."""
    params = suggestion.params
    return -(abs(math.log10(params["a"]) + 4) + abs(params["b"] - 3) + abs(math.log10(params["c"] / 30)))


def test_it_comes_near_to_the_best_which_random_points_do_not() -> None:
    found = {}
    for sampler in ("cmaes", "random"):
        results = flatten(run_search(make_engine(search_spec(SPACE, "optuna", sampler)), 15, 16, far))
        found[sampler] = max(result.value or 0.0 for result in results)
        assert {result.params["kind"] for result in results[-16:]} == {"x", "y"}
    assert found["cmaes"] > -0.1 > -0.3 > found["random"]


@pytest.mark.parametrize("generation", [1, 5])
def test_points_do_not_depend_on_how_many_results_come_at_once(generation: int) -> None:
    """The distribution moves by as many results as the file says, however many are asked at a time."""
    made = search_spec(SPACE, "optuna", "cmaes")
    made = replace(made, search=replace(made.search, generation=10))
    whole = run_search(make_engine(made), 30 // generation, generation, far)
    again = make_engine(made)
    again.replay(whole[: 20 // generation])
    rest = run_search(again, 10 // generation, generation, far, start=20 // generation)
    assert summarize(flatten(rest)) == summarize(flatten(whole)[20:])


@pytest.mark.parametrize(
    ("names", "generation", "size"),
    [("a", 0, 16), ("abc", 0, 16), ("abc", 10, 10), ("abc", 3, 7), ("abc", 7, 7), ("ab", 3, 6), ("a", 3, 4)],
)
def test_the_distribution_moves_by_at_least_as_many_results_as_its_dimensions_need(
    names: str, generation: int, size: int
) -> None:
    made = search_spec(SearchSpace(tuple(one for one in SPACE.parameters if one.name in names)), "optuna", "cmaes")
    made = replace(made, search=replace(made.search, generation=generation))
    assert CmaEs(made)._cma.population_size == size


def test_it_moves_what_is_a_range_in_every_trial() -> None:
    assert [one.name for one in SPACE.parameters if moves(one)] == ["a", "b", "c"]
    choices = SearchSpace(SPACE.parameters[3:4])
    assert CmaEs(search_spec(choices, "optuna", "cmaes"))._cma is None
    asked = make_engine(search_spec(choices, "optuna", "cmaes")).ask(4)
    assert {one.params["kind"] for one in asked} == {"x", "y"}


def test_it_begins_in_the_middle_of_each_range_with_a_sixth_of_it_as_deviation() -> None:
    made = CmaEs(search_spec(SearchSpace((Parameter("a", Float(0.0, 6.0)),)), "optuna", "cmaes"))
    made.begin(1, np.random.default_rng(1))
    drawn = [made.draw(number)["a"] for number in range(400)]
    assert (np.mean(drawn), np.std(drawn)) == pytest.approx((3.0, 1.0), abs=0.1)
