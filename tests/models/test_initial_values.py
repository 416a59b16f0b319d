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
