"""A compiled program beside `fit`: epochs of every kind of batch, what rows weigh, and validation in batches."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_sweep.data.search_data import Fold
from keras_sweep.training.compiling import Effort
from keras_sweep.training.lanes.flat import Flat
from keras_sweep.training.lanes.program import DeviceData, Program, layout_of
from keras_sweep.training.lanes.signature import OptimizerVariant, Signature, arguments, signature_of
from keras_sweep.training.lanes.stacked import Stacked
from keras_sweep.training.lanes.template import Template
from keras_sweep.trial.plan import training_plan
from tests.helpers import lane_models
from tests.helpers.lane_trials import with_weights
from tests.helpers.plain_fit import plain_fit
from tests.helpers.walk import rows, spec_of

RATES = (0.05, 0.2)  # of the two lanes


def made(data, model="tanh", *, size=8, alone=True, effort=Effort.LOW, lanes=2, device=None, **changes):
    """A program of two lanes; what it starts from, and the numbers of its lanes."""
    spec = spec_of(f"lane_models:{model}", {}, metrics=("accuracy",))
    spec = replace(spec, objective=replace(spec.objective, name="val_accuracy"))
    plan = training_plan(spec, {"optimizer": "sgd", "learning_rate": RATES[0], "batch_size": size})
    signature = replace(signature_of(plan), **changes)
    template = Template(spec, signature, data)
    program = Program(template, lanes, device or DeviceData.of(data)[0], rows_alone=alone, effort=effort)
    numbers = template.numbers(lanes)._replace(learning_rates=np.array(RATES[:lanes], np.float32))
    return program, program.layout.stack([program.layout.initial()] * lanes), numbers


def trained(data, epochs=2, *, rates=None, batch=None, **given):
    """(history of each lane, its weights, which rows are right) after epochs, each with its validation."""
    program, state, numbers = made(data, **given)
    if batch is not None:
        numbers = numbers._replace(batch_size=np.int32(batch))
    history = [{}, {}]
    for epoch in range(epochs):
        state, logs = program.epoch(state, numbers, program.order(epoch), rates)
        state, held, finite, right = program.validate(state, numbers)
        assert finite.all() and right.shape == (2, len(data.validation))
        for lane in range(2):
            for name, values in {**logs, **{f"val_{name}": one for name, one in held.items()}}.items():
                history[lane].setdefault(name, []).append(float(values[lane]))
    weights = [program._template.weights(program.layout.lane(state, lane)) for lane in range(2)]
    return history, weights, right


def assert_as_fit(data, found, model="tanh", *, size=8, epochs=2, lanes=(1,), **of_fit):
    history, weights, right = found
    for lane, rate in ((lane, RATES[lane]) for lane in lanes):
        params = {"optimizer": "sgd", "learning_rate": rate, "epochs": epochs, "batch_size": size}
        expected = plain_fit(getattr(lane_models, model), data, params, **of_fit)
        assert history[lane].keys() == expected.history.keys()
        for name, values in expected.history.items():
            np.testing.assert_allclose(history[lane][name], values, rtol=1e-5, atol=1e-6, err_msg=name)
        for ours, theirs in zip(weights[lane], expected.weights, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)
        if data.validation.weights is None:
            assert right[lane].mean() == pytest.approx(expected.history["val_accuracy"][-1])
    assert history[0]["loss"] != history[1]["loss"]


@pytest.mark.parametrize(
    ("sizes", "size"), [((48, 32), 8), ((50, 28), 8), ((40, 5), 8)], ids=["whole", "a short one", "one short one"]
)
def test_an_epoch_of_batches_has_the_numbers_of_fit(sizes, size):
    data = rows(8, sizes=sizes)
    assert_as_fit(data, trained(data, size=size), size=size, lanes=(0, 1))


def test_a_model_that_convolves_is_trained_step_by_step_with_the_same_numbers():
    data = rows(8, sizes=(50, 28))
    program, _, _ = made(data, "convolving")
    assert program._template.convolves and program.of(program._template, program._data) is program
    assert_as_fit(data, trained(data, model="convolving"), "convolving")
    whole = rows(8, sizes=(40, 24))
    assert_as_fit(whole, trained(whole, model="convolving"), "convolving")


@pytest.mark.parametrize("size", [5, 8, 28])
def test_steps_that_are_masked_are_those_of_a_smaller_batch(size):
    data = rows(8, sizes=(50, 28))
    assert_as_fit(data, trained(data, size=32, masked=True, batch=size), size=size)


def scheduled(model, masked):
    data = rows(8, sizes=(50, 28))
    steps = [0.3, 0.2, 0.1, 0.05]

    def rates(count):
        assert count == 28
        each = np.zeros((count, 2), np.float32)
        each[:4] = np.outer(steps, (1.0, 2.0))
        return each

    given = {"masked": True, "batch": 8, "size": 16} if masked else {}
    history, _, _ = trained(data, 1, model=model, rates=rates, scheduled=True, **given)
    for lane, factor in ((1, 2.0),):
        keras.utils.set_random_seed(42)
        plain = getattr(lane_models, model)()
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0, 1, 2], [one * factor for one in steps])
        plain.compile(keras.optimizers.SGD(schedule), "sparse_categorical_crossentropy", metrics=["accuracy"])
        held = data.validation.arrays
        log = plain.fit(data.train.x, data.train.y, batch_size=8, validation_data=held, verbose=0).history
        np.testing.assert_allclose([history[lane][name] for name in log], list(log.values()), rtol=1e-5)


@pytest.mark.parametrize(("model", "masked"), [("tanh", False), ("convolving", False), ("tanh", True)])
def test_each_step_has_rates_of_its_own(model, masked):
    scheduled(model, masked)


@pytest.mark.parametrize("masked", [False, True])
def test_rows_that_weigh_unlike_and_classes_that_do_have_the_numbers_of_fit(masked):
    data, given = rows(8, sizes=(50, 28)), {"masked": True, "batch": 8, "size": 16} if masked else {}
    assert_as_fit(with_weights(data), trained(with_weights(data), **given))
    weights = {0: 3.0, 1: 0.5, 2: 1.0}
    found = trained(data, class_weight=tuple(weights.items()), **given)
    assert_as_fit(data, found, class_weight=weights)


@pytest.mark.parametrize(("alone", "size"), [(True, 8), (False, 8), (False, 11), (False, 100)])
def test_validation_has_the_numbers_of_evaluate_in_whatever_batches(alone, size):
    data = rows(8, sizes=(53, 30))
    found = trained(data, alone=alone, size=size)
    assert_as_fit(data, found, size=size)
    program, _, _ = made(data, alone=alone, size=size)
    assert program._validation_batch == (2048 if alone else size)


def test_what_validation_changes_is_kept_where_rows_do_not_stand_alone():
    data = rows(8, sizes=(50, 28))
    found = trained(data, model="counting", alone=False)
    assert_as_fit(data, found, "counting")
    calls = [array for array in found[1][0] if array.shape == ()]
    assert calls == [2 * (4 + 3)]
    program, state, numbers = made(data, "counting")
    after, *_ = program.validate(state, numbers)
    assert after is state


def test_each_row_is_right_or_wrong_in_the_order_of_the_rows():
    data = rows(8, sizes=(53, 30))
    _, weights, right = trained(data, alone=False)
    for lane in range(2):
        model = lane_models.tanh()
        model.set_weights(weights[lane])
        said = model.predict(data.validation.x, verbose=0).argmax(1)
        np.testing.assert_array_equal(right[lane], said == data.validation.y)


def test_weights_that_are_no_numbers_are_told_lane_by_lane():
    data = rows(8, sizes=(48, 32))
    program, state, numbers = made(data)
    numbers = numbers._replace(learning_rates=np.array([0.1, np.nan], np.float32))
    state, logs = program.epoch(state, numbers, program.order(0))
    _, _, finite, _ = program.validate(state, numbers)
    assert finite.tolist() == [True, False]
    assert logs.keys() == {"loss", "accuracy"} and all(type(values) is np.ndarray for values in logs.values())


def folded(data, **changes):
    every = np.arange(len(data.train), dtype=np.int32)
    held = [every[index::3] for index in range(3)]
    folds = tuple(Fold(np.setdiff1d(every, one).astype(np.int32), one) for one in held)
    return replace(data, validation=data.train, folds=folds, **changes)


@pytest.mark.parametrize("own", [False, True], ids=["rows as they are", "rows of their own"])
@pytest.mark.parametrize("weigh", [False, True])
def test_a_fold_trains_and_is_validated_on_its_own_rows(own, weigh):
    data = rows(8, sizes=(36, 36))
    data = folded(with_weights(data) if weigh else data)
    if own:  # as a table has them, encoded by each fold's training rows
        each = [
            replace(fold, rows=replace(data.train, x=data.train.x + place)) for place, fold in enumerate(data.folds)
        ]
        data = replace(data, folds=tuple(each))
    parts = [data.fold(index) for index in range(3)]
    device = DeviceData.of(data)
    if not own:
        assert device[0].x is device[1].x is device[2].x
    program, _, numbers = made(parts[0], device=device[0])
    for part, one, fold in zip(parts, device, data.folds, strict=True):
        template = Template(spec_of_accuracy(), program._template.signature, part)
        of_fold = program.of(template, one)
        assert of_fold is not program and of_fold._data is one and program._data is device[0]
        began = of_fold.layout.stack([of_fold.layout.initial()] * 2)
        order = of_fold.order(0)
        assert set(order) == set(fold.train)
        ended, logs = of_fold.epoch(began, numbers, order)
        _, held, _, _ = of_fold.validate(ended, numbers)
        params = {"optimizer": "sgd", "learning_rate": RATES[1], "epochs": 1, "batch_size": 8}
        expected = plain_fit(lane_models.tanh, part, params).history
        found = {**logs, **{f"val_{name}": values for name, values in held.items()}}
        for name, values in expected.items():
            np.testing.assert_allclose(found[name][1], values[0], rtol=1e-5, atol=1e-6, err_msg=name)


def spec_of_accuracy():
    spec = spec_of("lane_models:tanh", {}, metrics=("accuracy",))
    return replace(spec, objective=replace(spec.objective, name="val_accuracy"))


def test_rows_lie_on_the_device_once_and_programs_are_told_apart_by_their_shapes():
    data = rows(8, sizes=(36, 24))
    (device,) = DeviceData.of(data)
    assert device.shapes == (24, (24, 8), (24,), (12, 8), (12,)) and device.train is None
    both = replace(data, validation=data.train)
    (once,) = DeviceData.of(both)
    assert once.validation[0] is once.x and once.validation[1] is once.y and len(once.validation) == 2
    weighed = with_weights(data)
    (with_own,) = DeviceData.of(replace(weighed, validation=weighed.train))
    assert with_own.validation[0] is with_own.x
    np.testing.assert_array_equal(with_own.validation[2], weighed.train.weights)
    folds = DeviceData.of(folded(data))
    assert [fold.shapes for fold in folds] == [(16, (24, 8), (24,), (8, 8), (8,))] * 3
    several = replace(data, train=replace(data.train, x={"a": data.train.x, "b": data.train.x[:, :2]}))
    assert DeviceData.of(several)[0].shapes[:3] == (24, (24, 8), (24, 2))


def test_a_program_lies_flat_where_that_is_right():
    data = rows(8)
    sgd, lamb = OptimizerVariant("sgd"), OptimizerVariant("sgd", arguments({"clipnorm": 1.0}))
    for variant, kind in ((sgd, Flat), (lamb, Stacked)):
        template = Template(spec_of_accuracy(), Signature((), (variant,), 8, 42), data)
        assert type(layout_of(template, 2)) is kind


@pytest.mark.parametrize(
    ("effort", "model", "validated"),
    [(Effort.LOW, "tanh", Effort.LOW), (Effort.FULL, "tanh", Effort.MEDIUM), (Effort.FULL, "convolving", Effort.FULL)],
)
@pytest.mark.full_effort
def test_validation_of_a_program_that_is_worth_all_effort_is_worth_less(monkeypatch, effort, model, validated):
    import jax

    compiled, compile_ = [], jax.stages.Lowered.compile

    def seen(self, options=None, **more):
        compiled.append(options)
        return compile_(self, options, **more)

    monkeypatch.setattr(jax.stages.Lowered, "compile", seen)
    program, _, _ = made(rows(8, sizes=(48, 32)), model, effort=effort)
    assert program.lanes == 2 and validated.options in compiled and effort.options in compiled
