"""Models that differ in widths, activations and numbers of layers are lanes of one program."""

import keras
import numpy as np
import pytest

from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Parameter
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.training.lanes.lane_numbers import ELEMENTWISE, ChosenActivation
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.training.lanes.structure import FACTORS, LanePenalty
from tests.helpers.factory import EPOCHS, LEARNING_RATE, digits, make_spec
from tests.helpers.lane_trials import FOLDER, assert_as_fit, assert_same_bits, lanes, suggestions


@pytest.fixture(scope="module")
def data():
    return digits()


def searching(source=None, arguments=None, more=(), **distributions):
    """A spec that varies these arguments of the dense model, or of one of the user's, and more parameters."""
    model = ModelSpec("python", f"user_models:{source}", {}) if source else ModelSpec("dense", "dense", arguments or {})
    varied = (Parameter(f"model.{name}", one) for name, one in distributions.items())
    return make_spec((LEARNING_RATE, EPOCHS, *more, *varied), model=model, folder=FOLDER)


def programs(runner):
    """The signatures that it has trained with."""
    return {signature for signature, _ in runner._programs._programs._values}


def as_fit(spec, data, *params):
    """The signatures by which trials came to the numbers of `fit`."""
    runner = CompiledRunner(spec, data)
    trials = suggestions(*({"optimizer": "adam", "learning_rate": 0.01, "epochs": 2, **one} for one in params))
    assert_as_fit(spec, data, trials, runner=runner)
    return programs(runner)


def test_rates_of_dropout_and_factors_of_penalties_differ_among_lanes(data):
    spec = searching(arguments={"hidden": (16,)}, dropout=Float(0.0, 0.9), l2=Float(0.0, 1.0))
    used = as_fit(
        spec,
        data,
        {"model.dropout": 0.1, "model.l2": 0.01},
        {"model.dropout": 0.5, "model.l2": 0.001, "learning_rate": 0.003},
        {"model.dropout": 0.87, "model.l2": 1e-6},
    )
    assert len(used) == 1


def test_a_trial_without_a_penalty_is_a_lane_whose_factor_is_zero(data):
    spec = searching(l2=Float(0.0, 1.0), hidden=Categorical(((), (16,))), dropout=Float(0.0, 0.9))
    used = as_fit(
        spec,
        data,
        {"model.l2": 0.0, "model.hidden": (16,), "model.dropout": 0.0},
        {"model.l2": 0.01, "model.hidden": (16,), "model.dropout": 0.3},
        {"model.l2": 0.0, "model.hidden": (), "model.dropout": 0.3},
    )
    assert len(used) == 1


def test_numbers_of_zero_in_models_of_the_users_are_lanes_beside_others(data):
    names = ("l1", "l2", "bias", "rate", "noise", "slope", "activity")
    spec = searching("penalized", **dict.fromkeys(names, Float(0.0, 0.9)))
    values = (
        (0.001, 0.01, 0.1, 0.3, 0.2, 0.1, 0.001),
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        (0.0, 0.01, None, 0.1, 0.0, 0.2, 0.0),
    )
    trials = [{f"model.{name}": value for name, value in zip(names, one, strict=True)} for one in values]
    assert len(as_fit(spec, data, *trials)) == 1


def test_a_trial_without_a_penalty_trains_alone_as_if_the_space_had_none(data):
    spec = searching(arguments={"hidden": (16,)}, l2=Float(0.0, 1.0))
    (signature,) = as_fit(spec, data, {"model.l2": 0.0})
    assert "L2" not in signature.structure


@pytest.mark.parametrize(("kind", "weight"), [("L1", 3e38), ("L2", 1e38), ("L1L2", 1e38)])
def test_a_factor_of_zero_adds_nothing_where_the_sum_over_weights_overflows(kind, weight):
    import jax
    import jax.numpy as jnp

    penalty = LanePenalty(getattr(keras.regularizers, kind)(**dict.fromkeys(FACTORS[kind], 0.1)))
    for name in FACTORS[kind]:
        setattr(penalty, name, jnp.float32(0.0))
    cost, gradient = jax.value_and_grad(penalty)(jnp.array([weight, -weight, 1.0]))
    assert cost == 0.0
    np.testing.assert_array_equal(gradient, 0.0)


def test_a_trial_without_dropout_is_a_lane_that_drops_nothing(data):
    spec = searching(arguments={"hidden": (16,)}, dropout=Float(0.0, 0.9))
    assert len(as_fit(spec, data, {"model.dropout": 0.0}, {"model.dropout": 0.3})) == 1


@pytest.mark.parametrize("activation", [pytest.param("relu", marks=pytest.mark.soak), "sigmoid"])
def test_narrow_layers_train_as_lanes_beside_wide_ones(data, activation):
    spec = searching(
        arguments={"hidden_activation": activation},
        hidden=Categorical(((8, 5), (33, 20), (64, 64))),
        dropout=Float(0.0, 0.9),
        l2=Float(0.0, 1.0),
    )
    used = as_fit(
        spec,
        data,
        {"model.hidden": (8, 5), "model.dropout": 0.1, "model.l2": 0.01},
        {"model.hidden": (33, 20), "model.dropout": 0.3, "model.l2": 0.001},
        {"model.hidden": (64, 64), "model.dropout": 0.2, "model.l2": 0.0001},
    )
    assert len(used) == 1


SOME = ["sgd", "ftrl"]
OTHERS = ["rmsprop", "adamw", "adamax", "adadelta", "adagrad", "nadam", "lion"]


@pytest.mark.parametrize("optimizer", [*SOME, *(pytest.param(one, marks=pytest.mark.soak) for one in OTHERS)])
def test_every_optimizer_leaves_what_is_beyond_a_narrow_layer_at_zero(data, optimizer):
    spec = searching(hidden=Int(4, 40))
    used = as_fit(
        spec,
        data,
        {"optimizer": optimizer, "learning_rate": 0.003, "model.hidden": 7},
        {"optimizer": optimizer, "learning_rate": 0.01, "model.hidden": 31},
    )
    assert len(used) == 1


@pytest.mark.full_effort  # normalized batches make roundings large
def test_models_of_the_users_share_programs_too(data):
    names = ("rate", "noise", "slope", "l1", "l2")
    spec = searching("many_numbers", units=Int(4, 40), **dict.fromkeys(names, Float(0.0, 0.9)))
    values = ((6, 0.1, 0.3, 0.05, 0.001, 0.01), (12, 0.5, 0.1, 0.3, 0.01, 0.001), (40, 0.3, 0.01, 0.2, 1e-4, 1e-5))
    trials = [{f"model.{n}": v for n, v in zip(("units", *names), one, strict=True)} for one in values]
    assert len(as_fit(spec, data, *trials)) == 1


def test_a_layer_of_the_users_keeps_each_model_by_itself(data):
    spec = searching("with_a_lambda", rate=Float(0.0, 1.0))
    assert len(as_fit(spec, data, {"model.rate": 0.5}, {"model.rate": 0.9})) == 2


def test_a_mixing_optimizer_keeps_each_model_by_itself(data):
    spec = searching(hidden=Int(4, 40))
    used = as_fit(
        spec, data, *({"optimizer": "muon", "learning_rate": 0.003, "model.hidden": width} for width in (7, 9))
    )
    assert len(used) == 2


def test_a_functional_model_of_one_chain_shares_programs(data):
    spec = searching("functional", units=Int(4, 40), rate=Float(0.0, 0.9))
    trials = ({"model.units": 6, "model.rate": 0.3}, {"model.units": 33, "model.rate": 0.1})
    assert len(as_fit(spec, data, *trials)) == 1


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_layer_that_drops_nothing_or_all_draws_no_numbers(data, rate):
    spec = searching("functional", units=Int(4, 40), rate=Float(0.0, 1.0))
    assert len(as_fit(spec, data, *({"model.units": width, "model.rate": rate} for width in (6, 33)))) == 1


def test_a_model_that_is_no_chain_is_compiled_for_its_arguments(data):
    spec = searching("with_a_skip", units=Int(4, 40))
    assert len(as_fit(spec, data, {"model.units": 6}, {"model.units": 7})) == 2


def test_a_trial_that_is_wanted_alone_has_the_bits_that_it_has_among_all(data):
    spec = searching(hidden=Int(4, 40), dropout=Float(0.0, 0.9))
    widths = ((7, 0.2), (31, 0.4), (9, 0.0), (40, 0.1), (12, 0.0))
    trials = suggestions(
        *(
            {"optimizer": "adam", "learning_rate": 0.01, "epochs": 2, "model.hidden": width, "model.dropout": rate}
            for width, rate in widths
        )
    )
    together = lanes(spec, data, trials)
    for number in (1, 4):
        assert_same_bits(lanes(spec, data, trials, wanted={number}), together, {number})


@pytest.mark.parametrize("source", ["orthogonal", "of_low_rank", "of_unit_norms"])
def test_a_layer_that_is_more_than_its_columns_keeps_each_model_by_itself(data, source):
    spec = searching(source, units=Int(4, 40))
    assert len(as_fit(spec, data, {"model.units": 6}, {"model.units": 33})) == 2


def test_activations_of_hidden_layers_differ_among_lanes(data):
    names = ("relu", "tanh", "gelu", "swish")
    spec = searching(
        hidden=Categorical(((8, 5), (33, 20))), hidden_activation=Categorical(names), dropout=Float(0, 0.9)
    )
    used = as_fit(
        spec,
        data,
        *(
            {"model.hidden": ((8, 5), (33, 20))[place % 2], "model.hidden_activation": name, "model.dropout": 0.2}
            for place, name in enumerate(names)
        ),
    )
    assert len(used) == 1


def test_what_overflows_in_an_activation_that_another_lane_has_leaves_a_lane_as_it_is():
    import jax
    import jax.numpy as jnp

    names = sorted(ELEMENTWISE)
    at = jnp.array([-np.inf, -3e38, -90.0, -1.0, 0.0, 1.0, 90.0, 3e38, np.inf])
    for place, name in enumerate(names):
        own = keras.activations.get(name)
        chosen = jax.vmap(ChosenActivation(names, place))(at), jax.vmap(jax.grad(ChosenActivation(names, place)))(at)
        np.testing.assert_array_equal(chosen, (own(at), jax.vmap(jax.grad(own))(at)), err_msg=name)


def test_batch_sizes_share_a_program_with_whole_and_short_last_batches(data):
    sizes = Parameter("batch_size", Categorical((16, 32, 50, 64)))
    spec = searching(hidden=Categorical(((8, 5), (33, 20))), dropout=Float(0.0, 0.9), more=(sizes,))
    used = as_fit(
        spec,
        data,
        *(
            {"batch_size": size, "model.hidden": ((8, 5), (33, 20))[place % 2], "model.dropout": 0.3}
            for place, size in enumerate((16, 32, 50, 64))
        ),
    )
    assert len(used) == 1


def test_batches_that_fill_every_step_share_the_program_of_shorter_ones(data):
    spec = searching(hidden=Int(4, 40), more=(Parameter("batch_size", Categorical((15, 60))),))
    assert len(as_fit(spec, data, *({"batch_size": size, "model.hidden": 9} for size in (15, 60)))) == 1


def test_noise_is_the_same_in_batches_that_are_filled_up(data):
    sizes = Parameter("batch_size", Int(16, 40))
    names = ("noise", "rate", "gaussian", "alpha")
    spec = searching("noisy", **dict.fromkeys(names, Float(0.0, 0.9)), more=(sizes,))
    values = {16: (0.1, 0.3, 0.2, 0.1), 37: (0.3, 0.2, 0.4, 0.3)}
    trials = [
        {"batch_size": size, **{f"model.{name}": value for name, value in zip(names, one, strict=True)}}
        for size, one in values.items()
    ]
    assert len(as_fit(spec, data, *trials)) == 1


def test_a_layer_that_looks_at_the_batch_is_compiled_for_each_batch_size(data):
    sizes = Parameter("batch_size", Categorical((16, 32)))
    spec = searching("many_numbers", units=Int(4, 40), more=(sizes,))
    trials = ({"model.units": 6, "batch_size": 16}, {"model.units": 33, "batch_size": 32})
    assert len(as_fit(spec, data, *trials)) == 2


def test_models_of_several_depths_share_a_program(data):
    sizes = Parameter("batch_size", Categorical((32, 64)))
    spec = searching(
        hidden=Categorical(((), (7,), (33, 20), (9, 40, 5))), dropout=Float(0.0, 0.9), l2=Float(0.0, 1.0), more=(sizes,)
    )
    used = as_fit(
        spec,
        data,
        {"model.hidden": (9, 40, 5), "model.dropout": 0.1, "model.l2": 0.01, "batch_size": 32},
        {"model.hidden": (33, 20), "model.dropout": 0.0, "model.l2": 0.001, "batch_size": 32},
        {"model.hidden": (7,), "model.dropout": 0.3, "model.l2": 0.0001, "batch_size": 64},
        {"model.hidden": (), "model.dropout": 0.2, "model.l2": 0.0001, "batch_size": 64},
        {"model.hidden": (), "model.dropout": 0.0, "model.l2": 0.01, "batch_size": 64},
    )
    assert len(used) == 1


def test_an_output_layer_keeps_its_own_activation(data):
    spec = searching(
        hidden=Int(4, 40),
        activation=Categorical(("sigmoid", "softmax")),
        hidden_activation=Categorical(("relu", "sigmoid")),
    )
    used = as_fit(
        spec,
        data,
        {"model.hidden": 6, "model.activation": "sigmoid", "model.hidden_activation": "relu"},
        {"model.hidden": 33, "model.activation": "sigmoid", "model.hidden_activation": "sigmoid"},
        {"model.hidden": 20, "model.activation": "softmax", "model.hidden_activation": "sigmoid"},
    )
    assert len(used) == 2


def test_models_that_share_no_structure_are_built_for_the_trials_that_are_wanted(data):
    spec = searching("recurrent", layer=Categorical(("LSTM", "GRU", "SimpleRNN")))
    trials = suggestions(*({"model.layer": layer, "epochs": 1} for layer in ("LSTM", "GRU", "SimpleRNN")))
    runner = CompiledRunner(spec, data)
    assert runner.programs(trials, frozenset({1})) == [(1, 1)]
    assert runner._programs.templates._own_model.cache_info().currsize == 1
