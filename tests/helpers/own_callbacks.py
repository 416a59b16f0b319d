"""Callbacks of a user's, which set other weights than those that the last epoch ended with."""

import itertools
from pathlib import Path

import keras
import numpy as np

from keras_sweep.process.user_objects import register_function


class Keeping(keras.callbacks.Callback):
    """Keeps the weights of each epoch, as keras.io's `EarlyStoppingAtMinLoss` does of the best."""

    def on_train_begin(self, logs=None):
        self.kept = []

    def on_epoch_end(self, epoch, logs=None):
        self.kept.append(self.model.get_weights())


class FirstAtEnd(Keeping):
    def on_train_end(self, logs=None):
        self.model.set_weights(self.kept[0])


class FirstAtEpoch(Keeping):
    """Stops in the third epoch, where it sets those of the first, as that of keras.io does."""

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch)
        if epoch == 2:
            self.model.stop_training = True
            self.model.set_weights(self.kept[0])


class Averaged(Keeping):
    def on_train_end(self, logs=None):
        self.model.set_weights([np.mean(arrays, axis=0) for arrays in zip(*self.kept, strict=True)])


class InFolds(FirstAtEnd):
    """Stops the trainings of two folds at unlike epochs."""

    ends = itertools.cycle((3, 2))

    def on_train_begin(self, logs=None):
        super().on_train_begin()
        self.end = next(self.ends)

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch)
        self.model.stop_training = epoch + 1 >= self.end


def csv(trial):
    """A file for each training, beside a copy of this module; its numbers must be the record's."""
    (logs := Path(__file__).parent / "logs").mkdir(exist_ok=True)
    return keras.callbacks.CSVLogger(logs / f"{trial.name}.csv")


def telling(told):
    """The name of a callback that adds to a list what it was told of each training."""

    def tell(trial):
        told.append(trial)
        return keras.callbacks.Callback()

    return register_function(tell)


nothing, first_at_end, first_at_epoch, averaged, in_folds = Keeping, FirstAtEnd, FirstAtEpoch, Averaged, InFolds
swapped = keras.callbacks.SwapEMAWeights  # swaps the averages that a sweep validates with out again
