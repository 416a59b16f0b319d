"""From a space file's `data` to the rows that a search works on."""

from __future__ import annotations

from keras_sweep.data import fashion_mnist
from keras_sweep.data.fingerprint import fingerprint
from keras_sweep.data.images import scaled_pixels
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.data.split import held_out, held_out_by_class
from keras_sweep.errors import DataError
from keras_sweep.space.sweep_spec import SweepSpec


def load_search_data(spec: SweepSpec) -> SearchData:
    """Training and validation rows. Never reads a test row of a source that brings its own. Raises DataError."""
    if spec.data.kind == "named" and spec.data.source == fashion_mnist.NAME:
        return _fashion_mnist(spec)
    raise DataError(f"no data set is called {spec.data.source!r}")


def _fashion_mnist(spec: SweepSpec) -> SearchData:
    images, labels = fashion_mnist.search_arrays()
    split = spec.data.split
    if split.stratify:
        kept, held = held_out_by_class(labels, split.validation, split.seed)
    else:
        kept, held = held_out(len(labels), split.validation, split.seed)
    train = Rows(scaled_pixels(images, kept), labels[kept])
    validation = Rows(scaled_pixels(images, held), labels[held])
    return SearchData(
        name=fashion_mnist.NAME,
        train=train,
        validation=validation,
        fingerprint=fingerprint(train, validation),
        classes=len(fashion_mnist.CLASS_NAMES),
        class_names=fashion_mnist.CLASS_NAMES,
        test_rows=fashion_mnist.TEST_ROWS,
    )
