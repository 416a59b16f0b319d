"""From a space file's `data` to the rows that a search works on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data import fashion_mnist, mnist
from keras_sweep.data.array_sources import call_python, read_npz
from keras_sweep.data.cache import load_facts, store_facts, user_cache
from keras_sweep.data.fingerprint import fingerprint
from keras_sweep.data.images import scaled_pixels
from keras_sweep.data.labels import Labels, fit_labels
from keras_sweep.data.losses import LabelForm, loss_needs
from keras_sweep.data.names import DATA_NAMES
from keras_sweep.data.search_data import Array, Preprocessing, Rows, SearchData
from keras_sweep.data.sklearn_sets import NAMES as SKLEARN_SETS
from keras_sweep.data.sklearn_sets import read_sklearn_set
from keras_sweep.data.source import Parts, RawRows, Source
from keras_sweep.data.split import held_out, held_out_by_class, split
from keras_sweep.data.table_files import read_table
from keras_sweep.data.table_preprocessing import TablePreprocessing
from keras_sweep.errors import DataError
from keras_sweep.space.plain_text import did_you_mean, listed
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.space.sweep_spec import DataSpec, Goal, ModelSpec, Objective, SearchSettings, SweepSpec

PICTURES = {fashion_mnist.NAME: fashion_mnist, mnist.NAME: mnist}  # sets that bring a test set in files of its own


def load_search_data(spec: SweepSpec) -> SearchData:
    """Training and validation rows, encoded as the loss takes them.

    Test rows that the source brings in files of their own are not read; those that a split holds out are dropped here.

    Raises:
        DataError: the data can't be had or read, or don't fit the loss.
    """
    if spec.data.kind == "named" and spec.data.source in PICTURES:
        return _pictures(spec)
    source = read_source(spec.data, spec.folder)
    parts = split(source, spec.data.split, classes=labels_are_classes(spec))
    labels, preprocessing, notices = fit_encoding(spec, source, parts)
    train = encoded(parts.train, labels, preprocessing, "training")
    validation = encoded(parts.validation, labels, preprocessing, "validation")
    return SearchData(
        name=source.name,
        train=train,
        validation=validation,
        fingerprint=fingerprint(train, validation),
        classes=labels.classes,
        class_names=labels.names or source.class_names,
        test_rows=len(parts.test) if parts.test is not None else 0,
        preprocessing=preprocessing,
        image_shape=source.image_shape,
        notices=(*source.notices, *notices),
    )


def named_set(name: str) -> SweepSpec:
    """A spec for looking at a named set alone, with the loss that suits its labels. Raises DataError if unknown."""
    if name not in DATA_NAMES:
        raise DataError(f"no data set is called {name!r}", hint=did_you_mean(name, DATA_NAMES) or listed(DATA_NAMES))
    loss = {"diabetes": "mean_squared_error", "breast_cancer": "binary_crossentropy"}.get(name)
    return SweepSpec(
        name=name,
        folder=Path(),
        text="",
        data=DataSpec("named", name),
        model=ModelSpec("dense", "dense"),
        loss=loss or "sparse_categorical_crossentropy",
        metrics=(),
        objective=Objective("val_loss", Goal.MINIMIZE),
        space=SearchSpace(()),
        search=SearchSettings(),
    )


def raw_validation(spec: SweepSpec, data: SearchData) -> Any:
    """The validation rows as the exported model takes them: `data.validation.x`, or the raw columns of a table."""
    if data.preprocessing is None:
        return data.validation.x
    parts = split(read_source(spec.data, spec.folder), spec.data.split, classes=labels_are_classes(spec))
    return data.preprocessing.inputs(parts.validation.x)


def rows_in_order(spec: SweepSpec, data: SearchData) -> Rows:
    """Training and validation rows together, for cross-validation; no test row.

    Pictures are in their own order and in float64, exactly `images / 255.0`, because a sum of many such numbers shows
    the difference; other rows are training rows, then validation rows.
    """
    if spec.data.kind == "named" and spec.data.source in PICTURES:
        images, digits = PICTURES[spec.data.source].search_arrays()
        return Rows(images.reshape(len(images), -1) / 255.0, picture_labels(spec, digits))
    both = (data.train, data.validation)
    return Rows(np.concatenate([rows.x for rows in both]), np.concatenate([rows.y for rows in both]))


def read_source(data: DataSpec, folder: Path) -> Source:
    """All rows of a source that is read whole. Raises DataError."""
    match data.kind:
        case "named" if data.source in SKLEARN_SETS:
            return read_sklearn_set(data.source)
        case "csv" | "parquet":
            return read_table(folder / data.source, data.kind, data.target or "")
        case "npz":
            return read_npz(folder / data.source, data.target)
        case "python":
            return call_python(data.source, folder)
    raise DataError(f"no data set is called {data.source!r}", hint=f"Known are {', '.join((*PICTURES, *SKLEARN_SETS))}")


def fit_encoding(
    spec: SweepSpec, source: Source, parts: Parts
) -> tuple[Labels, TablePreprocessing | None, tuple[str, ...]]:
    """(labels, preprocessing of a table, notices), all from training rows alone. Raises DataError."""
    import polars as pl

    labels = fit_labels(parts.train.y, loss_needs(spec.loss).form, spec.loss, source.class_names)
    if not isinstance(parts.train.x, pl.DataFrame):
        return labels, None, ()
    return labels, *TablePreprocessing.fit(parts.train.x)


def encoded(rows: RawRows, labels: Labels, preprocessing: Preprocessing | None, part: str) -> Rows:
    """Rows as `fit` takes them, in memory that they share with no other rows. Raises DataError."""
    x = rows.x if preprocessing is None else preprocessing.transform(rows.x)
    assert isinstance(x, np.ndarray)
    if preprocessing is not None and not np.isfinite(x).all():
        raise DataError(f"a number of the {part} rows is too large for 32 bits", hint="Mend it, or use a larger unit")
    return Rows(own(_trainable(x)), labels.encode(rows.y, part))


def own(array: Array) -> Array:
    """A contiguous array that is no view: a view would keep alive, and lead to, rows that are not its own."""
    return np.array(array, order="C") if array.base is not None else np.ascontiguousarray(array)


def _trainable(x: Array) -> Array:
    """Real numbers and booleans as float32; whole numbers stay whole, for models that look them up (Embedding)."""
    if x.dtype.kind in "fb":
        return x.astype(np.float32)
    return x.astype(np.int32) if x.dtype.itemsize > 4 else x


def labels_are_classes(spec: SweepSpec) -> bool:
    """Whether the loss takes classes; else numbers."""
    return loss_needs(spec.loss).form is not LabelForm.NUMBER


def _pictures(spec: SweepSpec) -> SearchData:
    source, how = PICTURES[spec.data.source], spec.data.split
    images, digits = source.search_arrays()
    divide = held_out_by_class(digits, how.validation, how.seed) if how.stratify else None
    kept, held = divide or held_out(len(digits), how.validation, how.seed)
    form = loss_needs(spec.loss).form
    train = Rows(scaled_pixels(images, kept), picture_labels(spec, digits[kept]))
    validation = Rows(scaled_pixels(images, held), picture_labels(spec, digits[held]))
    return SearchData(
        name=spec.data.source,
        train=train,
        validation=validation,
        fingerprint=_kept_fingerprint(spec, lambda: fingerprint(train, validation)),
        classes=len(source.CLASS_NAMES) if form is not LabelForm.NUMBER else None,
        class_names=source.CLASS_NAMES,
        test_rows=source.TEST_ROWS,
        image_shape=source.SHAPE,
    )


def picture_labels(spec: SweepSpec, digits: npt.NDArray[np.uint8]) -> Array:
    """Class numbers 0 .. 9 as the loss takes them; as bytes, like Keras's own loader, where it takes indices."""
    form = loss_needs(spec.loss).form
    if form is LabelForm.INDEX:
        return digits
    every = np.arange(10)
    return fit_labels(every, form, spec.loss, PICTURES[spec.data.source].CLASS_NAMES).encode(digits, "picture")


def _kept_fingerprint(spec: SweepSpec, compute: Callable[[], str]) -> str:
    """The fingerprint, from the cache where the same pictures were split the same way before: it takes 0.1 s."""
    how = spec.data.split
    key = f"v1 {PICTURES[spec.data.source].VERSION} {how} {loss_needs(spec.loss).form}"
    try:
        folder = user_cache(spec.data.source)
    except OSError:
        return compute()
    known = load_facts(folder, "fingerprints")
    if not isinstance(known.get(key), str):
        known = {**known, key: compute()}
        with contextlib.suppress(OSError):
            store_facts(folder, "fingerprints", known)
    return str(known[key])
