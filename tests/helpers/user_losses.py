"""Losses and metrics as users write them."""

import keras
from keras import ops


def far(y_true, y_pred):
    """[N] how far a row's share of its class is from 1, more for those that are far."""
    right = ops.take_along_axis(y_pred, ops.cast(ops.reshape(y_true, (-1, 1)), "int32"), axis=1)
    return ops.square(1.0 - right[:, 0]) + 0.5 * (1.0 - right[:, 0])


def of_the_batch(y_true, y_pred):
    return ops.max(far(y_true, y_pred))


def focal(gamma=1.0):
    def loss(y_true, y_pred):
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred) ** gamma

    return loss


class Tilted(keras.losses.Loss):
    """Errors above count `share`, those below the rest."""

    def __init__(self, share=0.5):
        super().__init__(name="tilted")
        self.share = share

    def call(self, y_true, y_pred):
        error = ops.cast(y_true, y_pred.dtype) - y_pred
        return ops.mean(ops.maximum(self.share * error, (self.share - 1) * error), axis=-1)


def sure(y_true, y_pred):
    """[N] whether a row's highest share is above a half."""
    return ops.cast(ops.max(y_pred, axis=-1) > 0.5, "float32")


class MeanHighest(keras.metrics.Metric):
    def __init__(self, name="MeanHighest", power=1.0):
        super().__init__(name=name)
        self.power = power
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign_add(ops.sum(ops.max(y_pred, axis=-1) ** self.power))
        self.count.assign_add(ops.cast(ops.shape(y_pred)[0], "float32"))

    def result(self):
        return self.total / self.count


class Powers(MeanHighest):
    """Two numbers, by names of their own."""

    def __init__(self, name="Powers"):
        super().__init__(name=name)

    def result(self):
        return {"first": self.total / self.count, "second": (self.total / self.count) ** 2}


def misnamed():
    return MeanHighest(name="other")


NOTHING = 3
