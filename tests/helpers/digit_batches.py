"""Digits in batches, as `fit` would iterate over them."""

import keras
from sklearn.datasets import load_digits

BATCH = 16


class Batches(keras.utils.PyDataset):
    """So many digits from one on, as pixels in [0, 1]."""

    def __init__(self, first, count):
        super().__init__()
        x, y = load_digits(return_X_y=True)
        self.x, self.y = (array[first : first + count] for array in ((x / 16).astype("float32"), y))

    def __len__(self):
        return -(-len(self.y) // BATCH)

    def __getitem__(self, batch):
        rows = slice(batch * BATCH, (batch + 1) * BATCH)
        return self.x[rows], self.y[rows]


def parts():
    """Training, validation and test rows."""
    return Batches(0, 128), Batches(128, 64), Batches(192, 64)
