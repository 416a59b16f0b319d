"""What further goals need of a model: numbers counted, operations as XLA has them, seconds of a call."""

import keras
import numpy as np
import pytest

from keras_sweep.errors import ModelError, UsageError
from keras_sweep.space.data_spec import DataSpec, Split
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.training import measures
from keras_sweep.training.measures import CALLS, FIRST_CALLS, ROWS, flops, measured, predict_seconds
from tests.helpers.factory import make_spec

X = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)


def wide(*units):
    return keras.Sequential([keras.Input((6,)), *(keras.layers.Dense(one, use_bias=False) for one in units)])


def spec_of(*goals, folds=0):
    further = tuple(Objective(name, Goal.MINIMIZE) for name in goals)
    objective = Objective("val_accuracy", Goal.MAXIMIZE, further=further)
    return make_spec(objective=objective, data=DataSpec("named", "digits", split=Split(folds=folds)))


def of_model(model, spec, weights=None):
    called = []

    def built():
        called.append(1)
        return model, X

    return measured(spec, tuple(weights or model.get_weights()), built), len(called)


def test_only_what_is_a_goal_is_measured_and_a_model_is_built_for_no_count():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4), keras.layers.BatchNormalization()])
    assert of_model(model, spec_of()) == ({}, 0)
    assert of_model(model, spec_of("parameters")) == ({"parameters": model.count_params()}, 0)
    assert model.count_params() == 6 * 4 + 4 + 4 * 4
    found, built = of_model(model, spec_of("flops", "predict_seconds", "parameters"))
    assert found.keys() == {"parameters", "flops", "predict_seconds"} and built == 2
    assert found["flops"] == flops(model, X)


def test_of_the_models_of_folds_the_count_is_the_mean():
    model = wide(4)
    assert of_model(model, spec_of("parameters", folds=3), model.get_weights() * 3)[0] == {"parameters": 24.0}


def test_flops_are_those_of_one_row_and_grow_with_the_layers():
    assert flops(wide(4), X) == flops(wide(4), X[:1]) == pytest.approx(2 * 6 * 4, rel=0.2)
    assert flops(wide(8), X) == 2 * flops(wide(4), X)
    dropping = keras.Sequential([keras.Input((6,)), keras.layers.Dropout(0.5), keras.layers.Dense(4, use_bias=False)])
    assert flops(dropping, X) == flops(wide(4), X)  # of a prediction
    two = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    both = keras.Model(two, keras.layers.Dense(4, use_bias=False)(keras.layers.concatenate(two)))
    assert flops(both, {"a": X, "b": X}) > flops(wide(4), X)


def test_a_loop_has_no_count_and_says_what_to_rank_by():
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(2)])
    with pytest.raises(ModelError, match=r"of a loop, such as a recurrent layer's.*Take `parameters`"):
        flops(model, np.zeros((2, 5, 3), np.float32))


def test_other_backends_and_other_counts_of_jax_are_refused(monkeypatch):
    import jax

    with monkeypatch.context() as patch:
        patch.setattr(keras.backend, "backend", lambda: "torch")
        with pytest.raises(UsageError, match=r"on JAX alone, and this is torch.*Take `parameters`"):
            flops(wide(4), X)
    for count in ([{"flops": 1.0}], {"bytes": 1.0}):
        with monkeypatch.context() as patch:
            patch.setattr(jax.stages.Lowered, "cost_analysis", lambda _, count=count: count)
            with pytest.raises(UsageError, match=r"counts no `flops`.*Take `parameters`"):
                flops(wide(4), X)


class Counting:
    """A model that takes a second for its first calls, two for most, and nine for a few; by a clock of its own."""

    def __init__(self):
        self.now, self.rows = 0.0, []

    def perf_counter(self):
        return self.now

    def predict_on_batch(self, x):
        self.rows.append(len(x))
        calls = len(self.rows)
        self.now += 100.0 if calls <= FIRST_CALLS else 9.0 if calls % 10 == 0 else 2.0


def test_the_time_is_the_median_of_calls_without_those_that_compile(monkeypatch):
    model = Counting()
    monkeypatch.setattr(measures, "time", model)
    assert predict_seconds(model, X) == 2.0
    assert model.rows == [ROWS] * (FIRST_CALLS + CALLS)
    assert predict_seconds(wide(2), X[:1]) == 0.0  # whose clock stands still


def test_a_real_call_takes_some_time():
    assert 0 < predict_seconds(wide(4), X) < 10
