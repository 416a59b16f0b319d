"""What makes two data sets the same: a hash over their rows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from keras_sweep.data.search_data import Fold, Rows


def fingerprint(*parts: Rows, folds: Sequence[Fold] = ()) -> str:
    """SHA-256 (hex) over type, shape and bytes of x and y of all parts, in order, and over which rows folds leave out.

    Parts that are one and the same are taken once.
    """
    digest = hashlib.sha256()
    for fold in folds:
        digest.update(fold.held.data)
    for rows in {id(rows): rows for rows in parts}.values():
        for array in (rows.x, rows.y):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
