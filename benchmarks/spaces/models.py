"""Models of the spaces beside this module."""

import keras
import keras_tuner


class deep(keras_tuner.HyperModel):
    """One to three hidden layers, each as wide as it likes."""

    def build(self, hp):
        layers = [keras.layers.Input((20,))]
        activation = hp.Choice("activation", ["relu", "tanh"])
        for index in range(hp.Int("layers", 1, 3)):
            layers.append(keras.layers.Dense(hp.Int(f"units_{index}", 8, 64, step=8), activation=activation))
            layers.append(keras.layers.Dropout(hp.Float(f"dropout_{index}", 0.1, 0.5)))
        layers.append(keras.layers.Dense(1, activation="sigmoid"))
        return keras.Sequential(layers)


def lstm(units, depth):
    """One or more LSTM layers over a series."""
    recurrent = [keras.layers.LSTM(units, return_sequences=True) for _ in range(depth - 1)]
    return keras.Sequential([keras.layers.Input((29, 3)), *recurrent, keras.layers.LSTM(units), keras.layers.Dense(1)])
