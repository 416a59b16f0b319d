"""Models as a user would bring them."""

import jax
import keras
from keras import layers


def convolutional(input_shape, classes):
    """[64] pixels as an 8x8 image; BatchNormalization and Dropout have state that training changes."""
    return keras.Sequential(
        [
            layers.Input(input_shape),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(classes, activation="softmax"),
        ]
    )


def regularized(input_shape, classes, units=8):
    """A hidden layer with an L2 penalty, which is part of the loss."""
    return keras.Sequential(
        [
            layers.Input(input_shape),
            layers.Dense(units, activation="relu", kernel_regularizer="l2"),
            layers.Dense(classes, activation="softmax"),
        ]
    )


def constrained(input_shape, classes):
    """A kernel whose columns are held to a norm: no optimizer may treat its elements one by one."""
    return keras.Sequential(
        [
            layers.Input(input_shape),
            layers.Dense(classes, activation="softmax", kernel_constraint=keras.constraints.MaxNorm(0.5)),
        ]
    )


def one_output(input_shape, activation="linear"):
    """Regression, or with a sigmoid two classes."""
    return keras.Sequential([layers.Input(input_shape), layers.Dense(1, activation=activation)])


def failing(input_shape, classes, units=8):
    """Can't be built with an odd number of units."""
    if units % 2:
        raise ValueError("units must be even")
    return regularized(input_shape, classes, units)


class OwnStep(keras.Sequential):
    """Overrides the training step."""

    def train_step(self, state, data):
        return super().train_step(state, data)


def own_step(input_shape, classes):
    """A model whose training step is its own."""
    return OwnStep([layers.Input(input_shape), layers.Dense(classes, activation="softmax")])


class CallingBack(keras.layers.Layer):
    """Asks the host for its outputs."""

    def call(self, inputs):
        return jax.pure_callback(lambda x: x, jax.ShapeDtypeStruct(inputs.shape, inputs.dtype), inputs)


def calling_back(input_shape, classes):
    """A model with a layer that calls back into Python."""
    return keras.Sequential([layers.Input(input_shape), CallingBack(), layers.Dense(classes, activation="softmax")])
