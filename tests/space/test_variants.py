"""Parameters of the data, and what is read for a trial that has them."""

from dataclasses import replace

from keras_sweep.space.data_spec import DataSpec, PythonOptions, SeriesOptions
from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Parameter, SearchSpace
from keras_sweep.space.variants import apply_first_variant, apply_variant, get_data_space, get_variant
from tests.helpers.factory import LEARNING_RATE, make_spec

WINDOW = Parameter("data.window", Categorical((8, 16, 4)))
SPACE = SearchSpace((LEARNING_RATE, WINDOW), {"data.horizon": 2, "epochs": 3})
SERIES = make_spec(space=SPACE, data=DataSpec("series", "/x.csv", options=SeriesOptions(window=6)))


def test_a_variant_is_what_a_trial_has_of_the_data() -> None:
    assert get_variant({"epochs": 3, "data.window": 8, "data.horizon": 2}) == (("data.horizon", 2), ("data.window", 8))
    assert get_variant({"epochs": 3}) == ()
    assert list(get_data_space(SPACE).points()) == [{"data.horizon": 2, "data.window": window} for window in (8, 16, 4)]
    assert list(get_data_space(SearchSpace((LEARNING_RATE,))).points()) == [{}]


def test_the_data_of_a_trial_are_read_with_its_values() -> None:
    read = apply_variant(SERIES, {"data.window": 16, "epochs": 3})
    assert read.data.options == SeriesOptions(window=16)
    assert apply_variant(SERIES, {"epochs": 3}) is SERIES
    named = make_spec()
    assert apply_variant(named, {"data.window": 16}) is named


def test_a_function_is_called_with_the_values_beside_its_own_arguments() -> None:
    own = replace(SERIES, data=DataSpec("python", "m:f", options=PythonOptions(arguments={"path": "x", "size": 1})))
    options = apply_variant(own, {"data.size": 5}).data.options
    assert options == PythonOptions(arguments={"path": "x", "size": 5})


def test_windows_know_the_longest_of_all() -> None:
    assert apply_first_variant(SERIES).data.options == SeriesOptions(window=8, horizon=2, longest=16)
    single = replace(SERIES, space=SearchSpace((), {"data.window": 8}))
    assert apply_first_variant(single).data.options == SeriesOptions(window=8)
