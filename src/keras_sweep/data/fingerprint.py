"""What makes two data sets the same: a hash over the rows that a search sees."""

from __future__ import annotations

import hashlib

import numpy as np

from keras_sweep.data.search_data import Rows


def fingerprint(train: Rows, validation: Rows) -> str:
    """SHA-256 (hex) over type, shape and bytes of x and y of both splits, in order."""
    digest = hashlib.sha256()
    for array in (train.x, train.y, validation.x, validation.y):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
