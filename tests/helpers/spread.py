"""A model that trains under `keras.distribution` over all devices, as a user's module sets it."""

import keras

keras.distribution.set_distribution(keras.distribution.DataParallel())


def build(input_shape, classes):
    return keras.Sequential([keras.layers.Input(input_shape), keras.layers.Dense(classes, activation="softmax")])
