"""Models that differ in widths, activations and numbers of layers are lanes of one program."""

from functools import partial

import keras
import numpy as np
import pytest

from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Parameter
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.training.lanes.lane_numbers import choose_activation
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.training.lanes.structure import ACTIVATIONS, FACTORS, LanePenalty
from tests.helpers.factory import EPOCHS, LEARNING_RATE, make_spec
from tests.helpers.lane_trials import FOLDER, Watching, assert_as_fit, assert_same_bits, lanes, signatures, suggestions

SHARE = Float(0.0, 0.9)
WIDTHS = Int(4, 40)


def searching(source=None, arguments=None, batch_size=None, **distributions):
    """A spec that varies these arguments of the dense model, or of one of the user's, and perhaps the batch size."""
    model = ModelSpec("python", f"user_models:{source}", {}) if source else ModelSpec("dense", "dense", arguments or {})
    varied = [Parameter(f"model.{name}", one) for name, one in distributions.items()]
    varied += [Parameter("batch_size", batch_size)] if batch_size else []
    return make_spec((LEARNING_RATE, EPOCHS, *varied), model=model, folder=FOLDER)


def of_models(names, *arguments, **each):
    """Trials of models with these arguments, a row each; `each` has further parameters, a value for each trial."""
    trials = [{f"model.{name}": value for name, value in zip(names.split(), row, strict=True)} for row in arguments]
    return [{**trial, **{name: values[place] for name, values in each.items()}} for place, trial in enumerate(trials)]


def as_fit(spec, data, params):
    """The signatures by which trials came to the numbers of `fit`."""
    runner = CompiledRunner(spec, data)
    trials = suggestions(*({"optimizer": "adam", "learning_rate": 0.01, "epochs": 2, **one} for one in params))
    assert_as_fit(spec, data, trials, runner=runner)
    return signatures(runner)


def case(name, spec, params, programs=1, marks=()):
    return pytest.param(spec, params, programs, id=name, marks=marks)


PENALTIES = "l1 l2 bias rate noise slope activity"
MANY = "units rate noise slope l1 l2"
PAIR = ((8, 5), (33, 20))
CASES = [
    case(
        "numbers of zero in models of the user's",
        searching("penalized", **dict.fromkeys(PENALTIES.split(), SHARE)),
        of_models(
            PENALTIES,
            (0.001, 0.01, 0.1, 0.3, 0.2, 0.1, 0.001),
            (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
            (0.0, 0.01, None, 0.1, 0.0, 0.2, 0.0),
        ),
        marks=pytest.mark.soak,
    ),
    case(
        "narrow layers beside wide ones",
        searching(
            arguments={"hidden_activation": "sigmoid"},
            hidden=Categorical((*PAIR, (64, 64))),
            dropout=SHARE,
            l2=Float(0.0, 1.0),
        ),
        of_models("hidden dropout l2", ((8, 5), 0.1, 0.01), ((64, 64), 0.2, 0.0001)),
    ),
    *(
        case(
            f"what is beyond a narrow layer stays at zero, {optimizer}",
            searching(hidden=WIDTHS),
            of_models("hidden", (7,), (31,), optimizer=[optimizer] * 2, learning_rate=(0.003, 0.01)),
            marks=pytest.mark.soak,
        )
        for optimizer in ("sgd", "ftrl", "rmsprop", "adamw", "adamax", "adadelta", "adagrad", "nadam", "lion")
    ),
    case(
        "models of the user's, and a layer that looks at the batch, compiled for each batch size",
        searching(
            "many_numbers", units=WIDTHS, batch_size=Categorical((16, 32)), **dict.fromkeys(MANY.split()[1:], SHARE)
        ),
        of_models(
            MANY,
            *((6, 0.1, 0.3, 0.05, 0.001, 0.01), (40, 0.3, 0.01, 0.2, 1e-4, 1e-5), (33, 0.2, 0.1, 0.2, 0.01, 0.01)),
            batch_size=(32, 32, 16),
            learning_rate=(0.01, 0.01, 0.001),
        ),
        2,
        marks=pytest.mark.soak,  # with full effort: normalized batches make roundings large
    ),
    case(
        "a functional model of one chain",
        searching("functional", units=WIDTHS, rate=SHARE),
        of_models("units rate", (6, 0.3), (33, 0.1)),
    ),
    case(
        "rates of 0 and 1 draw no numbers",
        searching("functional", units=WIDTHS, rate=Float(0.0, 1.0)),
        of_models("units rate", (6, 0.0), (33, 0.0), (20, 1.0)),
        2,
        pytest.mark.soak,
    ),
    case(
        "activations of hidden layers",
        searching(
            hidden=Categorical(PAIR), hidden_activation=Categorical(("relu", "tanh", "gelu", "swish")), dropout=SHARE
        ),
        of_models("hidden hidden_activation dropout", (PAIR[0], "relu", 0.2), (PAIR[1], "gelu", 0.2)),
    ),
    case(
        "batch sizes, with whole and short last batches",
        searching(hidden=Categorical(PAIR), dropout=SHARE, batch_size=Categorical((16, 32, 50))),
        of_models("hidden dropout", *((one, 0.3) for one in PAIR), batch_size=(16, 50)),
    ),
    case(
        "batches that fill every step, beside shorter ones",
        searching(hidden=WIDTHS, batch_size=Categorical((15, 60))),
        of_models("hidden", (9,), (9,), batch_size=(15, 60)),
        marks=pytest.mark.soak,
    ),
    case(
        "noise in batches that are filled up",
        searching("noisy", **dict.fromkeys(["noise", "rate", "gaussian", "alpha"], SHARE), batch_size=Int(16, 40)),
        of_models("noise rate gaussian alpha", (0.1, 0.3, 0.2, 0.1), (0.3, 0.2, 0.4, 0.3), batch_size=(16, 37)),
        marks=pytest.mark.soak,
    ),
    case(
        "several depths",
        searching(
            hidden=Categorical(((), (7,), (33, 20), (9, 40, 5))),
            dropout=SHARE,
            l2=Float(0.0, 1.0),
            batch_size=Categorical((32, 64)),
        ),
        of_models(
            "hidden dropout l2", ((9, 40, 5), 0.1, 0.01), ((7,), 0.0, 0.0001), ((), 0.2, 0.01), batch_size=(32, 64, 64)
        ),
    ),
    case(
        "an output layer keeps its own activation",
        searching(
            hidden=WIDTHS,
            activation=Categorical(("sigmoid", "softmax")),
            hidden_activation=Categorical(("relu", "sigmoid")),
        ),
        of_models(
            "hidden activation hidden_activation",
            (6, "sigmoid", "relu"),
            (33, "sigmoid", "sigmoid"),
            (20, "softmax", "sigmoid"),
        ),
        2,
    ),
    case(
        "a layer of the user's keeps each model by itself",
        searching("with_a_lambda", rate=Float(0.0, 1.0)),
        of_models("rate", (0.5,), (0.9,)),
        2,
        pytest.mark.soak,
    ),
    case(
        "a mixing optimizer keeps each model by itself",
        searching(hidden=WIDTHS),
        of_models("hidden", (7,), (9,), optimizer=("muon", "muon"), learning_rate=(0.003, 0.003)),
        2,
    ),
    *(
        case(
            f"{source} keeps each model by itself",
            searching(source, units=WIDTHS),
            of_models("units", *units),
            2,
            () if source == "of_own_relu" else pytest.mark.soak,
        )
        for source, units in (
            ("with_a_skip", ((6,), (7,))),
            *((name, ((6,), (33,))) for name in ("orthogonal", "of_low_rank", "of_unit_norms")),
            ("of_own_relu", ((6,), (33,))),
        )
    ),
]


@pytest.mark.parametrize(("spec", "params", "programs"), CASES)
def test_trials_share_programs_with_the_numbers_of_fit(data, spec, params, programs):
    assert len(as_fit(spec, data, params)) == programs


def test_a_trial_without_a_penalty_trains_alone_as_if_the_space_had_none(data):
    spec = searching(arguments={"hidden": (16,)}, l2=Float(0.0, 1.0))
    (signature,) = as_fit(spec, data, of_models("l2", (0.0,)))
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


def test_a_trial_that_is_wanted_alone_has_the_bits_that_it_has_among_all(data):
    spec = searching(hidden=WIDTHS, dropout=SHARE)
    models = of_models("hidden dropout", (7, 0.2), (31, 0.4), (9, 0.0), (40, 0.1), (12, 0.0))
    trials = suggestions(*({"optimizer": "adam", "learning_rate": 0.01, "epochs": 2, **model} for model in models))
    together = lanes(spec, data, trials)
    for number in (1, 4):
        assert_same_bits(lanes(spec, data, trials, wanted={number}), together, {number})


@pytest.mark.soak
def test_what_overflows_in_an_activation_that_another_lane_has_leaves_a_lane_as_it_is():
    import jax
    import jax.numpy as jnp

    at = jnp.array([-np.inf, -3e38, -90.0, -1.0, 0.0, 1.0, 90.0, 3e38, np.inf])
    for place, name in enumerate(ACTIVATIONS):
        own, chosen = keras.activations.get(name), partial(choose_activation, ACTIVATIONS, place)
        found = jax.vmap(chosen)(at), jax.vmap(jax.grad(chosen))(at)
        np.testing.assert_array_equal(found, (own(at), jax.vmap(jax.grad(own))(at)), err_msg=name)


def test_models_that_share_no_structure_are_built_for_the_trials_that_are_wanted(data):
    spec = searching("recurrent", layer=Categorical(("LSTM", "GRU", "SimpleRNN")))
    trials = suggestions(*({"model.layer": layer, "epochs": 1} for layer in ("LSTM", "GRU", "SimpleRNN")))
    runner = CompiledRunner(spec, data)
    assert runner.programs(trials, frozenset({1}), Watching()) == [(1, 1)]
    assert runner._programs._own_models.cache_info().currsize == 1
