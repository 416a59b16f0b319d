"""Load the rows of a search, as `data` in the space file describes them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_sweep.data.array_sources import MOST_BYTES
from keras_sweep.data.arrays import leaves
from keras_sweep.data.labels import Labels, fit_scale
from keras_sweep.data.leaks import find_leaks
from keras_sweep.data.sealed_test import seal
from keras_sweep.data.search_data import Rows, SearchData, fingerprint
from keras_sweep.data.source import SourceRows
from keras_sweep.data.split import describe_parts, fit_encoding, read_parts
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import DataSpec
from keras_sweep.space.search_space import Goal, Objective, Params
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.variants import Variant, apply_variant, get_data_space, get_variant

FEW_VARIANTS = 16  # up to this number, the size of all variants is not checked


def load_search_data(spec: SweepSpec, source: SourceRows | None = None) -> SearchData:
    """Load training and validation rows, encoded for the loss. A variant is a combination of values of the parameters
    `data.*`. Return the first variant: its attribute `variants` has all, if there are several. `source` has the rows
    that `spec.data` names, if they were read before. Raises DataError."""
    points = list(get_data_space(spec.space).points())
    if len(points) == 1:
        return load_variant(spec, source)
    variants, size = dict[Variant, SearchData](), 0
    for point in points:
        variants[get_variant(point)] = data = load_variant(apply_variant(spec, point))
        size += sum(array.nbytes for arrays in data.train.arrays for array in leaves(arrays))
        if len(variants) > FEW_VARIANTS and size > MOST_BYTES:
            raise DataError(
                f"{len(points)} variants of {spec.data.source} do not fit into memory: the training rows of the first "
                f"{len(variants)} take more than {MOST_BYTES >> 30} GB",
                hint="Search fewer values of `data.*`, or use fewer rows",
            )
    loaded = variants.values()
    return replace(
        next(iter(loaded)),
        fingerprint="+".join(variant_data.fingerprint for variant_data in loaded),
        test_fingerprint="+".join(filter(None, (variant_data.test_fingerprint for variant_data in loaded))) or None,
        leaks=tuple(dict.fromkeys(notice for variant_data in loaded for notice in variant_data.leaks)),
        variants=variants,
    )


def select_variant(spec: SweepSpec, data: SearchData, params: Params) -> tuple[SweepSpec, SearchData]:
    """Return (spec, data) of the variant that a trial's `params` select. Without variants, both are unchanged."""
    variant = data.variants.get(get_variant(params))
    return (spec, data) if variant is None else (replace(apply_variant(spec, params), scale=variant.scale), variant)


def load_variant(spec: SweepSpec, source: SourceRows | None = None) -> SearchData:
    """Load and encode the rows that `spec.data` names, maybe read before as `source`. Test rows are checked, but only
    their number and fingerprint are kept, for the evaluation. The test rows of a published picture set are not read.
    Raises DataError."""
    if spec.function:
        return SearchData(
            "none", Rows(np.empty((0, 1)), np.empty(0)), Rows(np.empty((0, 1)), np.empty(0)), "none", None
        )
    encoding = fit_encoding(spec, read_parts(spec, source))
    source, (train, validation) = encoding.parts.source, encoding.encode_search()
    if source.stream is not None:
        pairs = zip(leaves(encoding.parts.train.y), leaves(train.y), strict=True)
        if encoding.preprocessing is not None or not all(np.array_equal(*pair) for pair in pairs):
            raise DataError(
                f"the training dataset of {source.name} has x or y that must be encoded, but `fit` encodes nothing",
                hint="Let the dataset give numbers, and labels in the form that the loss needs",
            )
    folds, digest = encoding.folds(train), fingerprint(train, validation, folds=encoding.parts.folds)
    by_name = bool(spec.data.inputs)
    if by_name:
        train, searched = encoding.encode_part("train", train), train
        validation = train if validation is searched else encoding.encode_part("validation", validation)
    test_rows, test_fingerprint = seal(encoding)
    is_single = isinstance(encoding.labels, Labels)  # otherwise there are several outputs
    leaks = () if source.stream else find_leaks(encoding.parts, is_single and encoding.labels.values is not None)
    return SearchData(
        name=source.name,
        train=train,
        validation=validation,
        fingerprint=digest,
        classes=encoding.labels.classes if is_single else None,
        class_names=encoding.labels.names or source.class_names if is_single else None,
        test_rows=test_rows,
        test_fingerprint=test_fingerprint,
        preprocessing=None if by_name else encoding.preprocessing,
        image_shape=source.image_shape,
        parts=describe_parts(encoding.parts, spec.data.split),
        notices=(*source.notices, *(() if by_name else encoding.notices)),
        leaks=(*source.leaks, *leaks),
        scale=None if spec.data.transform is None else fit_scale(spec.data.transform, encoding.labels, train.y),
        stream=source.stream,
        folds=folds,
    )


def make_set_spec(name: str) -> SweepSpec:
    """Return a spec of only the built-in data set `name`, like "iris", and a loss that fits its labels."""
    loss = {"diabetes": "mean_squared_error", "breast_cancer": "binary_crossentropy"}.get(name)
    return SweepSpec(
        name=name,
        folder=Path(),
        data=DataSpec("named", name),
        loss=loss or "sparse_categorical_crossentropy",
        objective=Objective("val_loss", Goal.MINIMIZE),
    )
