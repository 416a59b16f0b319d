"""Distributions keep their rules for every valid range."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.space import distributions as of
from keras_sweep.space.distributions import Categorical, Distribution, Float, Int, describe_range

units = st.floats(0, 1, exclude_max=True)
reals = st.floats(-1e9, 1e9)
positive = st.floats(1e-9, 1e9)


@st.composite
def floats(draw: st.DrawFn) -> Float:
    log = draw(st.booleans())
    low, high = sorted(draw(st.tuples(*[positive if log else reals] * 2)))
    return Float(low, high, log)


@st.composite
def stepped(draw: st.DrawFn) -> Float:
    step = draw(st.sampled_from([0.1, 0.25, 1.0, 1e-3, 3.7]))
    first = draw(st.integers(-50, 50))
    return Float(first * step, (first + draw(st.integers(0, 60))) * step, step=step)


@st.composite
def ints(draw: st.DrawFn) -> Int:
    log = draw(st.booleans())
    low = draw(st.integers(1 if log else -(10**6), 10**6))
    return Int(low, low + draw(st.integers(0, 500)), log, 1 if log else draw(st.integers(1, 20)))


scalars = st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans(), st.text(max_size=5), st.none())


@st.composite
def categoricals(draw: st.DrawFn) -> Categorical:
    choices = tuple(draw(st.lists(scalars, min_size=1, max_size=6, unique=True)))
    if draw(st.booleans()):
        return Categorical(choices)
    weights = draw(
        st.lists(st.integers(0, 9), min_size=len(choices), max_size=len(choices)).filter(lambda found: sum(found) > 0)
    )
    return Categorical(choices, tuple(weight / sum(weights) for weight in weights))


distributions = st.one_of(floats(), stepped(), ints(), categoricals())


@given(distributions, units)
def test_what_is_drawn_is_contained(distribution: Distribution, unit: float) -> None:
    value = distribution.at(unit)
    assert distribution.contains(value)
    if distribution.size <= 1000:
        assert value in distribution.values()


@given(distributions)
def test_size_is_the_number_of_values(distribution: Distribution) -> None:
    if distribution.size == math.inf:
        with pytest.raises(ValueError, match="continuous"):
            distribution.values()
        return
    values = distribution.values()
    assert len(values) == len(set(values)) == distribution.size
    assert all(distribution.contains(value) for value in values)


@given(st.one_of(floats(), stepped(), ints()), units, units)
def test_a_range_is_drawn_in_ascending_order(distribution: Float | Int, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert distribution.at(low) <= distribution.at(high)  # type: ignore[operator]
    assert distribution.at(0.0) == pytest.approx(distribution.low)


@given(st.one_of(stepped(), ints().filter(lambda range_: not range_.log)))
def test_every_value_of_a_uniform_range_can_be_drawn(distribution: Float | Int) -> None:
    count = int(distribution.size)
    assert [distribution.at((index + 0.5) / count) for index in range(count)] == list(distribution.values())


def test_a_choice_without_weight_is_never_drawn() -> None:
    distribution = Categorical(("a", "b", "c"), (0.3, 0.7 - 1e-9, 0.0))
    assert distribution.at(math.nextafter(1, 0)) != "c"
    assert Categorical(("a", "b"), (0.0, 1.0)).at(0.0) == "b"


def test_a_step_of_real_numbers_gives_clean_decimals() -> None:
    assert Float(0.1, 0.7, step=0.1).values() == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def test_what_is_off_the_step_or_of_another_type_is_not_contained() -> None:
    assert not Int(0, 10, step=5).contains(7)
    assert not Float(0.0, 1.0, step=0.25).contains(0.3)
    assert not Float(0.0, 1.0).contains(True)
    assert not Int(0, 1).contains(True)
    assert not Int(0, 2).contains(1.0)
    assert not Categorical((1, 2)).contains(True)
    assert not Categorical((1, 2)).contains(1.0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Float(1.0, 0.0), "`min` must be at most `max`"),
        (lambda: Float(0.0, math.inf), "must be finite"),
        (lambda: Float(0.0, 1.0, log=True), "above 0"),
        (lambda: Float(0.0, 1.0, step=0.0), "`q` must be above 0"),
        (lambda: Float(0.1, 1.0, log=True, step=0.1), "out of a log range of real numbers"),
        (lambda: Int(0, 5, step=0), "`q` must be at least 1"),
        (lambda: Int(1, 5, log=True, step=2), "must be 1, but got"),
        (lambda: Categorical(()), "must not be empty"),
        (lambda: Categorical((0, False)), "must not contain a value twice"),
        (lambda: Categorical((1, 2), (1.0,)), "a number for each value"),
        (lambda: Categorical((1, 2), (1.5, -0.5)), "must be at least 0"),
        (lambda: Categorical((1, 2), (0.5, 0.4)), "sum to 1"),
    ],
)
def test_a_distribution_that_breaks_a_rule_is_not_made(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()  # type: ignore[operator]


LOG, PLAIN = Float(1e-3, 1.0, log=True), Float(0.5, 2.0)


@pytest.mark.parametrize(
    ("drawn", "whole"),
    [
        ([LOG], LOG),
        ([PLAIN, LOG], Float(1e-3, 2.0, log=True)),
        ([PLAIN, Float(1.0, 3.0)], Float(0.5, 3.0)),
        ([LOG, Float(0.0, 1.0)], Float(0.0, 1.0)),
        ([Int(1, 3, log=True), Int(5, 9)], Int(1, 9, log=True)),
        ([Int(1, 3), Float(0.5, 2.0)], Float(0.5, 3)),
        ([Int(1, 3), Categorical(("auto", 8))], Int(1, 8)),
        ([Categorical((1, 2)), Categorical((2, 3))], Categorical((1, 2, 3))),
    ],
)
def test_one_distribution_that_has_the_values_of_several(drawn: list[Distribution], whole: Distribution) -> None:
    assert of.unite_distributions(drawn) == whole


def test_the_words_of_a_range_say_what_a_value_may_be() -> None:
    assert describe_range(Categorical(("sgd", 2))) == "one of 'sgd', 2"
    assert describe_range(Float(0.5, 1.0)) == "from 0.5 to 1.0"
    assert describe_range(Float(0.5, 1.0, step=0.25)) == "from 0.5 to 1.0 in steps of 0.25"
    assert describe_range(Int(1, 9)) == "a whole number from 1 to 9"
    assert describe_range(Int(1, 9, step=2)) == "a whole number from 1 to 9 in steps of 2"


def test_a_value_is_as_its_distribution_draws_it() -> None:
    pairs = [(Float(0, 2), 1), (Float(0, 2), True), (Int(0, 2), 1.0), (Int(0, 2), 1.5), (Categorical((1,)), 1.0)]
    drawn = [of.normalize_value(distribution, value) for distribution, value in pairs]  # type: ignore[arg-type]
    assert list(map(repr, drawn)) == ["1.0", "True", "1", "1.5", "1.0"]


def test_lists_are_tuples_and_texts_for_optuna() -> None:
    assert of.to_value([1, [2, (3,)]]) == (1, (2, (3,)))
    assert tuple(map(of.to_scalar, ((64, 32), "a", None))) == ("[64, 32]", "a", None)


@pytest.mark.parametrize(
    ("distribution", "value", "place"),
    [
        (Float(1e-4, 1.0, log=True), 1e-2, 0.5),
        (Float(-1.0, 3.0), 0.0, 0.25),
        (Float(2.0, 2.0), 2.0, 0.0),
        (Float(0.0, 0.9, step=0.3), 0.3, 0.375),
        (Int(1, 4), 1, 0.125),
        (Int(1, 4), 4, 0.875),
        (Int(1, 3, log=True), 1, math.log(1.5) / math.log(4)),
    ],
)
def test_the_place_of_a_value_in_its_range(distribution: Float | Int, value: float, place: float) -> None:
    assert of.to_unit(distribution, value) == pytest.approx(place)


def test_ends_and_steps_at_the_limits_of_what_is_allowed() -> None:
    assert Float(1.0, 1.0).size == Int(3, 3).size == 1
    assert Float(1e-300, 1.0, log=True).at(0.0) == pytest.approx(1e-300)
    assert Int(1, 2, log=True).values() == (1, 2)
    assert Int(0, 7, step=5).values() == (0, 5)
    assert [Int(0, 10, step=5).contains(value) for value in (0, 10, 15, -5)] == [True, True, False, False]
    assert [Float(0.0, 1.0).contains(value) for value in (0.0, 1.0, 1.1)] == [True, True, False]
    assert Float(2.0, 2.0, step=0.5).contains(2.0)
    assert Categorical(("a", "b"), (1.0, 0.0)).at(0.5) == "a"
    assert [Int(1, 100, log=True).at(unit) for unit in (0.0, 0.999999)] == [1, 100]
