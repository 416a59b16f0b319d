"""Models that compile themselves."""

import keras
from keras import layers, ops


def squares(y_true, y_pred):
    """A loss of the user's, of labels as they are."""
    return ops.mean(ops.square(ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), 10) - y_pred), axis=-1)


def surest(y_true, y_pred):
    return ops.max(y_pred, axis=-1)


def compiled(units=8, loss="sparse_categorical_crossentropy", metrics=("accuracy",), **more):
    model = keras.Sequential([keras.Input((64,)), layers.Dense(units, "relu"), layers.Dense(10, "softmax")])
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=list(metrics), **more)
    return model


def plain(units=8):
    return compiled(units)


def smooth(units=8):
    found = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    return compiled(units, found, [keras.metrics.CategoricalAccuracy(), keras.metrics.TopKCategoricalAccuracy(k=2)])


def by_class(units=8):
    return compiled(units, "categorical_crossentropy", ["accuracy", keras.metrics.F1Score()])


def of_the_users(units=8):
    return compiled(units, squares, [surest, "accuracy"], loss_weights=2.0)


def uncompiled(units=8):
    return keras.Sequential([keras.Input((64,)), layers.Dense(units, "relu"), layers.Dense(10, "softmax")])


def chosen(hp):
    return compiled(loss=hp.Choice("loss", ["categorical_crossentropy", "poisson"]))


def weighed(hp):
    return compiled(loss_weights=hp.Choice("weight", [2.0, 3.0]))


class OneWay(keras.Sequential):
    def compile(self, rate):
        super().compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])


def one_way():
    """Which no other call can compile."""
    model = OneWay([keras.Input((64,)), layers.Dense(10, "softmax")])
    model.compile(0.1)
    return model


def tuned(hp):
    """As notebooks of KerasTuner have it: layers are added, and the optimizer is made of hyperparameters."""
    inputs = keras.Input((64,))
    model = keras.Sequential([inputs])
    model.add(layers.Dense(hp.Int("units", 8, 16, step=4), "relu"))
    model.add(layers.Dense(10, "softmax"))
    if hp.Boolean("skip"):
        hidden = layers.Dense(hp.get("units"), "relu")(inputs)
        both = layers.concatenate([hidden, inputs])
        model = keras.Model(inputs, layers.Dense(10, "softmax")(both))
    rate = hp.Float("rate", 1e-3, 1e-1, sampling="log")
    kinds = {
        "adam": keras.optimizers.Adam(rate, beta_1=0.8),
        "sgd": keras.optimizers.SGD(rate, momentum=0.5),
        "rmsprop": keras.optimizers.RMSprop(rate, clipnorm=1.0),
    }
    metrics = ["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(k=2)]
    model.compile(kinds[hp.Choice("optimizer", list(kinds))], "sparse_categorical_crossentropy", metrics=metrics)
    return model


def measured():
    return compiled(metrics=[keras.metrics.SparseCategoricalAccuracy(name="hits")])


def summed():
    return compiled(loss=keras.losses.SparseCategoricalCrossentropy(reduction="sum"))


def sorted_ids():
    """By a metric that tells an argument only where it is not the usual one."""
    return compiled(metrics=[keras.metrics.SparseTopKCategoricalAccuracy(k=2, from_sorted_ids=True)])


def needing_classes():
    """By a metric that is not made without an argument."""
    return compiled(metrics=[keras.metrics.MeanIoU(10, sparse_y_pred=False)])


def scheduled():
    model = compiled()
    falling = keras.optimizers.schedules.CosineDecay(0.01, 100)
    model.compile(keras.optimizers.Adam(falling), model.loss, metrics=["accuracy"])
    return model


class SlowAdam(keras.optimizers.Adam):
    pass


def slow():
    model = compiled()
    model.compile(SlowAdam(0.001), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def seldom(hp):
    """Its rate falls only where it is high."""
    rate = hp.Float("rate", 1e-3, 0.5)
    model = compiled()
    rate = keras.optimizers.schedules.CosineDecay(rate, 100) if rate == 0.5 else rate
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
