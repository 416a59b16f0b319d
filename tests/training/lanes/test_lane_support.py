from dataclasses import replace

import numpy as np
import pytest

from keras_sweep.data.search_data import Rows
from keras_sweep.training.lanes.lane_support import why_not_lanes
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import user_spec


@pytest.fixture(scope="module")
def data():
    return digits()


def test_the_dense_model_is_fit(data):
    assert why_not_lanes(make_spec(), data) is None


@pytest.mark.parametrize("name", ["convolutional", "regularized", "constrained", "one_output"])
def test_models_of_ordinary_layers_are_fit(data, name):
    assert why_not_lanes(user_spec(name, loss="mse" if name == "one_output" else make_spec().loss), data) is None


def test_a_training_step_of_its_own_is_named(data):
    assert why_not_lanes(user_spec("own_step"), data) == "the model has its own `train_step`"


def test_a_layer_that_calls_back_into_python_is_named(data):
    assert why_not_lanes(user_spec("calling_back"), data) == "the model calls back into Python while it trains"


def test_a_layer_that_chooses_while_it_is_compiled_is_named(data):
    reason = "a layer draws from Python's or NumPy's generator while the model is compiled"
    assert why_not_lanes(user_spec("choosing"), data) == reason


def test_data_over_the_bound_is_measured(data):
    reason = why_not_lanes(make_spec(), data, max_data_bytes=1000)
    size = sum(a.nbytes for a in (data.train.x, data.train.y, data.validation.x, data.validation.y))
    assert reason == f"the data take {size:,} bytes, more than the 1,000 that are kept in memory for lanes"


def test_text_is_no_number(data):
    words = replace(data, train=Rows(np.full((300, 1), "word", object), data.train.y))
    assert why_not_lanes(make_spec(), words) == "lanes need numbers, and the data hold object"
