"""HyperModels that train by a `fit` of their own."""

import keras
import keras_tuner
from keras import layers


def softmax(hp, *more):
    units = hp.Choice("units", [8, 16])
    model = keras.Sequential([keras.Input((64,)), layers.Dense(units, "relu"), *more, layers.Dense(10, "softmax")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Guide(keras_tuner.HyperModel):
    """As in KerasTuner's guide: what is searched of training and of the data stands in `fit`."""

    def build(self, hp):
        return softmax(hp)

    def fit(self, hp, model, x, y, **more):
        if hp.Boolean("normalize"):
            x = layers.Normalization()(x)
        return model.fit(x, y, batch_size=hp.Choice("batch_size", [16, 32]), shuffle=hp.Boolean("shuffle"), **more)


class Phases(keras_tuner.HyperModel):
    """A frozen base and a new head, then all of it with a lower rate."""

    def build(self, hp):
        base = keras.Sequential([keras.Input((64,)), layers.Dense(hp.Choice("units", [8, 16]), "relu")], name="base")
        base.trainable = False
        return keras.Sequential([keras.Input((64,)), base, layers.Dense(10, "softmax")])

    def fit(self, hp, model, *args, **more):
        model.fit(*args, **more)
        model.get_layer("base").trainable = True
        rate = hp.Float("rate", 1e-4, 1e-2, sampling="log")
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model.fit(*args, **more)


class Loop(keras_tuner.HyperModel):
    """A loop that tells of its epochs, as the guide on custom training has it, and returns a number."""

    def __init__(self, value=min):
        super().__init__()
        self.value = value

    def build(self, hp):
        return softmax(hp)

    def fit(self, hp, model, x, y, validation_data, callbacks, epochs):
        size = hp.Choice("batch_size", [32, 64])
        for callback in callbacks:
            callback.set_model(model)
        losses = []
        for epoch in range(epochs):
            for start in range(0, len(x), size):
                model.train_on_batch(x[start : start + size], y[start : start + size])
            losses.append(model.evaluate(*validation_data, verbose=0)[0])
            for callback in callbacks:
                callback.on_epoch_end(epoch, logs={"val_loss": losses[-1]})
        return self.value(losses)


class Late(Loop):
    def fit(self, hp, *args, **more):
        found = super().fit(hp, *args, **more)
        hp.Fixed("constant", 3)
        hp.Float("late", 0.0, found)
        return found


def last(losses):
    return losses[-1]


def another(losses):
    return 0.125


guide, phases = Guide(), Phases()
late, best_of_loop = Late(), Loop()
