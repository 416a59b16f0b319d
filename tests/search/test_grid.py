import itertools

import pytest

from keras_sweep.errors import UsageError
from keras_sweep.search.grid import POINTS_A_RANGE, grid_space, shuffled_points
from keras_sweep.space.distributions import Float, Int
from keras_sweep.space.search_space import Parameter, SearchSpace, identity
from tests.helpers.factory import EPOCHS, LEARNING_RATE, MOMENTUM, OPTIMIZER


def test_a_continuous_range_is_cut_with_both_ends_included():
    space = grid_space(SearchSpace((LEARNING_RATE,)))
    values = [point["learning_rate"] for point in space.points()]
    assert len(values) == POINTS_A_RANGE
    assert (values[0], values[-1]) == (1e-4, 1.0)
    ratios = [b / a for a, b in itertools.pairwise(values)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))


def test_every_point_is_there_once_in_an_order_of_the_seed():
    space = grid_space(SearchSpace((OPTIMIZER, EPOCHS, MOMENTUM)))
    points = shuffled_points(space, 1)
    assert len({identity(point) for point in points}) == len(points) == space.size
    assert points == shuffled_points(space, 1) != shuffled_points(space, 2)


def test_a_grid_too_large_to_list_says_what_to_use_instead():
    space = SearchSpace(tuple(Parameter(f"p{index}", Int(1, 100)) for index in range(3)))
    with pytest.raises(UsageError, match="sampler: random"):
        shuffled_points(space, 0)


def test_points_that_break_a_constraint_are_left_out_and_none_left_is_refused():
    rates = Parameter("learning_rate", Float(0.0, 0.9))
    assert grid_space(SearchSpace((rates,), {}, ("learning_rate > 0.45",))).size == 5
    with pytest.raises(UsageError, match="no point of a grid meets `where`"):
        grid_space(SearchSpace((rates,), {}, ("0.5 < learning_rate < 0.51",)))


def test_a_stepped_range_keeps_its_own_points():
    assert grid_space(SearchSpace((Parameter("momentum", Float(0.0, 0.9, step=0.3)),))).size == 4
