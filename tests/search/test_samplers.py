"""The grid has every point once; CMA-ES goes to where results are good, by results alone."""

import math
from dataclasses import replace

import numpy as np
import pytest

from keras_sweep.errors import UsageError
from keras_sweep.search.engines import make_engine
from keras_sweep.search.samplers import POINTS_A_RANGE, CmaEs, Grid, can_move, grid_space, shuffle_points
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Condition, Parameter, SearchSpace, identity
from keras_sweep.testing.searching import flatten, run_search, search_spec, summarize
from tests.helpers.factory import EPOCHS, LEARNING_RATE, MOMENTUM, OPTIMIZER, make_spec


def test_only_continuous_ranges_are_cut_and_both_ends_are_included():
    kept = (Float(0.5, 0.5), Float(0.0, 0.9, step=0.3), Int(1, 50))
    parameters = [
        Parameter(f"p{place}", one) for place, one in enumerate((Float(0.0, 9.0), LEARNING_RATE.distribution, *kept))
    ]
    plain, log, *rest = (one.distribution for one in grid_space(SearchSpace(tuple(parameters))).parameters)
    assert plain.values() == pytest.approx(tuple(range(10))) and len(log.values()) == POINTS_A_RANGE
    assert log.values() == pytest.approx([10 ** (-4 + 4 * place / 9) for place in range(10)])
    assert tuple(rest) == kept


def test_a_range_of_fewer_numbers_than_a_grid_has_points_is_cut_into_these():
    space = grid_space(SearchSpace((Parameter("p", Float(0.1, 0.10000000000000003)),)))
    assert [point["p"] for point in space.points()] == [0.1, 0.10000000000000002, 0.10000000000000003]


def test_every_point_is_there_once_in_an_order_of_the_seed():
    space = grid_space(SearchSpace((OPTIMIZER, EPOCHS, MOMENTUM)))
    points = shuffle_points(space, 1)
    assert len({identity(point) for point in points}) == len(points) == space.size
    assert points == shuffle_points(space, 1) != shuffle_points(space, 2)


def test_points_that_break_a_constraint_are_left_out_and_none_left_is_refused():
    rates = Parameter("learning_rate", Float(0.0, 0.9))
    assert grid_space(SearchSpace((rates,), {}, ("learning_rate > 0.45",))).size == 5
    with pytest.raises(UsageError, match="no point of the grid meets `where`"):
        grid_space(SearchSpace((rates,), {}, ("0.5 < learning_rate < 0.51",)))


def grid(*parameters: Parameter, seed: int = 1) -> Grid:
    return Grid(make_spec(parameters, sampler="grid", seed=seed))


def test_it_draws_every_point_once_and_then_none():
    made = grid(OPTIMIZER, EPOCHS)
    drawn = [made.draw(number) for number in range(14)]
    assert drawn[:12] == shuffle_points(made.space, 1)
    assert drawn[12:] == [None, None]
    assert (made.redraws, made.learns) == (13, False)


def test_a_point_that_is_given_in_part_is_the_first_of_the_grid_that_has_it():
    made = grid(OPTIMIZER, EPOCHS)
    first = next(point for point in shuffle_points(made.space, 1) if point["optimizer"] == "adam")
    assert made.fill(0, {"optimizer": "adam"}) == first
    assert made.fill(5, {"optimizer": "sgd", "epochs": 3}) == {"optimizer": "sgd", "epochs": 3}


def test_a_point_beside_the_grid_is_completed_from_its_first_one():
    made = grid(OPTIMIZER, Parameter("learning_rate", Float(0.0, 0.9)), EPOCHS)
    first = shuffle_points(made.space, 1)[0]
    assert made.fill(0, {"learning_rate": 0.123}) == {**first, "learning_rate": 0.123}


def test_a_grid_of_as_many_points_as_are_listed_is_listed():
    space = SearchSpace((Parameter("a", Int(1, 100_000)),))
    assert len(shuffle_points(space, 0)) == 100_000
    with pytest.raises(UsageError, match=r"at most 100,000 points.*sampler: random"):
        shuffle_points(SearchSpace((Parameter("a", Int(1, 100_001)),)), 0)


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
    assert [one.name for one in SPACE.parameters if can_move(one)] == ["a", "b", "c"]
    choices = SearchSpace(SPACE.parameters[3:4])
    assert CmaEs(search_spec(choices, "optuna", "cmaes"))._cma is None
    asked = make_engine(search_spec(choices, "optuna", "cmaes")).ask(4)
    assert {one.params["kind"] for one in asked} == {"x", "y"}


def test_it_begins_in_the_middle_of_each_range_with_a_sixth_of_it_as_deviation() -> None:
    made = CmaEs(search_spec(SearchSpace((Parameter("a", Float(0.0, 6.0)),)), "optuna", "cmaes"))
    made.begin(1, np.random.default_rng(1))
    drawn = [made.draw(number)["a"] for number in range(400)]
    assert (np.mean(drawn), np.std(drawn)) == pytest.approx((3.0, 1.0), abs=0.1)
