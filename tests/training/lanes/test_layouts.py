from itertools import chain

import numpy as np
import pytest

from keras_sweep.process.compiling import Effort
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.sweep.replay import RELATIVE
from keras_sweep.training.lanes.flat import FlatLayout
from keras_sweep.training.lanes.lane_numbers import Numbers
from keras_sweep.training.lanes.packing import Device
from keras_sweep.training.lanes.program import choose_layout
from keras_sweep.training.lanes.programs import Programs
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.training.lanes.signature import OptimizerVariant, list_optimizer_variants, make_signature
from keras_sweep.training.lanes.stacked import StackedLayout
from keras_sweep.training.lanes.template import Template
from keras_sweep.trial.plan import training_plan
from tests.helpers.factory import EPOCHS, LEARNING_RATE, make_spec
from tests.helpers.lane_trials import (
    WEIGHTS,
    assert_as_fit,
    assert_same_bits,
    assert_weights_close,
    fitted,
    lanes,
    signatures,
    suggestions,
    user_spec,
)

ADAM = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 3}


def template_of(spec, data, **changes):
    return Template(spec, make_signature(training_plan(spec, {**ADAM, **changes})), data)


@pytest.mark.parametrize(
    ("spec", "changes", "kind"),
    [
        *((make_spec(), {"optimizer": name}, FlatLayout) for name in ("sgd", "rmsprop", "adam")),
        *(
            (make_spec(), changes, StackedLayout)
            for changes in ({"clipnorm": 1.0}, {"global_clipnorm": 1.0}, {"use_ema": True})
        ),
        *((user_spec(name), {}, StackedLayout) for name in ("constrained", "convolutional")),
    ],
)
def test_what_works_element_by_element_lies_flat_and_the_rest_is_stacked(data, spec, changes, kind):
    assert isinstance(choose_layout(template_of(spec, data, **changes), 2), kind)


@pytest.mark.parametrize(
    ("model", "lanes", "variants", "kind"),
    [
        ("recurrent", 1, ("adam",), StackedLayout),
        (None, 1, ("adam",), FlatLayout),
        ("recurrent", 2, ("adam",), FlatLayout),  # on an accelerator
        ("recurrent", 1, ("adam", "sgd"), FlatLayout),  # a program for trials of both
        ("recurrent", 1, (OptimizerVariant("adam", per_lane=("beta_1",)),), FlatLayout),
    ],
)
def test_a_recurrent_model_is_stacked_where_no_other_shares_its_program(data, model, lanes, variants, kind):
    spec = user_spec(model) if model else make_spec()
    offers = tuple(OptimizerVariant(each) if isinstance(each, str) else each for each in variants)
    template = Template(spec, make_signature(training_plan(spec, ADAM), offers), data)
    assert type(choose_layout(template, lanes)) is kind


@pytest.mark.parametrize(
    ("model", "arguments", "limit"),
    [
        ("convolutional", {}, 1),
        *(("recurrent", {"layer": layer}, 1) for layer in ("LSTM", "GRU", "SimpleRNN")),
        *(("embedded", {"width": width}, limit) for width, limit in ((3, 8), (96, 1))),  # 64 positions of a row
        *((None, {"hidden": hidden}, limit) for hidden, limit in ((8, 8), (128, 8), (256, 1))),  # 19,210 weights
    ],
)
def test_models_that_convolve_loop_or_are_large_train_one_lane_a_program(data, model, arguments, limit):
    spec = user_spec(model) if model else make_spec()
    params = {**ADAM, **{f"model.{name}": value for name, value in arguments.items()}}
    programs, signature = Programs(spec, data, device=Device(lanes=8)), make_signature(training_plan(spec, params))
    assert programs.find_lane_limit(signature) == limit
    if model in ("convolutional", "recurrent"):  # with low effort, steps would take several times as long
        assert programs.choose_effort(signature) is Effort.MEDIUM


@pytest.mark.parametrize(("gigabytes", "lanes"), [(32, 64), (1, 64), (1 / 64, 9)])
def test_on_an_accelerator_a_program_has_as_many_lanes_as_its_memory_takes(data, gigabytes, lanes):
    spec = make_spec(model=ModelSpec("dense", "dense", {"units": 1000, "activation": "softmax"}))
    programs = Programs(spec, data, Device("gpu", "a GPU", int(gigabytes * 2**30), 64))
    assert abs(programs.find_lane_limit(make_signature(training_plan(spec, ADAM))) - lanes) <= 1


def test_there_one_thread_trains_all_trials_of_a_generation_in_one_program(data):
    runner = CompiledRunner(make_spec(), data, device=Device("gpu", "a GPU", 32 << 30, 64))
    assert_as_fit(
        make_spec(), data, suggestions(*({**ADAM, "learning_rate": 0.001 * n} for n in range(1, 6))), runner=runner
    )
    assert runner.at_once == 1 and runner.compiled == 1 and len(signatures(runner)) == 1
    assert runner._threads == 1


@pytest.mark.soak
@pytest.mark.full_effort
@pytest.mark.parametrize("model", ["convolutional", "recurrent"])
def test_a_lane_alone_has_the_bits_of_fit_where_it_is_stacked(data, model):
    spec, trials = user_spec(model), suggestions(ADAM)
    assert lanes(spec, data, trials)[0].curve["loss"] == fitted(spec, data, trials)[0].curve["loss"]


@pytest.mark.parametrize("kind", [FlatLayout, StackedLayout])
@pytest.mark.parametrize("model", ["convolutional", "regularized"])
def test_a_lane_comes_back_as_it_was_stacked(data, kind, model):
    made = kind(template_of(user_spec(model), data), 2)
    first = made.initial_state()
    rng = np.random.default_rng(0)
    other = first._replace(
        trainable=tuple(rng.normal(size=value.shape).astype(value.dtype) for value in first.trainable),
        optimizer=tuple(value + np.ones_like(value) if value.ndim else value for value in first.optimizer),
    )
    state = made.stack([first, other])
    for place, lane in enumerate((first, other)):
        for ours, theirs in zip(chain(*made.copy_lane(state, place)), chain(*lane), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("model", ["convolutional", "regularized"])
def test_both_layouts_train_alike(data, model, monkeypatch):
    spec = user_spec(model, parameters=(LEARNING_RATE, EPOCHS), constants={"optimizer": "adam"})  # a single optimizer
    trials = suggestions(ADAM, {**ADAM, "learning_rate": 0.003})
    flat = lanes(spec, data, trials)
    monkeypatch.setattr("keras_sweep.training.lanes.program.choose_layout", StackedLayout)
    stacked = lanes(spec, data, trials)
    for number, result in flat.items():
        np.testing.assert_allclose(result.curve["loss"], stacked[number].curve["loss"], rtol=RELATIVE)
        assert_weights_close(result, stacked[number])


def test_one_lane_alone_has_the_numbers_that_it_has_among_many(data):
    rates = np.geomspace(1e-4, 0.1, 8)
    trials = suggestions(*({**ADAM, "learning_rate": float(rate)} for rate in rates))
    many = lanes(make_spec(), data, trials, device=Device(lanes=8))
    alone = lanes(make_spec(), data, trials, device=Device(lanes=1))
    for number, result in many.items():
        np.testing.assert_allclose(result.curve["loss"], alone[number].curve["loss"], rtol=RELATIVE)
        assert_weights_close(result, alone[number])


def after_an_epoch(spec, optimizers, data):
    """Lanes of these optimizers after an epoch of one program."""
    params = {**ADAM, "optimizer": optimizers[0]}
    signature = make_signature(training_plan(spec, params), list_optimizer_variants(spec))
    count = len(optimizers)
    program = Programs(spec, data).get_program(signature, count)
    state = program.layout.stack([program.layout.initial_state()] * count)
    rates, which = np.full(count, 0.01, np.float32), np.arange(count, dtype=np.int32)
    state, _ = program.epoch(state, Numbers(rates, which, np.zeros((0, 2, count), np.float32)), program.order(0))
    return [program.layout.copy_lane(state, lane) for lane in range(count)]


def test_each_optimizer_updates_its_own_lanes_alone(data):
    names = ("sgd", "rmsprop", "adam")
    alone = [
        after_an_epoch(make_spec((LEARNING_RATE, EPOCHS), constants={"optimizer": name}), [name], data)[0]
        for name in names
    ]
    for own, lane, single in zip(range(3), after_an_epoch(make_spec(), names, data), alone, strict=True):
        for ours, theirs in zip(lane.trainable, single.trainable, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=WEIGHTS, rtol=1e-4)
        moved = [slot.any() for slot in lane.optimizer if slot.ndim]  # of the kernel, then of the bias
        assert moved == [own == 1, own == 2, own == 2] * 2  # sgd has none


def test_threads_move_no_bit(data):
    trials = suggestions(
        *(
            {"optimizer": name, "learning_rate": 0.003 * n, "epochs": n, "batch_size": size}
            for name in ("sgd", "adam")
            for n in (1, 2, 4)
            for size in (32, 96)
        )
    )
    assert_same_bits(lanes(make_spec(), data, trials, threads=1), lanes(make_spec(), data, trials, threads=2))
