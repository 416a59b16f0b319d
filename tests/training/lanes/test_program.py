"""A compiled program beside `fit`: batches and masked steps, validation in batches, and how its rows lie."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from keras_sweep.data.search_data import Fold
from keras_sweep.process.compiling import Effort
from keras_sweep.training.lanes.program import DeviceData, Program
from keras_sweep.training.lanes.signature import make_signature
from keras_sweep.training.lanes.template import Template
from keras_sweep.trial.plan import training_plan
from tests.helpers import lane_models
from tests.helpers.lane_trials import with_weights
from tests.helpers.plain_fit import plain_fit
from tests.helpers.walk import rows, spec_of

RATES = (0.05, 0.2)  # of the two lanes


def made(data, model="tanh", *, size=8, alone=True, effort=Effort.LOW, **changes):
    """A program of two lanes; what it starts from, and the numbers of its lanes."""
    spec = spec_of(f"lane_models:{model}", {}, metrics=("accuracy",))
    spec = replace(spec, objective=replace(spec.objective, name="val_accuracy"))
    plan = training_plan(spec, {"optimizer": "sgd", "learning_rate": RATES[0], "batch_size": size})
    template = Template(spec, replace(make_signature(plan), **changes), data)
    program = Program(template, 2, DeviceData.from_search_data(data)[0], row_wise=alone, effort=effort)
    numbers = template.make_numbers(2)._replace(learning_rates=np.array(RATES, np.float32))
    return program, program.layout.stack([program.layout.initial_state()] * 2), numbers


def assert_as_fit(data, *, size=8, batch=None, **given):
    """Two epochs of two lanes, in batches of `size`, which a masked program is told as `batch`."""
    program, state, numbers = made(data, size=size, **given)
    numbers = numbers._replace(batch_size=None if batch is None else np.int32(batch))
    history = [{}, {}]
    for epoch in range(2):
        state, logs = program.epoch(state, numbers, program.order(epoch))
        state, held, finite, right = program.validate(state, numbers)
        assert finite.all() and right.shape == (2, len(data.validation))
        for lane in range(2):
            for name, values in {**logs, **{f"val_{name}": one for name, one in held.items()}}.items():
                history[lane].setdefault(name, []).append(float(values[lane]))
    params = {"optimizer": "sgd", "learning_rate": RATES[1], "epochs": 2, "batch_size": batch or size}
    expected = plain_fit(lane_models.tanh, data, params)
    assert history[1].keys() == expected.history.keys() and history[0]["loss"] != history[1]["loss"]
    for name, values in expected.history.items():
        np.testing.assert_allclose(history[1][name], values, rtol=1e-5, atol=1e-6, err_msg=name)
    weights = program._template.weights(program.layout.copy_lane(state, 1))
    for ours, theirs in zip(weights, expected.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    model = lane_models.tanh()
    model.set_weights(weights)
    said = model.predict(data.validation.x, verbose=0).argmax(1)
    np.testing.assert_array_equal(right[1], said == data.validation.y)  # in the order of the rows


def test_one_short_batch_has_the_numbers_of_fit():
    assert_as_fit(rows(8, sizes=(40, 5)))


@pytest.mark.parametrize("size", [5, 28])
def test_steps_that_are_masked_are_those_of_a_smaller_batch(size):
    assert_as_fit(rows(8, sizes=(50, 28)), size=32, masked=True, batch=size)


@pytest.mark.parametrize(("alone", "size"), [(True, 8), (False, 11)])
def test_validation_has_the_numbers_of_evaluate_in_whatever_batches(alone, size):
    data = rows(8, sizes=(53, 30))
    assert_as_fit(data, alone=alone, size=size)
    assert made(data, alone=alone, size=size)[0]._validation_batch == (2048 if alone else size)


def folded(data):
    every = np.arange(len(data.train), dtype=np.int32)
    folds = tuple(Fold(np.setdiff1d(every, every[index::3]).astype(np.int32), every[index::3]) for index in range(3))
    return replace(data, validation=data.train, folds=folds)


def test_rows_lie_on_the_device_once_and_programs_are_told_apart_by_their_shapes():
    data = rows(8, sizes=(36, 24))
    (device,) = DeviceData.from_search_data(data)
    assert device.shapes == (24, (24, 8), (24,), (12, 8), (12,)) and device.train is None
    weighed = with_weights(data)
    (once,) = DeviceData.from_search_data(replace(weighed, validation=weighed.train))
    assert once.validation[0] is once.x and once.validation[1] is once.y
    np.testing.assert_array_equal(once.validation[2], weighed.train.weights)
    folds = DeviceData.from_search_data(folded(data))
    assert [fold.shapes for fold in folds] == [(16, (24, 8), (24,), (8, 8), (8,))] * 3
    assert folds[0].x is folds[1].x is folds[2].x
    several = replace(data, train=replace(data.train, x={"a": data.train.x, "b": data.train.x[:, :2]}))
    assert DeviceData.from_search_data(several)[0].shapes[:3] == (24, (24, 8), (24, 2))


@pytest.mark.parametrize(
    ("effort", "model", "validated"),
    [(Effort.LOW, "tanh", Effort.LOW), (Effort.FULL, "tanh", Effort.MEDIUM), (Effort.FULL, "convolving", Effort.FULL)],
)
@pytest.mark.full_effort
def test_validation_of_a_program_that_is_worth_all_effort_is_worth_less(monkeypatch, effort, model, validated):
    compiled, compile_ = [], jax.stages.Lowered.compile

    def seen(self, options=None, **more):
        compiled.append(options)
        return compile_(self, options, **more)

    monkeypatch.setattr(jax.stages.Lowered, "compile", seen)
    made(rows(8, sizes=(48, 32)), model, effort=effort)
    assert validated.options in compiled and effort.options in compiled
