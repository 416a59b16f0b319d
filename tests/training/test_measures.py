"""How large a model is and how much a prediction takes: only what is a goal, of one row, by a clock that is read."""

import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_sweep.errors import ModelError, UsageError
from keras_sweep.space.data_spec import DataSpec, Split
from keras_sweep.space.search_space import MEASURED, Goal, Objective
from keras_sweep.training.outcome import count_flops, measure_goals, measure_predict_seconds
from tests.helpers.factory import make_spec

ROWS = np.zeros((100, 64), np.float32)


def spec_with(*goals: str, folds: int = 0):
    further = tuple(Objective(name, Goal.MINIMIZE) for name in goals)
    objective = Objective("val_accuracy", Goal.MAXIMIZE, further=further)
    return make_spec(objective=objective, data=DataSpec("named", "digits", split=Split(folds=folds)))


def dense(*units: int):
    return keras.Sequential([keras.Input((64,)), *(keras.layers.Dense(count) for count in units)])


def test_only_goals_are_measured_and_for_a_count_of_parameters_no_model_is_built():
    weights = [np.zeros((64, 10)), np.zeros(10)]
    assert measure_goals(spec_with("val_loss", "train_seconds"), weights, pytest.fail) == {}
    for folds in (0, 3):  # with folds those of one of its models
        of_all = weights * max(folds, 1)
        assert measure_goals(spec_with("parameters", folds=folds), of_all, pytest.fail) == {"parameters": 650}
    found = measure_goals(spec_with(*MEASURED), weights, lambda: (dense(10), ROWS))
    assert set(found) == set(MEASURED) - {"train_seconds"}


def test_flops_are_those_of_one_row_however_many_there_are():
    model = dense(10)
    assert count_flops(model, ROWS) == count_flops(model, ROWS[:7])
    assert 2 * 64 * 10 <= count_flops(model, ROWS) <= 2 * 64 * 10 + 10
    assert count_flops(dense(20, 10), ROWS) > 2 * 64 * 20
    model.add(keras.layers.Dropout(0.5))
    assert count_flops(model, ROWS) == count_flops(dense(10), ROWS)  # it does nothing where a model predicts


def test_flops_of_a_loop_or_of_another_backend_are_refused(monkeypatch):
    loop = keras.Sequential([keras.Input((8, 8)), keras.layers.SimpleRNN(4)])
    with pytest.raises(ModelError, match="of a model with a loop") as refused:
        count_flops(loop, np.zeros((2, 8, 8), np.float32))
    assert refused.value.hint == "Use the goal `parameters` or `predict_seconds` instead"
    monkeypatch.setattr("keras.backend.backend", lambda: "torch")
    with pytest.raises(UsageError, match="needs the JAX backend, but got torch") as refused:
        count_flops(dense(10), ROWS)
    assert "`parameters`" in refused.value.hint


@pytest.mark.parametrize("said", [None, {"bytes accessed": 1.0}], ids=repr)
def test_a_jax_that_counts_no_flops_is_named(monkeypatch, said):
    program = SimpleNamespace(as_text=lambda: "", cost_analysis=lambda: said)
    monkeypatch.setattr("jax.jit", lambda call: SimpleNamespace(lower=lambda *arguments: program))
    with pytest.raises(UsageError, match=r"JAX \d+\.\d+.* can't count `flops`"):
        count_flops(dense(10), ROWS)


def test_a_prediction_takes_the_median_of_fifty_calls_on_32_rows_once_it_is_compiled(monkeypatch):
    seconds = [9.0] * 3 + [2.0] * 24 + [1.0] * 26  # of each call; the first three compile
    clock = iter([moment for call, took in enumerate(seconds) for moment in (100.0 * call, 100.0 * call + took)])
    asked = []
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert measure_predict_seconds(SimpleNamespace(predict_on_batch=lambda rows: asked.append(len(rows))), ROWS) == 1.0
    assert asked == [32] * 53


def test_of_several_inputs_each_is_cut():
    one, other = keras.Input((8,), name="a"), keras.Input((8,), name="b")
    both = keras.Model({"a": one, "b": other}, keras.layers.Dense(2)(keras.layers.add([one, other])))
    rows = {"a": np.zeros((40, 8), np.float32), "b": np.zeros((40, 8), np.float32)}
    assert 2 * 8 * 2 + 8 <= count_flops(both, rows) <= 2 * 8 * 2 + 8 + 2
