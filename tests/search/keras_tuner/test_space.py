"""A space in KerasTuner's words, and its values there and back."""

from keras_sweep.search.keras_tuner.space import decode, encode, hyper_parameters
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Condition, Parameter, SearchSpace

SPACE = SearchSpace(
    (
        Parameter("kind", Categorical(("a", True, 1.5))),
        Parameter("rate", Float(1e-4, 1.0, log=True), (Condition("kind", ("a",)),)),
        Parameter("plain", Float(0.0, 2.0)),
        Parameter("steps", Float(0.1, 0.7, step=0.2)),
        Parameter("single", Float(0.5, 0.5)),
        Parameter("units", Int(8, 64, step=8)),
        Parameter("width", Int(1, 100, log=True)),
        Parameter("late", Int(1, 2), (Condition("steps", (0.3, 0.5)), Condition("units", (16,)))),
    ),
    {"epochs": 3},
)


def test_parameters_are_keras_tuners_with_choices_and_steps_by_their_index() -> None:
    told = {one.name: one.get_config() for one in hyper_parameters(SPACE).space}
    assert told["kind"]["values"] == [0, 1, 2]
    assert (told["rate"]["min_value"], told["rate"]["max_value"], told["rate"]["sampling"]) == (1e-4, 1.0, "log")
    assert (told["plain"]["sampling"], told["plain"]["step"]) == ("linear", None)
    assert (told["steps"]["min_value"], told["steps"]["max_value"], told["single"]["max_value"]) == (0, 3, 0)
    assert (told["units"]["min_value"], told["units"]["max_value"], told["units"]["step"]) == (8, 64, 8)
    assert (told["width"]["sampling"], told["width"]["step"]) == ("log", None)
    parents = [one["config"] for one in told["late"]["conditions"]]
    assert parents == [{"name": "steps", "values": [1, 2]}, {"name": "units", "values": [16]}]
    assert [one["config"] for one in told["rate"]["conditions"]] == [{"name": "kind", "values": [0]}]


def test_values_have_codes_and_come_back() -> None:
    params = {"epochs": 3, "kind": True, "plain": 0.5, "steps": 0.5, "single": 0.5, "units": 24, "width": 7}
    codes = encode(SPACE, params)
    assert codes == {"kind": 1, "plain": 0.5, "steps": 2, "single": 0, "units": 24, "width": 7}
    assert decode(SPACE, codes) == params
    assert encode(SPACE, {**params, "kind": "b"}) is None
    assert encode(SPACE, {**params, "units": 25}) is None


def test_values_past_an_end_are_drawn_back_to_it() -> None:
    ends = decode(SPACE, {"plain": 2.1, "width": 0, "units": 65})
    assert ends == {"epochs": 3, "plain": 2.0, "width": 1, "units": 64}
    assert decode(SPACE, {"plain": -0.1, "width": 101})["plain"] == 0.0


def test_a_parameter_whose_conditions_a_constant_breaks_is_not_there() -> None:
    for value, names in ((1, ["b"]), (2, ["tuner/nothing"])):
        space = SearchSpace((Parameter("b", Int(1, 2), (Condition("a", (1,)),)),), {"a": value})
        assert [one.name for one in hyper_parameters(space).space] in (names, [])
        assert list(hyper_parameters(space).values) == names


def test_a_parameter_that_depends_on_one_that_is_never_there_is_not_there() -> None:
    never = Parameter("b", Int(1, 2), (Condition("a", (5,)),))
    space = SearchSpace((Parameter("a", Int(1, 2)), never, Parameter("c", Int(1, 2), (Condition("b", (1,)),))))
    assert list(hyper_parameters(space).values) == ["a"]
    assert encode(SearchSpace(()), {}) == {"tuner/nothing": 0}
