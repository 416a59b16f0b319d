"""The smallest models, for the walks through optimizers, losses and metrics."""

import keras
from keras import layers


def hidden(classes):
    """A hidden layer and a softmax."""
    return keras.Sequential(
        [layers.Input((8,)), layers.Dense(4, activation="tanh"), layers.Dense(classes, activation="softmax")]
    )


def outputs(units, activation):
    """One layer."""
    return keras.Sequential([layers.Input((8,)), layers.Dense(units, activation=activation)])


def identity(features):
    """A model that gives back its input."""
    inputs = keras.Input((features,))
    return keras.Model(inputs, layers.Activation("linear")(inputs))
