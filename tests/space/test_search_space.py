"""Search spaces count and list exactly the trials that can be."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_sweep.space.distributions import Categorical, Distribution, Float, Int, Value
from keras_sweep.space.search_space import Condition, Goal, Objective, Parameter, SearchSpace, identity, sort_parameters

small: st.SearchStrategy[Distribution] = st.one_of(
    st.builds(lambda low, more: Int(low, low + more), st.integers(0, 2), st.integers(0, 3)),
    st.builds(lambda n: Categorical(tuple("abcd"[:n])), st.integers(1, 4)),
    st.builds(lambda n: Float(0.0, 0.5 * n, step=0.5), st.integers(0, 2)),
)


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    constants: dict[str, Value] = {"k": 1} if draw(st.booleans()) else {}
    parameters: list[Parameter] = []
    for name in "pqrst"[: draw(st.integers(0, 5))]:
        conditions = []
        for earlier in draw(st.lists(st.sampled_from(parameters), max_size=2, unique_by=id)) if parameters else []:
            values = draw(st.lists(st.sampled_from(earlier.distribution.values()), min_size=1, max_size=2, unique=True))
            conditions.append(Condition(earlier.name, tuple(values)))
        if constants and draw(st.booleans()):
            conditions.append(Condition("k", (draw(st.integers(1, 2)),)))
        parameters.append(Parameter(name, draw(small), tuple(conditions)))
    return SearchSpace(tuple(parameters), constants)


@given(spaces())
def test_size_is_the_number_of_points(space: SearchSpace) -> None:
    points = list(space.points())
    assert space.size == len(points) == len({identity(point) for point in points})


@given(spaces(), st.integers(0, 2**31))
def test_what_is_drawn_is_a_point_with_exactly_the_active_parameters(space: SearchSpace, seed: int) -> None:
    rng = random.Random(seed)
    params = space.at(iter([rng.random() for _ in space.parameters]))
    assert identity(params) in {identity(point) for point in space.points()}
    active = {parameter.name for parameter in space.parameters if parameter.is_active(params)}
    assert set(params) == active | set(space.constants)


@given(spaces())
@settings(max_examples=50)
def test_one_continuous_range_makes_a_space_infinite_where_it_can_be_active(space: SearchSpace) -> None:
    rate = Parameter("rate", Float(0.0, 1.0))
    assert SearchSpace((*space.parameters, rate), space.constants).size == math.inf


def test_a_continuous_range_that_is_never_active_does_not_count() -> None:
    never = Parameter("rate", Float(0.0, 1.0), (Condition("k", (2,)),))
    assert SearchSpace((never, Parameter("p", Int(1, 3))), {"k": 1}).size == 3


def test_a_space_of_very_many_points_with_conditions_counts_as_infinite() -> None:
    parts = [Parameter(f"a{n}", Int(1, 10), (Condition("a0", (1, 2)),) if n else ()) for n in range(6)]
    assert SearchSpace(tuple(parts)).size == math.inf
    assert SearchSpace(tuple(parts[:5])).size == 2 * 10**4 + 8


def test_a_condition_must_look_back() -> None:
    late = Parameter("a", Int(1, 2), (Condition("b", (1,)),))
    with pytest.raises(ValueError, match="must come after"):
        SearchSpace((late, Parameter("b", Int(1, 2))))
    with pytest.raises(ValueError, match="occurs twice"):
        SearchSpace((Parameter("b", Int(1, 2)), Parameter("b", Int(1, 2))))


def test_the_least_and_the_most_of_a_parameter_are_those_of_the_space() -> None:
    for epochs, least_and_most in ((Int(1, 27), (1, 27)), (Categorical((9, 3)), (3, 9))):
        assert SearchSpace((Parameter("epochs", epochs),)).get_bounds("epochs", 5) == least_and_most
    assert SearchSpace((), {"epochs": 4}).get_bounds("epochs", 5) == (4, 4)
    assert SearchSpace(()).get_bounds("epochs", 5) == (5, 5)


def test_given_values_are_as_drawn_and_each_misfit_is_told() -> None:
    rate = Parameter("rate", Float(0.0, 2.0))
    units = Parameter("units", Int(2, 8, step=2), (Condition("kind", ("wide", "deep")),))
    space = SearchSpace((Parameter("kind", Categorical(("wide", "deep", "flat"))), rate, units), {"epochs": 3})
    assert space.normalize_point({"rate": 1, "units": 4.0, "epochs": 3}) == {"rate": 1.0, "units": 4, "epochs": 3}
    assert space.find_misfits({"kind": "deep", "units": 4, "epochs": 3}) == {}
    assert space.find_misfits({"kind": "thin", "rate": 3.0, "epochs": 4, "depth": 1}) == {
        "kind": "must be one of 'wide', 'deep', 'flat', but got 'thin'",
        "rate": "must be from 0.0 to 2.0, but got 3.0",
        "epochs": "must be 3, as in every trial, but got 4",
        "depth": "is not a parameter of this search",
    }
    assert space.find_misfits({"kind": "flat", "units": 4}) == {
        "units": "exists only in trials with `kind: wide or deep`"
    }
    assert space.find_misfits({"kind": "wide", "units": 5})["units"].startswith(
        "must be a whole number from 2 to 8 in st"
    )
    bounded = replace(space, where=("rate * epochs < 3",))
    assert bounded.find_misfits({"kind": "flat", "rate": 1.5}) == {"": "does not meet `where`"}
    assert bounded.find_misfits({"kind": "wide", "rate": 1.5}) == {}  # not whole yet


def test_a_point_that_is_given_has_the_values_of_its_own_case() -> None:
    kind = Parameter("kind", Categorical(("wide", "deep")))
    wide = Parameter("units", Int(1, 4), (Condition("kind", ("wide",)),), 1)
    deep = Parameter("units", Int(6, 9), (Condition("kind", ("deep",)),), 2)
    space = SearchSpace((kind, wide, deep))
    assert space.size == 8
    assert space.find_misfits({"kind": "deep", "units": 6}) == {}
    assert space.find_misfits({"kind": "deep", "units": 2}) == {
        "units": "must be a whole number from 6 to 9, but got 2"
    }
    assert space.find_misfits({"units": 6}) == {"units": "exists only in trials with `kind: deep`"}
    assert space.fill_point({"kind": "deep"}, {"kind": "wide", "units": 2}) == {"kind": "deep", "units": 8}
    assert space.fill_point({"kind": "wide"}, {"kind": "wide", "units": 1}) == {"kind": "wide", "units": 1}


def test_metrics_that_are_shares_are_told_in_points_and_others_as_they_are() -> None:
    shares = ("val_accuracy", "acc", "val_auc", "precision", "val_recall", "binary_accuracy")
    names = (*shares, "val_loss", "mae", "accuracy_gap", "r2_score", "f1")
    assert tuple(name for name in names if Objective(name, Goal.MAXIMIZE).is_share) == shares


def test_the_better_of_two_values_depends_on_the_goal_and_equal_ones_are_not_better() -> None:
    up, down = Objective("a", Goal.MAXIMIZE), Objective("a", Goal.MINIMIZE)
    assert up.is_better(2.0, 1.0) and not up.is_better(1.0, 2.0) and not up.is_better(1.0, 1.0)
    assert down.is_better(1.0, 2.0) and not down.is_better(2.0, 1.0) and not down.is_better(1.0, 1.0)
    assert (up.key(3.0), down.key(3.0)) == (-3.0, 3.0)
    assert Objective("a", Goal.MAXIMIZE, further=(down,)).directions == (Goal.MAXIMIZE, Goal.MINIMIZE)


def test_a_condition_holds_where_the_other_is_there_and_has_one_of_the_values() -> None:
    condition = Condition("kind", ("wide", "deep"))
    assert condition.is_met({"kind": "deep"})
    assert not condition.is_met({"kind": "flat"})
    assert not condition.is_met({"other": "deep"})
    both = Parameter("a", Int(1, 2), (condition, Condition("n", (1,))))
    assert both.is_active({"kind": "deep", "n": 1})
    assert not both.is_active({"kind": "deep", "n": 2})
    assert (both.key, replace(both, case=2).key) == ("a", "a@2")


def test_parameters_are_put_in_an_order_in_which_conditions_look_back() -> None:
    one, two = Parameter("a", Int(1, 2), (Condition("b", (1,)),)), Parameter("b", Int(1, 2), (Condition("c", (1,)),))
    three, four = Parameter("c", Int(1, 2)), Parameter("d", Int(1, 2))
    assert [each.name for each in sort_parameters([one, two, three, four])] == ["c", "b", "a", "d"]
    assert [each.name for each in sort_parameters([four, three])] == ["d", "c"]
    circle = replace(three, when=(Condition("a", (1,)),))
    assert {each.name for each in sort_parameters([one, two, circle])} == {"a", "b", "c"}


def test_a_point_in_the_middle_of_a_range_meets_where_or_is_another_one() -> None:
    free = SearchSpace((Parameter("a", Int(1, 9)),))
    assert free.make_example(0.5) == {"a": 5}
    bounded = replace(free, where=("a > 7",))
    assert bounded.make_example(0.5)["a"] in (8, 9)
    assert replace(free, where=("a > 100",)).make_example(0.5) == {"a": 5}


def test_a_space_with_constraints_that_is_too_large_to_try_counts_as_infinite() -> None:
    large = SearchSpace(tuple(Parameter(name, Int(1, 100)) for name in "abc"), where=("a < b",))
    assert large.size == math.inf
    assert replace(large, parameters=large.parameters[:2]).size == 4950
    assert replace(large, where=()).size == 10**6
