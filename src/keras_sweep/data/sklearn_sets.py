"""The small data sets that come with scikit-learn, so that they need no download."""

from __future__ import annotations

import numpy as np

from keras_sweep.data.source import RawRows, Source


def read_sklearn_set(name: str) -> Source:
    """`digits`: 8 x 8 pictures as 64 pixels in [0, 1]. The others: tables of numbers in their own units."""
    import polars as pl
    from sklearn import datasets

    if name == "digits":
        digits = datasets.load_digits()
        pixels = (digits.data / 16.0).astype(np.float32)  # the pixels are whole numbers from 0 to 16
        names = tuple(str(label) for label in digits.target_names)
        return Source(name, RawRows(pixels, digits.target), class_names=names, image_shape=(8, 8))
    bunch = datasets.load_diabetes(scaled=False) if name == "diabetes" else getattr(datasets, f"load_{name}")()
    columns = {str(column): bunch.data[:, index] for index, column in enumerate(bunch.feature_names)}
    classes = None if name == "diabetes" else tuple(str(label) for label in bunch.target_names)
    return Source(name, RawRows(pl.DataFrame(columns), bunch.target), class_names=classes)
