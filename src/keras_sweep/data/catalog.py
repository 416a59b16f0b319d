"""From a space file's `data` to the rows that a search works on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_sweep.data.cache import load_facts, store_facts, user_cache
from keras_sweep.data.encoding import encoded, fit_encoding, picture_labels, read_parts
from keras_sweep.data.fingerprint import fingerprint
from keras_sweep.data.folds import left_out, with_own_columns
from keras_sweep.data.image_set import ImageSet
from keras_sweep.data.images import scaled_pixels
from keras_sweep.data.losses import LabelForm, loss_needs
from keras_sweep.data.names import DATA_NAMES
from keras_sweep.data.number_table import polars_table
from keras_sweep.data.sealed_test import seal
from keras_sweep.data.search_data import Fold, Rows, SearchData
from keras_sweep.data.sources import image_set, unknown_name
from keras_sweep.data.split import held_out, held_out_by_class
from keras_sweep.space.search_space import Goal, Objective, SearchSpace
from keras_sweep.space.sweep_spec import DataSpec, ModelSpec, SearchSettings, SweepSpec

if TYPE_CHECKING:
    import polars as pl


def load_search_data(spec: SweepSpec) -> SearchData:
    """Training and validation rows, encoded as the loss takes them.

    Test rows that the source brings in files of their own are not read. Those that a split holds out are seen to be fit
    for the evaluation after the search, sealed by their fingerprint, and dropped here.

    Raises:
        DataError: the data can't be had or read, or don't fit the loss.
    """
    pictures = image_set(spec.data)
    if pictures is not None:
        return _pictures(spec, pictures)
    source, parts = read_parts(spec)
    encoding = fit_encoding(spec, source, parts)
    train, validation = encoded(encoding, source, parts)
    folds = parts.folds
    if encoding.preprocessing is not None:
        folds = with_own_columns(parts, train, source.name)
    sealed = seal(encoding, parts.test, brought=source.test is not None)
    return SearchData(
        name=source.name,
        train=train,
        validation=validation,
        fingerprint=fingerprint(train, validation, folds=folds),
        classes=encoding.labels.classes,
        class_names=encoding.labels.names or source.class_names,
        test_rows=sealed.rows,
        test_fingerprint=sealed.fingerprint,
        preprocessing=encoding.preprocessing,
        image_shape=source.image_shape,
        notices=(*source.notices, *encoding.notices),
        folds=folds,
    )


def named_set(name: str) -> SweepSpec:
    """A spec for looking at a named set alone, with the loss that suits its labels. Raises DataError if unknown."""
    if name not in DATA_NAMES:
        raise unknown_name(name)
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


def raw_rows(spec: SweepSpec, data: SearchData) -> tuple[Any, Any]:
    """x of the training and of the validation rows as the exported model takes them.

    That is `data.train.x` and `data.validation.x`, or the raw columns of a table. Raises DataError.
    """
    if data.preprocessing is None:
        return data.train.x, data.validation.x
    _, parts = read_parts(spec)
    return data.preprocessing.inputs(parts.train.x), data.preprocessing.inputs(parts.validation.x)


def validation_table(spec: SweepSpec, data: SearchData) -> pl.DataFrame | None:
    """The validation rows of a table with their columns as they were read; None for arrays. Raises DataError."""
    if data.preprocessing is None:
        return None
    return polars_table(read_parts(spec)[1].validation.x)


def rows_in_order(spec: SweepSpec, data: SearchData) -> Rows:
    """Training and validation rows together, for cross-validation; no test row.

    Pictures are in their own order and in float64, exactly `images / 255.0`, because a sum of many such numbers shows
    the difference; other rows are training rows, then validation rows.
    """
    pictures = image_set(spec.data)
    if pictures is not None:
        images, labels = pictures.search_arrays()
        return Rows(images.reshape(len(images), -1) / 255.0, picture_labels(spec, labels, pictures.class_names))
    if data.folds:
        return data.train
    both = (data.train, data.validation)
    return Rows(np.concatenate([rows.x for rows in both]), np.concatenate([rows.y for rows in both]))


def _pictures(spec: SweepSpec, source: ImageSet) -> SearchData:
    how, names = spec.data.split, source.class_names
    images, labels = source.search_arrays()
    form = loss_needs(spec.loss).form
    folds: tuple[Fold, ...] = ()
    if how.folds:
        train = validation = Rows(scaled_pixels(images), picture_labels(spec, labels, names))
        folds = tuple(left_out(labels, how, classes=form is not LabelForm.NUMBER))
    else:
        divide = held_out_by_class(labels, how.validation, how.seed) if how.stratify else None
        kept, held = divide or held_out(len(labels), how.validation, how.seed)
        train = Rows(scaled_pixels(images, kept), picture_labels(spec, labels[kept], names))
        validation = Rows(scaled_pixels(images, held), picture_labels(spec, labels[held], names))
    return SearchData(
        name=spec.data.source,
        train=train,
        validation=validation,
        fingerprint=_kept_fingerprint(spec, source, lambda: fingerprint(train, validation, folds=folds)),
        classes=len(names) if form is not LabelForm.NUMBER else None,
        class_names=names,
        test_rows=source.test_rows,
        image_shape=source.shape,
        folds=folds,
    )


def _kept_fingerprint(spec: SweepSpec, source: ImageSet, compute: Callable[[], str]) -> str:
    """The fingerprint, from the cache where the same pictures were split the same way before: it takes 0.1 s."""
    key = f"v1 {source.version} {spec.data.split} {loss_needs(spec.loss).form}"
    try:
        folder = user_cache(source.name)
    except OSError:
        return compute()
    known = load_facts(folder, "fingerprints")
    if not isinstance(known.get(key), str):
        known = {**known, key: compute()}
        with contextlib.suppress(OSError):
            store_facts(folder, "fingerprints", known)
    return str(known[key])
