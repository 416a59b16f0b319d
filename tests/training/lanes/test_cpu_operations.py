"""Operations that replace XLA's on a CPU give its numbers, wherever in a model they are: pooling to the bit."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_sweep.training.lanes import program
from keras_sweep.training.lanes.cpu_operations import with_cpu_operations
from tests.helpers.factory import digits
from tests.helpers.lane_trials import lanes, suggestions, user_spec

pytestmark = pytest.mark.full_effort

SLOW = ("select_and_scatter_add", "conv_general_dilated")
ODD = [np.nan, -np.inf, np.inf, -0.0, 0.0, 1.0, 1.0, -2.0, 0.1]  # a window often has equal maxima
INPUTS = {1: (3, 7, 2), 2: (2, 6, 5, 3), 3: (2, 4, 6, 2, 1)}
EVEN = {1: (3, 8, 2), 2: (2, 6, 4, 3), 3: (2, 4, 6, 2, 1)}  # as `same` needs for windows without a border
SEEDS = st.integers(0, 2**32 - 1)


def pool_layer(rank, size=2, **options):
    return getattr(keras.layers, f"MaxPooling{rank}D")(size, **options)


def both(function, *arguments):
    """Compile `function` as it is, and with other operations; returns both and the text of the second."""
    replaced = with_cpu_operations(function)
    return jax.jit(function), jax.jit(replaced), str(jax.make_jaxpr(replaced)(*arguments))


def gradient_of(call):
    return lambda x, gradient: jax.vjp(call, x)[1](gradient)[0]


def bits(array):
    values = np.asarray(array.astype(jnp.float32))  # exact, from 16 bits too
    return np.where(np.isnan(values), np.float32(np.nan), values).tobytes()


def draw(seed, shape, dtype):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(shape) < 0.7, rng.choice(ODD, shape), rng.normal(size=shape))
    return jnp.asarray(values, dtype)


@pytest.mark.parametrize(
    ("rank", "padding", "dtype"),
    [
        (1, "valid", "float32"),
        (2, "valid", "float32"),
        (2, "same", "float32"),
        (2, "valid", "bfloat16"),
        (2, "valid", "float16"),
        (3, "same", "float32"),
    ],
)
def test_max_pooling_has_the_gradient_of_keras_to_the_bit(rank, padding, dtype):
    layer = pool_layer(rank, padding=padding, dtype=f"mixed_{dtype}" if dtype != "float32" else dtype)

    def call(x):
        return layer(jax.nn.relu(x) if rank == 2 else x)  # relu makes many equal zeros

    shape = (EVEN if padding == "same" else INPUTS)[rank]
    arguments = jnp.zeros(shape, dtype), jnp.zeros(layer.compute_output_shape(shape), dtype)
    theirs, ours, text = both(gradient_of(call), *arguments)
    assert "select_and_scatter_add" not in text

    @settings(max_examples=25)
    @given(SEEDS)
    def compare(seed):
        x, gradient = (draw(seed + index, array.shape, dtype) for index, array in enumerate(arguments))
        assert bits(theirs(x, gradient)) == bits(ours(x, gradient))

    compare()


@pytest.mark.parametrize(
    ("rank", "shape", "arguments"),
    [
        (2, (5, 12, 11, 1), {"filters": 16}),
        (2, (5, 12, 11, 1), {"filters": 4, "strides": 2, "padding": "same"}),
        (1, (5, 40, 1), {"filters": 3, "padding": "same"}),
    ],
)
def test_a_convolution_of_one_channel_is_that_of_keras(rank, shape, arguments):
    layer = getattr(keras.layers, f"Conv{rank}D")(kernel_size=3, use_bias=False, **arguments)
    layer.build(shape)

    def call(x, kernel):
        return layer.stateless_call([kernel], [], x)[0]

    zeros = jnp.zeros(shape), jnp.zeros(layer.kernel.shape)
    theirs, ours, text = both(call, *zeros)
    assert "conv_general_dilated" not in text

    @settings(max_examples=25)
    @given(SEEDS)
    def compare(seed):
        rng = np.random.default_rng(seed)
        x = np.maximum(rng.normal(size=shape), 0)  # half of a picture is black
        kernel = rng.normal(size=zeros[1].shape) * rng.choice([1e-3, -1.0, 30.0, 0.0], zeros[1].shape[-1:])
        arrays = jnp.asarray(x, jnp.float32), jnp.asarray(kernel, jnp.float32)
        expected = np.asarray(theirs(*arrays))
        # To the bit with the pinned JAX on the processors tried; other code for the processor may round another way.
        np.testing.assert_allclose(ours(*arrays), expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())

    compare()


@pytest.mark.parametrize(
    ("layer", "shape", "name"),
    [
        (pool_layer(2, 3, strides=2), (2, 7, 7, 1), "select_and_scatter_add"),
        (pool_layer(2, 2, padding="same"), (2, 7, 7, 1), "select_and_scatter_add"),
        (pool_layer(2, 5), (2, 10, 10, 1), "select_and_scatter_add"),
        (keras.layers.Conv2D(2, 3), (2, 7, 7, 3), "conv_general_dilated"),
        (keras.layers.Conv2D(2, 5), (2, 7, 7, 1), "conv_general_dilated"),
        (keras.layers.Conv2D(2, 3, dilation_rate=2), (2, 7, 7, 1), "conv_general_dilated"),
        (keras.layers.Conv2D(2, 3, dtype="mixed_bfloat16"), (2, 7, 7, 1), "conv_general_dilated"),
        (keras.layers.DepthwiseConv2D(3), (2, 7, 7, 2), "conv_general_dilated"),
    ],
    ids=["windows overlap", "a border", "wide windows", "channels", "a wide kernel", "dilated", "16 bits", "groups"],
)
def test_other_operations_stay(layer, shape, name):
    layer.build(shape)
    x = jnp.ones(shape, layer.compute_dtype)
    function = gradient_of(layer) if name == SLOW[0] else lambda x, _: layer(x)
    assert name in both(function, x, layer(x))[2]


@jax.checkpoint
def pool_again(x):
    return keras.ops.max_pool(x, 2, 2)


class OwnPooling(keras.layers.Layer):
    def call(self, x):
        return pool_again(jax.jit(lambda x: keras.ops.max_pool(x, 2, 2))(x))


def functional(shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.MaxPooling2D()(keras.layers.Conv2D(2, 3)(inputs)))


def in_a_loop(x):
    return jax.lax.map(lambda picture: keras.ops.max_pool(picture[None], 2, 2)[0], x)


@pytest.mark.parametrize("call", [OwnPooling(), functional((8, 8, 1)), in_a_loop], ids=["own", "functional", "loop"])
def test_pooling_is_found_anywhere(call):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 8, 8, 1)), jnp.float32)
    theirs, ours, text = both(gradient_of(call), x, call(x))
    assert SLOW[0] not in text
    assert bits(ours(x, call(x))) == bits(theirs(x, call(x)))


def test_lanes_of_a_cnn_train_as_with_the_operations_of_xla(monkeypatch):
    data, trials = digits(200, 60), suggestions({"optimizer": "adam", "learning_rate": 0.01, "epochs": 2})
    ours = lanes(user_spec("convolutional"), data, trials)
    monkeypatch.setattr(program, "with_cpu_operations", lambda step: step)
    theirs = lanes(user_spec("convolutional"), data, trials)
    for number, mine in ours.items():
        assert mine.value == pytest.approx(theirs[number].value, rel=1e-5)
        for weights, expected in zip(mine.weights, theirs[number].weights, strict=True):
            np.testing.assert_allclose(weights, expected, rtol=1e-3, atol=1e-5)
