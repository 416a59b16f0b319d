import pytest

from keras_sweep.errors import UsageError
from keras_sweep.search.samplers import POINTS_A_RANGE, Grid, grid_space, shuffled_points
from keras_sweep.space.distributions import Float, Int
from keras_sweep.space.search_space import Parameter, SearchSpace, identity
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


def test_every_point_is_there_once_in_an_order_of_the_seed():
    space = grid_space(SearchSpace((OPTIMIZER, EPOCHS, MOMENTUM)))
    points = shuffled_points(space, 1)
    assert len({identity(point) for point in points}) == len(points) == space.size
    assert points == shuffled_points(space, 1) != shuffled_points(space, 2)


def test_points_that_break_a_constraint_are_left_out_and_none_left_is_refused():
    rates = Parameter("learning_rate", Float(0.0, 0.9))
    assert grid_space(SearchSpace((rates,), {}, ("learning_rate > 0.45",))).size == 5
    with pytest.raises(UsageError, match="no point of a grid meets `where`"):
        grid_space(SearchSpace((rates,), {}, ("0.5 < learning_rate < 0.51",)))


def grid(*parameters: Parameter, seed: int = 1) -> Grid:
    return Grid(make_spec(parameters, sampler="grid", seed=seed))


def test_it_draws_every_point_once_and_then_none():
    made = grid(OPTIMIZER, EPOCHS)
    drawn = [made.draw(number) for number in range(14)]
    assert drawn[:12] == shuffled_points(made.space, 1)
    assert drawn[12:] == [None, None]
    assert (made.redraws, made.learns) == (13, False)


def test_a_point_that_is_given_in_part_is_the_first_of_the_grid_that_has_it():
    made = grid(OPTIMIZER, EPOCHS)
    first = next(point for point in shuffled_points(made.space, 1) if point["optimizer"] == "adam")
    assert made.fill(0, {"optimizer": "adam"}) == first
    assert made.fill(5, {"optimizer": "sgd", "epochs": 3}) == {"optimizer": "sgd", "epochs": 3}


def test_a_point_beside_the_grid_is_completed_from_its_first_one():
    made = grid(OPTIMIZER, Parameter("learning_rate", Float(0.0, 0.9)), EPOCHS)
    first = shuffled_points(made.space, 1)[0]
    assert made.fill(0, {"learning_rate": 0.123}) == {**first, "learning_rate": 0.123}


def test_a_grid_of_as_many_points_as_are_listed_is_listed():
    space = SearchSpace((Parameter("a", Int(1, 100_000)),))
    assert len(shuffled_points(space, 0)) == 100_000
    with pytest.raises(UsageError, match=r"more than 100,000 points.*sampler: random"):
        shuffled_points(SearchSpace((Parameter("a", Int(1, 100_001)),)), 0)
