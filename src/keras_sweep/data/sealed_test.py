"""The test rows. Only this module gives them out, and only evaluation, after the search, calls it."""

from __future__ import annotations

from typing import Any

from keras_sweep.data.catalog import PICTURES, encoded, fit_encoding, labels_are_classes, picture_labels, read_source
from keras_sweep.data.fingerprint import fingerprint
from keras_sweep.data.images import scaled_pixels
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.data.source import Parts, Source
from keras_sweep.data.split import split
from keras_sweep.errors import DataError
from keras_sweep.space.sweep_spec import SweepSpec


def open_test(spec: SweepSpec, data: SearchData) -> Rows:
    """The sealed test rows, in the form of `data.validation`.

    Raises:
        DataError: the source has no test rows, or its other rows are no longer those that the search saw.
    """
    if not data.test_rows:
        raise DataError(f"{data.name} has no test rows", hint="Set `data.split.test` to a share above 0")
    if spec.data.kind == "named" and spec.data.source in PICTURES:
        images, digits = PICTURES[spec.data.source].test_arrays()
        return Rows(scaled_pixels(images), picture_labels(spec, digits))
    source, parts = _parts(spec)
    labels, preprocessing, _ = fit_encoding(spec, source, parts)
    train = encoded(parts.train, labels, preprocessing, "training")
    validation = encoded(parts.validation, labels, preprocessing, "validation")
    if fingerprint(train, validation) != data.fingerprint:
        raise DataError(
            f"{data.name} has changed since the search: test rows of other data would not judge its winner",
            hint="Bring the data back, or run the sweep anew with `--fresh`",
        )
    assert parts.test is not None
    return encoded(parts.test, labels, preprocessing, "test")


def open_raw_test(spec: SweepSpec, data: SearchData) -> Any:
    """The x of `open_test` as the exported model takes it: the same, or the raw columns of a table."""
    rows = open_test(spec, data)
    if data.preprocessing is None:
        return rows.x
    test = _parts(spec)[1].test
    assert test is not None
    return data.preprocessing.inputs(test.x)


def _parts(spec: SweepSpec) -> tuple[Source, Parts]:
    source = read_source(spec.data, spec.folder)
    return source, split(source, spec.data.split, classes=labels_are_classes(spec))
