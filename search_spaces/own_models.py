"""Models that the space files beside this module name by `python: own_models:FUNCTION`."""

import keras
import keras_tuner


def cnn(input_shape, classes, filters, activation):
    """A small convolutional network with batch normalization and dropout, for 8 x 8 pixels in a row of 64."""
    return keras.Sequential(
        [
            keras.layers.Input(input_shape),
            keras.layers.Reshape((8, 8, 1)),
            keras.layers.Conv2D(filters, 3, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.Activation(activation),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )


def two_layers(input_shape, units):
    """One hidden layer and one sigmoid output."""
    return keras.Sequential(
        [
            keras.layers.Input(input_shape),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


class iris_model(keras_tuner.HyperModel):
    """As KerasTuner's own guide writes one; the sweep compiles it."""

    def build(self, hp):
        layers = [keras.layers.Input((4,))]
        for index in range(hp.Int("layers", 1, 2)):
            layers.append(keras.layers.Dense(hp.Choice(f"units_{index}", [8, 16]), activation="relu"))
        layers.append(keras.layers.Dense(3, activation="softmax"))
        return keras.Sequential(layers)
