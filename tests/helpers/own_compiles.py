"""Models that compile themselves."""

import keras
from keras import layers, ops


def squares(y_true, y_pred):
    """A loss of the user's, of labels as they are."""
    return ops.mean(ops.square(ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), 10) - y_pred), axis=-1)


def surest(y_true, y_pred):
    """A metric of the user's."""
    return ops.max(y_pred, axis=-1)


def compiled(units=8, loss="sparse_categorical_crossentropy", metrics=("accuracy",), **more):
    """Ends with a softmax."""
    model = keras.Sequential([keras.Input((64,)), layers.Dense(units, "relu"), layers.Dense(10, "softmax")])
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=list(metrics), **more)
    return model


def plain(units=8):
    """By Keras's names."""
    return compiled(units)


def smooth(units=8):
    """By Keras's objects, one with an argument."""
    found = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    return compiled(units, found, [keras.metrics.CategoricalAccuracy(), keras.metrics.TopKCategoricalAccuracy(k=2)])


def of_the_users(units=8):
    """By functions of the user's, the loss twice as heavy."""
    return compiled(units, squares, [surest, "accuracy"], loss_weights=2.0)


def uncompiled(units=8):
    """Leaves it to the space."""
    return keras.Sequential([keras.Input((64,)), layers.Dense(units, "relu"), layers.Dense(10, "softmax")])


def chosen(hp):
    """Of which a hyperparameter chooses the loss."""
    return compiled(loss=hp.Choice("loss", ["categorical_crossentropy", "poisson"]))


class OneWay(keras.Sequential):
    """Compiles in a way of its own."""

    def compile(self, rate):
        super().compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])


def one_way():
    """Which no other call can compile."""
    model = OneWay([keras.Input((64,)), layers.Dense(10, "softmax")])
    model.compile(0.1)
    return model
