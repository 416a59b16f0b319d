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


def perceptron(units):
    """One hidden layer over pictures."""
    layers = keras.layers
    hidden = layers.Dense(units, activation="relu")
    return keras.Sequential([layers.Input((28, 28)), layers.Flatten(), hidden, layers.Dense(10, activation="softmax")])


def cnn(filters):
    """Two convolutions over pictures, each followed by pooling."""
    layers = keras.layers
    parts = [layers.Input((28, 28)), layers.Reshape((28, 28, 1))]
    for count in (filters, 2 * filters):
        parts += [layers.Conv2D(count, 3, activation="relu"), layers.MaxPooling2D()]
    return keras.Sequential([*parts, layers.Flatten(), layers.Dense(10, activation="softmax")])


def transformer(width, heads=4):
    """One block of attention over the rows of pictures."""
    layers = keras.layers
    start = keras.Input((28, 28))
    x = layers.Dense(width)(start)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(heads, width // heads)(x, x))
    x = layers.LayerNormalization()(x + layers.Dense(width)(layers.Dense(4 * width, activation="relu")(x)))
    return keras.Model(start, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


def small_cnn(filters, layers, dropout):
    """One or two convolutions over 7 x 7 pixels, each with a pooling."""
    blocks = [keras.layers.Input((7, 7, 1))]
    for index in range(layers):
        blocks.append(keras.layers.Conv2D(filters * 2**index, 3, padding="same", activation="relu"))
        blocks.append(keras.layers.MaxPooling2D(2))
    last = [keras.layers.Flatten(), keras.layers.Dropout(dropout), keras.layers.Dense(10, activation="softmax")]
    return keras.Sequential([*blocks, *last])


def picture_cnn(input_shape, classes):
    """Two convolutions on a picture of 28 x 28 pixels, with max pooling after each."""
    layers = keras.layers
    x = inputs = layers.Input(input_shape)
    x = layers.Reshape((28, 28, 1))(x)
    for filters in (16, 32):
        x = layers.MaxPooling2D()(layers.Conv2D(filters, 3, activation="relu")(x))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(layers.Flatten()(x)))


def picture_transformer(input_shape, classes):
    """A block of attention with 4 heads over the 28 rows of a picture."""
    layers = keras.layers
    inputs = layers.Input(input_shape)
    x = layers.Dense(32)(layers.Reshape((28, 28))(inputs))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 8)(x, x))
    x = layers.LayerNormalization()(x + layers.Dense(32)(layers.Dense(64, activation="relu")(x)))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


def picture_lstm(input_shape, classes):
    """An LSTM over the 28 rows of a picture."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input(input_shape),
            layers.Reshape((28, 28)),
            layers.LSTM(32),
            layers.Dense(classes, activation="softmax"),
        ]
    )
