"""The test rows. Only this module reads them, and only evaluation, long after the search, calls it."""

from __future__ import annotations

from keras_sweep.data import fashion_mnist
from keras_sweep.data.images import scaled_pixels
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.errors import DataError
from keras_sweep.space.sweep_spec import SweepSpec


def open_test(spec: SweepSpec, data: SearchData) -> Rows:
    """The sealed test rows, in the form of `data.validation`. Raises DataError where the source has none."""
    if spec.data.kind == "named" and spec.data.source == fashion_mnist.NAME:
        images, labels = fashion_mnist.test_arrays()
        return Rows(scaled_pixels(images), labels)
    raise DataError(f"{data.name} has no test rows")
