import keras
import numpy as np
import pytest
from keras import initializers

from keras_sweep.models.initial_values import drawn_in_few_shapes

INITIALIZERS = [
    initializers.GlorotUniform(3),
    initializers.HeNormal(3),
    initializers.RandomNormal(seed=1),
    initializers.RandomUniform(seed=2),
    initializers.TruncatedNormal(seed=3),
    initializers.Orthogonal(seed=4),
]


@pytest.mark.parametrize("initializer", INITIALIZERS, ids=lambda one: type(one).__name__)
def test_weights_are_the_same_to_the_last_bit(initializer):
    for shape in ((20, 37), (64, 10), (1, 1), (300, 41)):
        expected = np.asarray(initializer(shape))
        with drawn_in_few_shapes():
            assert np.array_equal(initializer(shape), expected)


def test_a_seed_that_is_drawn_comes_out_the_same():
    def kernel():
        keras.utils.set_random_seed(7)
        return np.asarray(keras.Sequential([keras.layers.Input((13,)), keras.layers.Dense(11)]).weights[0])

    expected = kernel()
    with drawn_in_few_shapes():
        assert np.array_equal(kernel(), expected)


def test_what_is_traced_inside_draws_as_ever():
    import jax

    def draw(key):
        return jax.random.uniform(key, shape=(3,))

    expected = jax.jit(draw)(jax.random.key(0))
    with drawn_in_few_shapes():
        assert np.array_equal(jax.jit(draw)(jax.random.key(0)), expected)


def test_a_key_that_is_known_while_its_use_is_traced_draws_the_same():
    import jax

    def drawn():
        return jax.random.uniform(jax.random.key(0), shape=(3,))

    expected = jax.jit(drawn)()
    with drawn_in_few_shapes():
        assert np.array_equal(jax.jit(drawn)(), expected)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(3, "int32"), (0.1, "float32"), (3, "float32"), ([7, 0], "uint32"), (0.1, None), (True, "bool"), (1, "bfloat16")],
)
def test_a_plain_number_becomes_the_same_array(value, dtype):
    import jax.numpy as jnp

    expected = jnp.asarray(value, dtype=dtype)
    with drawn_in_few_shapes():
        found = jnp.asarray(value, dtype=dtype)
    assert (found.dtype, found.weak_type, found.shape) == (expected.dtype, expected.weak_type, expected.shape)
    assert np.array_equal(found, expected)


def test_a_small_model_is_made_with_one_program():
    from jax import monitoring

    compiled = []

    def count(name, _seconds, **_):
        compiled.append(name) if name == "/jax/core/compile/backend_compile_duration" else None

    monitoring.register_event_duration_secs_listener(count)
    try:
        with drawn_in_few_shapes():
            model = keras.Sequential([keras.layers.Input((19,)), keras.layers.Dense(23), keras.layers.Dense(5)])
            model.compile(optimizer=keras.optimizers.Adam(0.0123), loss="mse")
            model.optimizer.build(model.trainable_variables)
    finally:
        monitoring.unregister_event_duration_listener(count)
    assert len(compiled) <= 1  # none where a test before this one has drawn as many numbers
