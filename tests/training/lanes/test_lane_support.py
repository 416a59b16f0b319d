from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_sweep.data.search_data import Rows
from keras_sweep.errors import UsageError
from keras_sweep.training.choose import choose_runner
from keras_sweep.training.lanes import lane_support
from keras_sweep.training.lanes.lane_support import why_not_lanes
from tests.helpers.factory import make_spec
from tests.helpers.lane_trials import user_spec


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((name, None) for name in ("convolutional", "regularized", "constrained", "one_output")),
        ("own_step", "the model has its own `train_step`"),
        ("own_log", "the model has its own `compute_metrics`"),
        ("calling_back", "the model calls Python code while it trains"),
        ("choosing", "a layer draws random numbers from Python or NumPy"),
    ],
)
def test_models_of_ordinary_layers_are_fit_and_what_others_do_is_named(data, name, reason):
    spec = user_spec(name, loss="mse") if name == "one_output" else user_spec(name)
    assert why_not_lanes(make_spec(), data) is None
    assert why_not_lanes(spec, data) == reason


def test_data_over_the_bound_is_measured(data, monkeypatch):
    monkeypatch.setattr(lane_support, "MAX_DATA_BYTES", 1000)
    reason = why_not_lanes(make_spec(), data)
    size = sum(a.nbytes for a in (data.train.x, data.train.y, data.validation.x, data.validation.y))
    assert reason == f"the data have {size:,} bytes, more than the limit of 1,000"


def test_text_is_no_number(data):
    words = replace(data, train=Rows(np.full((len(data.train), 1), "word", object), data.train.y))
    assert why_not_lanes(make_spec(), words) == "the data have type object, not numbers"


@pytest.fixture
def of_another_year(monkeypatch):
    """The packages as they would be if their versions were none that is known."""
    monkeypatch.setattr(lane_support, "KNOWN_KERAS", ("0.",))
    return monkeypatch


def test_a_version_that_is_not_known_but_has_all_that_lanes_need_trains_lanes(data, of_another_year):
    assert choose_runner(make_spec(), data, None)[0].name == "compiled/jax"


@pytest.mark.parametrize("name", ["_symbolic_build", "_update_metrics_variables"])
def test_where_keras_no_longer_has_what_lanes_rest_on_trials_train_by_fit(data, of_another_year, name):
    (owner,) = [kind for kind in keras.Model.__mro__ if name in vars(kind)][:1]
    of_another_year.delattr(owner, name)
    runner, why = choose_runner(make_spec(), data, None)
    assert runner.name == "fit/jax"
    assert why.startswith(f"trials train one by one with `fit`: Keras {keras.__version__} with JAX ")
    assert f"is not supported (AttributeError: 'Sequential' object has no attribute '{name}')" in why
    with pytest.raises(UsageError, match="the compiled runner can't be used: Keras"):
        choose_runner(make_spec(), data, "compiled")


def test_optimizers_that_no_longer_tell_what_they_assign_are_no_lanes(data, of_another_year):
    """Another Keras may take down what is assigned without `StatelessScope.add_update`: lanes would mix unnoticed."""
    assign, get_scope = keras.Variable.assign, keras.src.backend.common.stateless_scope.get_stateless_scope

    def assign_untold(variable, value):
        if (scope := get_scope()) is None:
            return assign(variable, value)
        scope.state_mapping[id(variable)] = keras.ops.cast(value, variable.dtype)
        return value

    of_another_year.setattr(keras.Variable, "assign", assign_untold)
    assert "lacks `StatelessScope.add_update`, which lanes need" in choose_runner(make_spec(), data, None)[1]
