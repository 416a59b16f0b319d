"""From a space file's `data` to the rows that a search works on."""

from __future__ import annotations

from pathlib import Path

from keras_sweep.data.image_sets import ImageSet, scaled_pixels
from keras_sweep.data.labels import LabelForm, loss_needs
from keras_sweep.data.sealed_test import seal
from keras_sweep.data.search_data import Fold, Rows, SearchData, fingerprint
from keras_sweep.data.source import DATA_NAMES, image_set, unknown_name
from keras_sweep.data.split import fit_encoding, held_out, left_out, picture_labels, read_parts
from keras_sweep.space.search_space import Goal, Objective, SearchSpace
from keras_sweep.space.sweep_spec import DataSpec, ModelSpec, SearchSettings, SweepSpec


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
    encoding = fit_encoding(spec, *read_parts(spec))
    source, (train, validation) = encoding.source, encoding.of_search()
    folds = encoding.folds(train)
    test_rows, test_fingerprint = seal(encoding)
    return SearchData(
        name=source.name,
        train=train,
        validation=validation,
        fingerprint=fingerprint(train, validation, folds=folds),
        classes=encoding.labels.classes,
        class_names=encoding.labels.names or source.class_names,
        test_rows=test_rows,
        test_fingerprint=test_fingerprint,
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


def _pictures(spec: SweepSpec, source: ImageSet) -> SearchData:
    how, names = spec.data.split, source.class_names
    images, labels = source.search_arrays()
    classes = loss_needs(spec.loss).form is not LabelForm.NUMBER
    encoded = picture_labels(spec, labels, names)
    folds: tuple[Fold, ...] = ()
    if how.folds:
        train = validation = Rows(scaled_pixels(images), encoded)
        folds = left_out(labels, how, classes=classes)
    else:
        parts = held_out(len(labels), how.validation, how.seed, labels if how.stratify else None)
        train, validation = (Rows(scaled_pixels(images, part), encoded[part]) for part in parts)
    return SearchData(
        name=spec.data.source,
        train=train,
        validation=validation,
        fingerprint=fingerprint(train, validation, folds=folds),
        classes=len(names) if classes else None,
        class_names=names,
        test_rows=source.test_rows,
        image_shape=source.shape,
        folds=folds,
    )
